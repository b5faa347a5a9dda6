"""What a pass of `collect-garbage` does on accounts and a Prefect server that are real."""

import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.states import AwaitingRetry, Crashed
from pydantic import SecretStr

from batch_tasks.errors import CleanUpFailed
from batch_tasks.settings import Account
from flows import run_events
from flows.account import accounts_known
from flows.azure_batch_account import AzureBatchAccount
from flows.collect_garbage import collect_garbage, delete_orphans, find_garbage
from flows.garbage import Limits
from tests.flows.dead_runs import came_to, dead_run, left, names_of
from tests.flows.events import events_of
from tests.teardown.gate import gate_before

pytestmark = pytest.mark.usefixtures("prefect_server")

LIMITS = Limits(timedelta(minutes=15), timedelta(hours=1))


@pytest.fixture
def run(account_in_environment: Account) -> Iterator[FlowRun]:
    with dead_run(account_in_environment) as run:
        yield run


def block(name: str, account: Account, **other: Any) -> None:
    """Save the account in a block."""
    values = {
        "batch_account": account.batch_account,
        "batch_endpoint": account.batch_endpoint,
        "batch_key": account.batch_key,
        "storage_account": account.storage_account,
        "storage_key": account.storage_key,
        "blob_endpoint": account.blob_endpoint,
    }
    AzureBatchAccount(**{**values, **other}).save(name, overwrite=True)


@pytest.fixture
def no_blocks() -> Iterator[None]:
    yield
    for name in AzureBatchAccount.names_saved():
        AzureBatchAccount.delete(name)


def test_of_a_run_that_was_killed_job_and_pool_go_and_the_containers_when_no_retry_needs_them(
    run: FlowRun,
) -> None:
    came_to(run, Crashed())
    collect_garbage(retry_hours=24)
    assert left(run) == {"inputs", "outputs"}
    (told,) = events_of(run.id, run_events.CLEANED_UP)
    assert told == {"workload": "copy", "by": "collect-garbage", "deleted": [f"job {names_of(run).job_id}"]}
    collect_garbage()
    assert left(run) == set()


def test_a_run_that_is_retried_between_look_and_deletion_keeps_everything(run: FlowRun) -> None:
    came_to(run, Crashed())
    verdicts = find_garbage.fn(LIMITS)
    assert [one.is_orphan for one in verdicts if one.resource.run == names_of(run)] == [True] * 3
    came_to(run, AwaitingRetry())
    rows, problems = delete_orphans.fn(verdicts, LIMITS)
    assert problems == []
    assert {row["action"] for row in rows if row["run"] == str(run.id)} == {"left alone"}
    assert left(run) == {"job", "inputs", "outputs"}


def test_accounts_in_blocks_are_gone_over_too_and_trouble_with_one_spares_no_other(
    account: Account, account_in_environment: Account, no_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    assert accounts_known() == []
    assert collect_garbage() == []
    block("good", account)
    block("bad", account, storage_key=SecretStr("bm9uZQ=="))
    assert accounts_known() == ["bad", "good"]
    with dead_run(account, "good") as run:
        came_to(run, Crashed())
        with pytest.raises(CleanUpFailed, match="account 'bad': What the account holds cannot be listed"):
            collect_garbage()
        assert left(run) == set()


def test_what_cannot_be_deleted_is_told_and_the_pass_fails(
    run: FlowRun, monkeypatch: pytest.MonkeyPatch, account_in_environment: Account
) -> None:
    came_to(run, Crashed())
    with gate_before(account_in_environment.batch_endpoint) as gate:
        gate.hold(lambda request: request.method == "DELETE", "refuse")
        monkeypatch.setenv("AZURE_BATCH_ENDPOINT", gate.url)
        with pytest.raises(CleanUpFailed, match=f"job {names_of(run).job_id}: Forbidden"):
            collect_garbage()
    assert left(run) == {"job"}
    (told,) = events_of(run.id, run_events.CLEAN_UP_FAILED)
    assert told["by"] == "collect-garbage"
    assert names_of(run).job_id in told["problem"]
