"""What Microsoft's tests of azure-batch import from their test tools, which are on no package index.

Their preparers run as on Azure, in "live" mode. Only the management plane is ours: to create an account
empties the emulator, to create a pool there creates it through the data plane.
"""

import inspect
import itertools
import os
import sys
from collections.abc import Awaitable, Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from azure.core.credentials import AzureNamedKeyCredential

from . import management

RESOURCE_GROUP = "resource_group"
Test = Callable[..., Awaitable[None]]

# Their preparers import azure.mgmt.batch: the client of the management plane.
_mgmt = ModuleType("azure.mgmt")
_mgmt.batch = management  # type: ignore[attr-defined]
sys.modules.update({"azure.mgmt": _mgmt, "azure.mgmt.batch": management})
sys.modules["azure"].mgmt = _mgmt  # type: ignore[attr-defined]


class AzureTestError(Exception):
    """A preparer could not make what a test needs."""


class AzureRecordedTestCase:
    """What their test classes inherit: whether this is live, and how to sign in."""

    is_live = True

    def get_credential(self, _client_class: type) -> AzureNamedKeyCredential:
        """The shared key of the emulator's account."""
        return AzureNamedKeyCredential(os.environ["SUITE_ACCOUNT"], os.environ["SUITE_KEY"])


class AzureMgmtRecordedTestCase(AzureRecordedTestCase):
    """The same, for tests that prepare resources."""


def _decorated(test: Test, run: Callable[..., Awaitable[None]]) -> Test:
    """`run` under the name, marks and parameters of `test`; pytest must not look behind it."""

    async def replacement(self: Any, BatchClient: type) -> None:  # noqa: N803
        await run(self, BatchClient=BatchClient)

    async def inner(self: Any, **kwargs: Any) -> None:
        await run(self, **kwargs)

    inner.__name__, inner.__doc__ = test.__name__, test.__doc__
    inner.__signature__ = inspect.signature(replacement)  # type: ignore[attr-defined]
    inner.pytestmark = getattr(test, "pytestmark", [])  # type: ignore[attr-defined]
    return inner


class AzureMgmtPreparer:
    """Makes a resource before a test, hands it to the test by keyword, and removes it afterwards."""

    is_live = True
    _numbers = itertools.count(1)

    def __init__(self, name_prefix: str = "", _random_name_length: int = 24, **_options: Any) -> None:
        self.name_prefix = name_prefix
        self.moniker = name_prefix

    def create_mgmt_client(self, client_class: type, **_options: Any) -> Any:
        """A client of the management plane."""
        return client_class()

    def create_resource(self, name: str, **_kwargs: Any) -> dict[str, Any]:
        """What the test is handed."""
        return {}

    def remove_resource(self, _name: str, **_kwargs: Any) -> None:
        """Clean up."""

    def __call__(self, test: Test) -> Test:
        """Decorate a test."""

        async def run(case: Any, **kwargs: Any) -> None:
            name = f"{self.name_prefix}{next(self._numbers)}"
            prepared = self.create_resource(name, **kwargs)
            try:
                await test(case, **{**kwargs, **prepared})
            finally:
                self.remove_resource(name, **{**kwargs, **prepared})

        return _decorated(test, run)


class ResourceGroupPreparer(AzureMgmtPreparer):
    """A resource group is nothing but a name here."""

    def create_resource(self, name: str, **_kwargs: Any) -> dict[str, Any]:
        """Give the group to the other preparers."""
        return {RESOURCE_GROUP: SimpleNamespace(name=name)}


CachedResourceGroupPreparer = ResourceGroupPreparer
StorageAccountPreparer = AzureMgmtPreparer
"""No test looks at the storage account, so there is none."""


class FakeResource(SimpleNamespace):
    """What their preparers hand out when they play recordings; not used live."""


class EnvironmentVariableLoader(AzureMgmtPreparer):
    """Hands settings to a test that live runs take from the environment."""

    def __init__(self, _directory: str, **settings: str) -> None:
        super().__init__()
        self.settings = settings

    def create_resource(self, name: str, **_kwargs: Any) -> dict[str, Any]:
        """Give the settings."""
        return dict(self.settings)


def trim_kwargs_from_test_function(test: Test, kwargs: dict[str, Any]) -> None:
    """Drop what a test does not take."""
    parameters = inspect.signature(test).parameters
    if not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        for name in [name for name in kwargs if name not in parameters]:
            del kwargs[name]


def recorded_by_proxy(test: Test) -> Test:
    """Live runs are not recorded."""
    return test


def set_custom_default_matcher(**_options: Any) -> None:
    """Nothing is matched with a recording."""


def remove_batch_sanitizers(_sanitizers: list[str]) -> None:
    """Nothing is recorded."""


def add_general_regex_sanitizer(**_options: Any) -> None:
    """Nothing is recorded."""


@pytest.fixture(scope="session")
def test_proxy() -> None:
    """No proxy stands between the tests and the emulator."""
