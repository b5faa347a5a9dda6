"""`max_cost` of a whole flow run: it ends, keeps what is done, names what is not, and leaves nothing."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from prefect import flow

from batch_tasks.clients import batch_client, blob_service, signed_in
from batch_tasks.money import bill
from batch_tasks.money.watch import Watch
from batch_tasks.options import PoolOptions, RunOptions
from batch_tasks.report import RunReport
from batch_tasks.settings import Account
from batch_tasks.unfinished import TasksFailed
from batch_tasks.workload import Workload
from flows.pipeline import run_workload
from tests.conformance import scene
from tests.conformance.own_emulator import Control
from tests.flows.processes import eventually
from tests.flows.test_pipeline import files_in

SLOW = Workload(
    name="dear",
    command="cp {input} {output}; if grep -q slow {input}; then sleep 90; fi",
    outputs=("{stem}.out",),
)

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(autouse=True)
def _signed_in(account_in_environment: Account) -> Iterator[None]:
    with signed_in(account_in_environment):
        yield


@flow
def dear(files: list[str], options: RunOptions) -> RunReport:
    return run_workload(SLOW, files, options)


@pytest.fixture
def prices(tmp_path: Path) -> str:
    """A table by which a second of a node costs one."""
    table = tmp_path / "prices.json"
    head = '{"date": "2026-01-01", "region": "nowhere", "currency": "EUR", "source": "none", "per_hour": {'
    hour = '{"dedicated": 3600}'
    table.write_text(f'{head}"standard_d2s_v5": {hour}, "standard_d1_v2": {hour}}}}}')
    return str(table)


def left_behind() -> list[str]:
    names = [pool.id for pool in batch_client().list_pools() if pool.state != "deleting"]
    names += [job.id for job in batch_client().list_jobs() if job.state != "deleting"]
    names += [str(container.name) for container in blob_service().list_containers()]
    return [name for name in names if name.startswith("dear-")]


def test_a_run_that_costs_too_much_keeps_what_is_done_and_leaves_nothing(
    prices: str, account: Account, tmp_path: Path
) -> None:
    inputs = files_in(tmp_path / "in", {"done": "quick", "late": "slow"})
    pool = PoolOptions(dedicated_nodes=1, task_slots_per_node=2, prices=prices, max_cost=12)
    with pytest.raises(TasksFailed, match=r"The run has cost \d+\.\d\d EUR by prices of nowhere") as failed:
        dear.with_options(retries=1)(inputs, RunOptions(output_dir=str(tmp_path / "out"), pool=pool))
    report = failed.value.report
    events = Control(account.batch_endpoint).events()
    pools = [event["pool"] for event in events if event["name"] == "AddPool"]
    assert pools.count(f"dear-{report.flow_run_id.replace('-', '')}") == 1  # the retry made none
    assert [file.key for file in report.succeeded] == ["done"]
    assert [file.key for file in report.failed] == ["late"]
    assert (tmp_path / "out" / "done.out").read_text() == "quick"
    assert report.cost is not None
    assert (report.cost.amount or 0) >= 12
    eventually(lambda: left_behind() == [], "everything is deleted")


def test_a_run_that_costs_too_much_while_files_are_sent_names_them_all(
    prices: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bill, "Watch", partial(Watch, every=0))  # else it looks after half a minute
    batch_client().create_pool(scene.pool_options("there-already"))
    try:
        eventually(lambda: list(batch_client().list_nodes("there-already")) != [], "there is a node")
        inputs = files_in(tmp_path / "in", {"one": "1", "two": "2"})
        pool = PoolOptions(kind="existing", pool_id="there-already", prices=prices, max_cost=0.001)
        with pytest.raises(TasksFailed, match="The run has cost") as failed:
            dear(inputs, RunOptions(output_dir=str(tmp_path / "out"), pool=pool))
    finally:
        batch_client().begin_delete_pool("there-already", polling_interval=0)
    assert [(file.key, file.state) for file in failed.value.report.failed] == [
        ("one", "not run"),
        ("two", "not run"),
    ]
    eventually(lambda: left_behind() == [], "everything is deleted")
