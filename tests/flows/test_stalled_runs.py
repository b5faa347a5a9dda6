"""A flow run on which nothing runs ends with the cause in its error, and with no node that bills.

The emulator's clock is a hundred times as fast, and so are the doctor's limits.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from azure.batch.models import BatchJobDisableOptions, DisableBatchJobOption
from prefect import flow

from batch_tasks.clients import batch_client
from batch_tasks.create_job import create_job
from batch_tasks.options import PoolOptions, RunOptions
from batch_tasks.patience import Patience
from batch_tasks.plan import RunPlan
from batch_tasks.poll_tasks import Rhythm, poll_tasks
from batch_tasks.progress import Progress, watching
from batch_tasks.stalls import Limits
from batch_tasks.unfinished import JobEnded, TasksFailed
from batch_tasks.workload import StartTask, Workload
from flows.local_stack.azurite import BlobAccount
from flows.pipeline import run_workload
from tests.conformance import scene
from tests.conformance.own_emulator import Control, running
from tests.signing import account_of, environment_of

pytestmark = pytest.mark.usefixtures("prefect_server")

OFTEN = Rhythm(shortest=0.05, longest=0.2)
LIMITS = Limits(
    settle=1.0, replacement=3.0, recovery=2.0, allocation=1.5, preempted=1.5, disabled=1.0, starting=20.0
)
SLEEP = Workload("stalled", "sleep 60; cp {input} {output}", ("{stem}.out",))


@pytest.fixture(scope="module")
def control(azurite: BlobAccount, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    """An emulator for these tests alone, in the environment as an account is."""
    # A task waits for a second, in which a fault strikes nodes that are idle.
    delays = tmp_path_factory.mktemp("emulator") / "delays.json"
    delays.write_text('{"restarting": 5, "scheduling": 100}')
    with (
        running("--time-scale", "100", "--delays", str(delays)) as batch,
        pytest.MonkeyPatch.context() as environment,
    ):
        for name, value in environment_of(account_of(azurite, batch)).items():
            environment.setenv(name, value)
        yield Control(batch.endpoint)


@pytest.fixture(autouse=True)
def _quick(control: Control, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("flows.pipeline.poll_tasks", lambda plan: poll_tasks(plan, OFTEN, OFTEN, LIMITS))
    yield
    control.clean()


@flow
def run_it(workload: Workload, source: str, options: RunOptions) -> None:
    run_workload(workload, [source], options)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., None]:
    """Runs a flow on two files, with a pool of these options."""
    (tmp_path / "in").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "in" / name).write_text(name)

    def made(workload: Workload = SLEEP, **pool: Any) -> None:
        asked = PoolOptions.model_validate({"dedicated_nodes": 2, "max_hours": 160, **pool})
        run_it(workload, str(tmp_path / "in"), RunOptions(output_dir=str(tmp_path / "out"), pool=asked))

    return made


def nothing_bills(control: Control) -> bool:
    """Whether no node is there and none may come."""
    state = control.ask("GET", "state").json()
    wanted = [pool for pool in state["pools"].values() if pool["state"] != "deleting"]
    return not wanted and all("leftTime" in stay for stay in state["stays"])


def the_error(run: Callable[..., None], control: Control, *workload: Workload, **pool: Any) -> str:
    """What ends the flow run, after which nothing bills."""
    with pytest.raises(TasksFailed) as error:
        run(*workload, **pool)
    scene.wait_for(lambda: nothing_bills(control))
    return str(error.value)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"name": "quota", "dedicated_cores": 0}, ["AccountCoreQuotaReached", "quota of the Batch account"]),
        ({"name": "resize_error", "code": "UnsupportedVMSize"}, ["Choose another VM size or image"]),
        ({"name": "resize_error", "code": "AllocationFailed"}, ["AllocationFailed", "short of this VM size"]),
        (
            {"name": "unusable", "code": "DiskFull", "message": "No room.", "count": 9, "again": 0.5},
            ["DiskFull: No room."],
        ),
    ],
)
def test_a_pool_that_cannot_work_is_in_the_flows_error(
    fault: dict[str, Any], told: list[str], run: Callable[..., None], control: Control
) -> None:
    control.fault(**fault)
    text = the_error(run, control)
    assert [words for words in told if words not in text] == []
    assert "2 of 2 files failed" in text


def test_the_stderr_of_a_start_task_is_in_the_flows_error(run: Callable[..., None], control: Control) -> None:
    broken = replace(SLEEP, start_task=StartTask("echo no such package >&2; exit 9", retries=0))
    text = the_error(run, control, broken)
    assert "The start task failed on all 2 nodes" in text
    assert "no such package" in text


def test_nodes_that_batch_has_lost_contact_with_are_in_the_flows_error(
    run: Callable[..., None], control: Control
) -> None:
    control.fault("contact_lost", count=9, again=0.1)
    assert "lost contact" in the_error(run, control)


def test_spot_nodes_that_are_all_taken_away_are_in_the_flows_error(
    run: Callable[..., None], control: Control
) -> None:
    control.fault("preempt", count=9, again=1)
    assert "Allow dedicated nodes" in the_error(run, control, dedicated_nodes=0, spot_nodes=2)


def once_it_runs(act: Callable[[str], None]) -> Callable[[Progress], None]:
    """Does something to the account's only job or pool as soon as a task of it runs."""
    done: list[str] = []

    def watch(progress: Progress) -> None:
        if progress.running and not done:
            (job,) = (job.id for job in batch_client().list_jobs() if job.state != "deleting")
            done.append(job)
            act(job)

    return watch


def test_a_job_that_somebody_disabled_is_in_the_flows_error(
    run: Callable[..., None], control: Control
) -> None:
    disable = BatchJobDisableOptions(disable_tasks=DisableBatchJobOption.REQUEUE)
    with watching(once_it_runs(lambda job: drop(batch_client().begin_disable_job(job, disable)))):
        assert "was disabled by somebody" in the_error(run, control)


def test_a_pool_that_somebody_deleted_is_in_the_flows_error(
    run: Callable[..., None], control: Control
) -> None:
    # The run's own pool is called like its job.
    with watching(once_it_runs(lambda job: drop(batch_client().begin_delete_pool(job)))):
        assert "was deleted while its tasks ran" in the_error(run, control)


def drop(_poller: object) -> None:
    """A request was made; nobody waits for its end."""


def test_a_full_quota_of_jobs_costs_no_node(
    run: Callable[..., None], control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    def briefly(plan: RunPlan, pool: Any) -> None:
        create_job(plan, pool, Patience(budget=1.0, first_wait=0.2))

    monkeypatch.setattr("flows.pipeline.create_job", briefly)
    control.fault("quota", jobs=0)
    before = len(control.events())
    with pytest.raises(JobEnded, match="may have no more active jobs"):
        run()
    assert "AddPool" not in {line["name"] for line in control.events()[before:]}
