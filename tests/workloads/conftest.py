"""Flows run on an account of the environment, as on Azure; it is the emulator and Azurite."""

from collections.abc import Iterator

import pytest

from batch_tasks.clients import blob_service, signed_in
from batch_tasks.settings import Account


@pytest.fixture
def on_account(account_in_environment: Account, prefect_server: str) -> Iterator[Account]:
    """The account that flows find; signed in to, so that a test can look at it."""
    with signed_in(account_in_environment):
        yield account_in_environment
        for container in blob_service().list_containers():
            blob_service().delete_container(container.name)
