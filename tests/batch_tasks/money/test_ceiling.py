"""A run that has cost what it may: it stops, keeps what is done, and names what is not."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from batch_tasks.clean_up import delete_resources
from batch_tasks.clients import signed_in
from batch_tasks.create_containers import create_containers
from batch_tasks.create_job import create_job
from batch_tasks.errors import TooExpensive
from batch_tasks.money.prices import NodePrice, PriceTable
from batch_tasks.money.spending import Spending, metered
from batch_tasks.options import CleanUpPolicy, PoolOptions
from batch_tasks.plan import RunPlan
from batch_tasks.poll_tasks import Rhythm, poll_tasks
from batch_tasks.provision_pool import provision_pool
from batch_tasks.retrieve_outputs import retrieve_outputs
from batch_tasks.settings import Account
from batch_tasks.submit_tasks import submit_tasks
from batch_tasks.upload_inputs import upload_inputs
from batch_tasks.workload import Workload

OFTEN = Rhythm(shortest=0.05, longest=0.2)
DEAR = PriceTable(
    date=date(2026, 1, 1),
    region="nowhere",
    currency="EUR",
    source="a second of a node costs one",
    per_hour={"standard_d2s_v5": NodePrice(dedicated=3600)},
)


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
    assert (spending.spent().amount or 0) >= 8
