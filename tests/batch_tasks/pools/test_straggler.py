"""A task that takes much longer than all others keeps its own node, and no other.

The emulator's clock is moved by the test, so that hours pass in a moment.
"""

from collections.abc import Callable
from pathlib import Path

from azure.batch.models import BatchTaskCreateOptions

from batch_tasks.clients import batch_client, signed_in
from batch_tasks.create_job import create_job
from batch_tasks.options import PoolOptions
from batch_tasks.plan import RunPlan
from batch_tasks.pools.scaling import EVALUATION, STARTUP
from batch_tasks.provision_pool import provision_pool
from flows.local_stack.azurite import BlobAccount
from tests.conformance.own_emulator import Control, running
from tests.signing import account_of


def test_nodes_without_work_leave_while_one_task_goes_on(
    azurite: BlobAccount, tmp_path: Path, make_plan: Callable[..., RunPlan]
) -> None:
    for number in range(4):
        (tmp_path / str(number)).write_text("x")
    plan = make_plan([str(tmp_path)])
    with (
        running("--time", "stepped", "--delays", "azure", "--simulate") as batch,
        signed_in(account_of(azurite, batch)),
    ):
        control, job = Control(batch.endpoint), plan.names.job_id
        create_job.fn(plan, provision_pool.fn(plan, PoolOptions(dedicated_nodes=4)))
        for task, lasts in zip(plan.tasks, ("40m", "1m", "1m", "1m"), strict=True):
            batch_client().create_task(
                job, BatchTaskCreateOptions(id=task.task_id, command_line=f"simulate {lasts}")
            )
        control.advance((STARTUP + EVALUATION).total_seconds())
        assert len(list(batch_client().list_nodes(plan.names.pool_id))) == 1
        straggler = batch_client().get_task(job, plan.tasks[0].task_id)
        assert straggler.state == "running"
        control.advance(900)
        ended = batch_client().get_task(job, plan.tasks[0].task_id)
        assert ended.execution_info is not None
        assert (ended.state, ended.execution_info.exit_code, ended.execution_info.requeue_count) == (
            "completed",
            0,
            0,
        )
