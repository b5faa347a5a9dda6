"""A run that has cost what it may: it stops, keeps what is done, and names what is not."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from batch_tasks.clean_up import delete_resources
from batch_tasks.clients import batch_client, signed_in
from batch_tasks.create_containers import create_containers
from batch_tasks.create_job import create_job
from batch_tasks.errors import PreFlightFailed
from batch_tasks.money.bill import kinds_of
from batch_tasks.money.meter import NodeKind
from batch_tasks.money.prices import NodePrice, PriceTable
from batch_tasks.money.spending import Spending, metered
from batch_tasks.money.watch import Watch, watched
from batch_tasks.options import CleanUpPolicy, PoolOptions
from batch_tasks.plan import RunPlan
from batch_tasks.poll_tasks import Rhythm, ended_so_far, poll_tasks
from batch_tasks.pre_flight import pre_flight
from batch_tasks.provision_pool import provision_pool
from batch_tasks.retrieve_outputs import retrieve_outputs
from batch_tasks.settings import Account
from batch_tasks.submit_tasks import submit_tasks
from batch_tasks.unfinished import TooExpensive
from batch_tasks.upload_inputs import upload_inputs
from batch_tasks.workload import Workload
from tests.conformance import scene
from tests.flows.processes import eventually

OFTEN = Rhythm(shortest=0.1, longest=0.3)
DEAR = PriceTable(
    date=date(2026, 1, 1),
    region="nowhere",
    currency="EUR",
    source="a second of a node costs two",
    per_hour={"standard_d2s_v5": NodePrice(dedicated=7200)},
)


@pytest.mark.waits(seconds=5)
def test_the_ceiling_stops_a_run_and_what_is_done_is_kept(
    account: Account, make_plan: Callable[..., RunPlan], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for name in ("done", "slow"):
        (tmp_path / "in" / name).write_text(name)
    command = "cp {input} {output}; if grep -q slow {input}; then sleep 60; fi"
    plan = make_plan([str(tmp_path / "in")], Workload("test", command, ("{stem}.out",)))
    pool = PoolOptions(dedicated_nodes=1, task_slots_per_node=2)
    with signed_in(account), metered(Spending(plan.created, DEAR, ceiling=8)) as spending:
        try:
            create_containers.fn(plan.names, plan.metadata)
            upload_inputs.fn(plan)
            create_job.fn(plan, provision_pool.fn(plan, pool))
            submit_tasks.fn(plan)
            with pytest.raises(TooExpensive, match=r"has cost .* EUR by prices of nowhere") as stopped:
                poll_tasks.fn(plan, OFTEN, OFTEN)
            report = retrieve_outputs.fn(plan, stopped.value.finished, str(tmp_path / "out"))
        finally:
            delete_resources(plan.names, CleanUpPolicy())
    assert [file.key for file in report.succeeded] == ["done"]
    assert [file.key for file in report.failed] == ["slow"]
    assert (tmp_path / "out" / "done.out").read_text() == "done"
    assert (spending.spent(datetime.now(UTC)).amount or 0) >= 8


def test_the_ceiling_holds_while_files_are_sent(
    account: Account, make_plan: Callable[..., RunPlan], tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("a")
    plan = make_plan([str(tmp_path / "a")], Workload("test", "cp {input} {output}", ("{stem}.out",)))
    pool = plan.names.pool_id
    with signed_in(account), metered(Spending(plan.created, DEAR, ceiling=0.001)):
        try:
            create_containers.fn(plan.names, plan.metadata)
            with watched(Watch(pool, every=0)):
                upload_inputs.fn(plan)
            assert ended_so_far(plan.names.job_id) == []
            provision_pool.fn(plan, PoolOptions(dedicated_nodes=1))
            eventually(lambda: list(batch_client().list_nodes(pool)) != [], "there is a node")
            with watched(Watch(pool, now=lambda: 0.0)):
                upload_inputs.fn(plan)
            with (
                watched(Watch(pool, every=0)),
                pytest.raises(TooExpensive, match=r"and max_cost is 0\.00 EUR"),
            ):
                upload_inputs.fn(plan)
        finally:
            delete_resources(plan.names, CleanUpPolicy())


def test_a_ceiling_on_an_existing_pool_needs_the_price_of_what_it_has(
    account: Account, make_plan: Callable[..., RunPlan], tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("a")
    plan = make_plan([str(tmp_path / "a")], Workload("test", "cp {input} {output}", ("{stem}.out",)))
    pool = PoolOptions(kind="existing", pool_id=f"{plan.names.pool_id[:40]}-old", max_cost=5)
    options = scene.pool_options(pool.pool_id, target_dedicated_nodes=0, target_low_priority_nodes=1)
    table = tmp_path / "prices.json"
    table.write_text(DEAR.model_dump_json())
    dear = pool.model_copy(update={"prices": str(table)})
    with signed_in(account):
        batch_client().create_pool(options)
        try:
            assert kinds_of(pool) == [NodeKind("standard_d1_v2", dedicated=False)]
            with pytest.raises(PreFlightFailed, match="no price of a Spot standard_d1_v2"):
                pre_flight(plan, dear)
            pre_flight(plan, pool)
        finally:
            batch_client().begin_delete_pool(pool.pool_id, polling_interval=0)
