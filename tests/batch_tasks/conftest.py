"""A storage account that is real (Azurite), and plans to work on."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from batch_tasks import clients
from batch_tasks.clients import signed_in
from batch_tasks.inputs import find_inputs
from batch_tasks.naming import RunNames
from batch_tasks.patience import patiently, pause
from batch_tasks.plan import RunPlan, plan_tasks
from batch_tasks.workload import Workload
from flows.local_stack.azurite import BlobAccount
from flows.local_stack.emulator import BatchAccount
from tests.signing import account_of

MakePlan = Callable[..., RunPlan]
QUICKER = 20


@pytest.fixture(autouse=True)
def _waits_pass_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own waits before the next try, and those that a service asks for, take a twentieth of their time.
    By the clock of their budgets they take all of it.
    """
    skipped = 0.0

    def wait(seconds: float) -> None:
        nonlocal skipped
        pause(seconds / QUICKER)
        skipped += seconds - seconds / QUICKER

    assert patiently.__kwdefaults__ is not None
    monkeypatch.setitem(patiently.__kwdefaults__, "sleep", wait)
    monkeypatch.setitem(patiently.__kwdefaults__, "now", lambda: time.monotonic() + skipped)
    for name in ("initial_backoff", "increment_base", "random_jitter_range"):
        monkeypatch.setitem(clients._BLOB_RETRIES, name, clients._BLOB_RETRIES[name] / QUICKER)


@pytest.fixture
def storage(azurite: BlobAccount) -> Iterator[None]:
    """Signed in to Azurite; the Batch account beside it does not exist."""
    nowhere = f"{azurite.endpoint.partition(':')[0]}://127.0.0.1:1"
    with signed_in(account_of(azurite, BatchAccount(nowhere, "none", "bm9uZQ=="))):
        yield


@pytest.fixture
def make_plan() -> MakePlan:
    """A plan for these inputs, under names of its own."""

    def plan(sources: list[str], workload: Workload | None = None, files_per_task: int = 1) -> RunPlan:
        workload = workload or Workload(
            name="test", command="cp {input} {output}", outputs=("{stem}_OUTPUT{suffix}",)
        )
        now = datetime.now(UTC).replace(microsecond=0)
        return RunPlan(
            RunNames.of(workload.name, uuid4()),
            workload,
            plan_tasks(workload, find_inputs(sources), files_per_task),
            now,
            now + timedelta(hours=1),
        )

    return plan
