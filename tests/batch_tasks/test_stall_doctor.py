"""Each cause why nothing runs, made by the emulator's faults: told with its evidence, and the run ends.

The emulator's clock is a hundred times as fast, and so are the doctor's limits.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.batch.models import BatchJobDisableOptions, DisableBatchJobOption

from batch_tasks.clean_up import delete_resources
from batch_tasks.clients import batch_client, signed_in
from batch_tasks.create_containers import create_containers
from batch_tasks.create_job import create_job
from batch_tasks.options import CleanUpPolicy, PoolOptions
from batch_tasks.plan import RunPlan
from batch_tasks.poll_tasks import Rhythm, poll_tasks
from batch_tasks.provision_pool import provision_pool
from batch_tasks.stalls import Limits
from batch_tasks.submit_tasks import submit_tasks
from batch_tasks.unfinished import PoolUnusable
from batch_tasks.upload_inputs import upload_inputs
from batch_tasks.workload import StartTask, Workload
from flows.local_stack.azurite import BlobAccount
from tests.conformance.own_emulator import Control, running
from tests.signing import account_of

pytestmark = pytest.mark.waits(seconds=20)

MakePlan = Callable[..., RunPlan]
OFTEN = Rhythm(shortest=0.1, longest=0.3)
LIMITS = Limits(
    settle=1.0,
    replacement=9.0,
    recovery=2.0,
    allocation=1.5,
    preempted=1.5,
    disabled=1.0,
    starting=20.0,
    idle=10.0,
)
POOL = PoolOptions(dedicated_nodes=2)
DELAYS = '{"restarting": 5}'


@pytest.fixture(scope="module")
def control(azurite: BlobAccount, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    """An emulator that the doctor's tests have to themselves; signed in to it."""
    delays = tmp_path_factory.mktemp("emulator") / "delays.json"
    delays.write_text(DELAYS)
    with (
        running("--time-scale", "100", "--delays", str(delays)) as batch,
        signed_in(account_of(azurite, batch)),
    ):
        yield Control(batch.endpoint)


@pytest.fixture(autouse=True)
def _kind_again(control: Control) -> Iterator[None]:
    yield
    control.clean()


@pytest.fixture
def submitted(tmp_path: Path, make_plan: MakePlan) -> Iterator[Callable[..., RunPlan]]:
    """Submits a run of two files; what it made is deleted after the test."""
    plans: list[RunPlan] = []

    def submit(pool: PoolOptions = POOL, command: str = "cp {input} {output}", **more: object) -> RunPlan:
        (tmp_path / "in").mkdir(exist_ok=True)
        for name in ("a.txt", "b.txt"):
            (tmp_path / "in" / name).write_text(name)
        workload = replace(Workload("test", command, ("{stem}_OUT{suffix}",)), **more)  # type: ignore[arg-type]
        plan = make_plan([str(tmp_path / "in")], workload)
        # Signatures must last on the emulator's fast clock, too; Entra ID's last for seven days at most.
        plan = replace(plan, expires=datetime.now(UTC) + timedelta(days=6))
        plans.append(plan)
        create_containers.fn(plan.names, plan.metadata)
        made = provision_pool.fn(plan, pool)
        upload_inputs.fn(plan)
        create_job.fn(plan, made)
        submit_tasks.fn(plan)
        return plan

    yield submit
    for plan in plans:
        delete_resources(plan.names, CleanUpPolicy())


def stopped(plan: RunPlan, limits: Limits = LIMITS) -> str:
    """What ends the run."""
    with pytest.raises(PoolUnusable) as error:
        poll_tasks.fn(plan, OFTEN, OFTEN, limits)
    return str(error.value)


@pytest.fixture
def happened(control: Control) -> Callable[[str], int]:
    """How often an event of this name came since the test began."""
    before = len(control.events())
    return lambda event: sum(line["name"] == event for line in control.events()[before:])


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("AccountCoreQuotaReached", "quota of the Batch account raised"),
        ("UnsupportedVMSize", "Choose another VM size or image"),
        ("AllocationFailed", "Azure may be short of this VM size"),
    ],
)
def test_a_pool_without_nodes_says_why(
    code: str, told: str, control: Control, submitted: Callable[..., RunPlan]
) -> None:
    control.fault("resize_error", code=code, message="No luck.")
    text = stopped(submitted())
    assert f"{code}: No luck." in text
    assert told in text


def test_a_quota_too_small_says_so(control: Control, submitted: Callable[..., RunPlan]) -> None:
    control.fault("quota", dedicated_cores=0)
    assert "AccountCoreQuotaReached" in stopped(submitted())


def test_a_start_task_that_never_works_ends_the_run_with_its_stderr(
    control: Control, submitted: Callable[..., RunPlan], happened: Callable[[str], int]
) -> None:
    plan = submitted(start_task=StartTask("echo no such package >&2; exit 9", retries=0))
    text = stopped(plan)
    assert "The start task failed on" in text
    assert "no such package" in text
    assert "all 2 nodes" in text
    assert (happened("RestartNode"), happened("RemoveNodes")) == (2, 0)


def test_what_a_start_task_wrote_is_read_before_its_node_is_rebooted_however_long_that_takes(
    control: Control, submitted: Callable[..., RunPlan]
) -> None:
    busy = control.fault("server_busy", operation="download_node_file", next=5)
    text = stopped(submitted(start_task=StartTask("echo no such package >&2; exit 9", retries=0)))
    assert "no such package" in text
    assert control.struck(busy) == 5


def test_a_node_that_cannot_be_read_is_treated_all_the_same(
    control: Control, submitted: Callable[..., RunPlan], happened: Callable[[str], int]
) -> None:
    control.fault("denied", operation="download_node_file")
    assert "The start task failed on" in stopped(submitted(start_task=StartTask("exit 9", retries=0)))
    assert happened("RestartNode") == 2


def test_a_reboot_that_batch_refuses_is_asked_for_again(
    control: Control, submitted: Callable[..., RunPlan], happened: Callable[[str], int]
) -> None:
    refused = control.fault("denied", operation="reboot_node", next=2)
    text = stopped(submitted(start_task=StartTask("exit 9", retries=0)))
    assert "The start task failed on" in text
    assert control.struck(refused) == 2
    assert happened("RestartNode") == 2


def test_the_nodes_of_a_pool_that_batch_made_for_the_job_are_treated_as_the_runs_own(
    control: Control, submitted: Callable[..., RunPlan], happened: Callable[[str], int]
) -> None:
    auto = PoolOptions(kind="auto", dedicated_nodes=2)
    text = stopped(submitted(auto, start_task=StartTask("echo no luck >&2; exit 9", retries=0)))
    assert "no luck" in text
    assert happened("RestartNode") == 2


def test_nodes_that_batch_cannot_get_are_told_though_the_run_goes_on(
    control: Control, submitted: Callable[..., RunPlan], caplog: pytest.LogCaptureFixture
) -> None:
    control.fault("quota", dedicated_cores=2)  # one node of the two
    plan = submitted(command="sleep 1; cp {input} {output}")
    assert [task.succeeded for task in poll_tasks.fn(plan, OFTEN, OFTEN, LIMITS)] == [True, True]
    told = [text for text in caplog.messages if "has 1 of 2 dedicated and 0 of 0 Spot nodes" in text]
    assert len(told) == 1
    assert "AccountCoreQuotaReached" in told[0]


def test_a_healthy_start_is_no_news(
    control: Control, submitted: Callable[..., RunPlan], caplog: pytest.LogCaptureFixture
) -> None:
    plan = submitted(start_task=StartTask("sleep 1"))
    assert [task.succeeded for task in poll_tasks.fn(plan, OFTEN, OFTEN, LIMITS)] == [True, True]
    assert [one.getMessage() for one in caplog.records if one.levelname == "WARNING"] == []


def test_nodes_that_became_unusable_are_rebooted_and_the_run_goes_on(
    control: Control, submitted: Callable[..., RunPlan]
) -> None:
    plan = submitted(command="sleep 1; cp {input} {output}")
    control.fault("unusable", code="DiskFull", message="No room.", count=2, at=20, next=1)
    assert [task.succeeded for task in poll_tasks.fn(plan, OFTEN, OFTEN, LIMITS)] == [True, True]


def test_nodes_that_stay_unusable_are_replaced_and_then_end_the_run(
    control: Control, submitted: Callable[..., RunPlan]
) -> None:
    plan = submitted(command="sleep 60")
    control.fault("unusable", code="DiskFull", message="No room.", count=9, again=0.5)
    text = stopped(plan)
    assert "unusable" in text  # in the verdict, or as what was seen before the last node was replaced
    assert "DiskFull: No room." in text


def test_a_disabled_job_says_so(control: Control, submitted: Callable[..., RunPlan]) -> None:
    plan = submitted(command="sleep 60")
    disable = BatchJobDisableOptions(disable_tasks=DisableBatchJobOption.REQUEUE)
    batch_client().begin_disable_job(plan.names.job_id, disable, polling_interval=1)
    assert f"The job {plan.names.job_id} was disabled by somebody" in stopped(plan)


def test_a_pool_that_somebody_deleted_says_so(submitted: Callable[..., RunPlan]) -> None:
    plan = submitted(command="sleep 60")
    batch_client().begin_delete_pool(plan.names.pool_id, polling_interval=0).wait()
    assert "was deleted while its tasks ran" in stopped(plan)


def test_spot_nodes_that_are_all_taken_away_say_so(
    control: Control, submitted: Callable[..., RunPlan]
) -> None:
    plan = submitted(PoolOptions(dedicated_nodes=0, spot_nodes=2), command="sleep 60")
    control.fault("preempt", count=9, again=1)
    assert "2 preempted. Allow dedicated nodes" in stopped(plan)


def test_spot_nodes_that_come_back_finish_the_run(
    control: Control, submitted: Callable[..., RunPlan]
) -> None:
    plan = submitted(PoolOptions(dedicated_nodes=0, spot_nodes=2), command="sleep 1; cp {input} {output}")
    control.fault("preempt", count=9, at=10, restore=20, next=1)
    assert [task.succeeded for task in poll_tasks.fn(plan, OFTEN, OFTEN, LIMITS)] == [True, True]
