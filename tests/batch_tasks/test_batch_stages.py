"""Pool, job, tasks, polling and clean-up, against the emulator; each stage also when it runs again."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from azure.batch.models import BatchPool, BatchPoolState
from azure.core.exceptions import ResourceNotFoundError

from batch_tasks.clean_up import delete_resources
from batch_tasks.clients import batch_client, blob_service, signed_in
from batch_tasks.create_containers import create_containers
from batch_tasks.create_job import create_job
from batch_tasks.errors import RunClosing, SubmitFailed
from batch_tasks.options import CleanUpPolicy, PoolOptions
from batch_tasks.patience import open_run
from batch_tasks.plan import RunPlan
from batch_tasks.poll_tasks import Rhythm, poll_tasks
from batch_tasks.progress import Progress, watching
from batch_tasks.provision_pool import provision_pool
from batch_tasks.report import RunReport
from batch_tasks.retrieve_outputs import retrieve_outputs
from batch_tasks.settings import Account
from batch_tasks.stalls import Limits
from batch_tasks.submit_tasks import submit_tasks, submitted_ids
from batch_tasks.unfinished import JobEnded, PoolUnusable, TimedOut
from batch_tasks.upload_inputs import upload_inputs
from batch_tasks.workload import StartTask, Workload

pytestmark = pytest.mark.waits(seconds=6)

MakePlan = Callable[..., RunPlan]
POOL = PoolOptions(dedicated_nodes=2, task_slots_per_node=4)
NOTHING = CleanUpPolicy(pool=False, job=False, input_container=False, output_container=False)
OFTEN = Rhythm(shortest=0.05, longest=0.2)


@pytest.fixture(autouse=True)
def _signed_in(account: Account) -> Iterator[None]:
    with signed_in(account):
        yield


@pytest.fixture
def run(tmp_path: Path, make_plan: MakePlan) -> Iterator[Callable[..., RunPlan]]:
    """Makes a plan over files of these contents; what it made is deleted after the test."""
    plans: list[RunPlan] = []

    def plan(contents: dict[str, str], command: str = "cp {input} {output}", **more: object) -> RunPlan:
        for name, text in contents.items():
            (tmp_path / "in").mkdir(exist_ok=True)
            (tmp_path / "in" / name).write_text(text)
        files_per_task = int(str(more.pop("files_per_task", 1)))
        workload = Workload(name="test", command=command, outputs=("{stem}_OUT{suffix}",))
        made = make_plan([str(tmp_path / "in")], replace(workload, **more), files_per_task)  # type: ignore[arg-type]
        plans.append(made)
        return made

    yield plan
    for made in plans:
        delete_resources(made.names, CleanUpPolicy())


def until_submitted(plan: RunPlan, pool: PoolOptions = POOL) -> None:
    create_containers.fn(plan.names, plan.metadata)
    provision_pool.fn(plan, pool)
    upload_inputs.fn(plan)
    create_job.fn(plan)
    submit_tasks.fn(plan)


def whole_run(plan: RunPlan, folder: Path) -> RunReport:
    until_submitted(plan)
    return retrieve_outputs.fn(plan, poll_tasks.fn(plan, OFTEN, OFTEN), str(folder))


AWKWARD = [
    "a b.txt",
    "it's.txt",
    '"q".txt',
    "#1.txt",
    "100%.txt",
    "-rf.txt",
    "$HOME.txt",
    "日本.txt",
    "new\nline.txt",
]


def test_files_of_any_name_go_through_all_stages(run: Callable[..., RunPlan], tmp_path: Path) -> None:
    plan = run({name: f"in {name}" for name in AWKWARD})
    seen: list[Progress] = []
    with watching(seen.append):
        report = whole_run(plan, tmp_path / "out")
    assert [(file.key, file.reason) for file in report.failed] == []
    for file in plan.files:
        assert (tmp_path / "out" / file.outputs[0].path).read_text() == f"in {file.input.key}"
    assert {step.phase for step in seen} == {
        "upload-inputs",
        "submit-tasks",
        "poll-tasks",
        "retrieve-outputs",
    }
    assert all(file.node_id and file.exit_code == 0 and file.seconds is not None for file in report.files)


def test_every_stage_can_run_twice_and_finds_its_first_try(
    run: Callable[..., RunPlan], tmp_path: Path
) -> None:
    plan = run({"a.txt": "x"})
    until_submitted(plan)
    until_submitted(plan)
    assert len(poll_tasks.fn(plan, OFTEN, OFTEN)) == 1
    assert submit_tasks.fn(plan) == 1
    report = retrieve_outputs.fn(plan, poll_tasks.fn(plan, OFTEN, OFTEN), str(tmp_path))
    assert report.failed == ()


def test_a_failing_file_is_named_with_its_exit_code_and_last_words(
    run: Callable[..., RunPlan], tmp_path: Path
) -> None:
    command = "if grep -q bad {input}; then echo it is bad >&2; exit 7; fi; cp {input} {output}"
    report = whole_run(run({"a.txt": "good", "b.txt": "bad"}, command), tmp_path)
    (failed,) = report.failed
    assert (failed.key, failed.exit_code, failed.reason) == ("b.txt", 7, "exit code 7")
    assert "it is bad" in failed.stderr_tail
    assert (tmp_path / "a_OUT.txt").read_text() == "good"


def test_a_bad_file_costs_its_neighbours_in_a_task_nothing(
    run: Callable[..., RunPlan], tmp_path: Path
) -> None:
    command = "grep -q bad {input} && exit 7; cp {input} {output}"
    contents = {f"{number}.txt": "bad" if number == 4 else "good" for number in range(10)}
    plan = run(contents, command, files_per_task=4)
    report = whole_run(plan, tmp_path)
    assert len(plan.tasks) == 3
    assert [(file.key, file.exit_code) for file in report.failed] == [("4.txt", 7)]
    assert len(report.succeeded) == 9


def test_hundreds_of_tasks_are_submitted_in_several_requests_each_once(run: Callable[..., RunPlan]) -> None:
    plan = run({f"{number}.txt": "x" for number in range(230)}, "sleep 60")
    create_containers.fn(plan.names, plan.metadata)
    create_job.fn(plan)
    assert submit_tasks.fn(plan) == 230
    assert submitted_ids(plan.names.job_id) == {task.task_id.lower() for task in plan.tasks}


def test_tasks_are_not_submitted_to_a_job_that_ended(run: Callable[..., RunPlan]) -> None:
    plan = run({"a.txt": "x"})
    create_containers.fn(plan.names, plan.metadata)
    create_job.fn(plan)
    delete_resources(plan.names, NOTHING)
    with pytest.raises(SubmitFailed, match="takes no more tasks"):
        submit_tasks.fn(plan)


def test_a_job_that_ended_with_all_its_tasks_needs_no_second_one(
    run: Callable[..., RunPlan], tmp_path: Path
) -> None:
    plan = run({"a.txt": "x"})
    whole_run(plan, tmp_path)
    made = batch_client().get_job(plan.names.job_id).creation_time
    assert whole_run(plan, tmp_path).failed == ()
    assert batch_client().get_job(plan.names.job_id).creation_time == made


def test_a_job_that_was_ended_before_its_tasks_were_in_is_made_anew(
    run: Callable[..., RunPlan], tmp_path: Path
) -> None:
    plan = run({"a.txt": "x"})
    create_containers.fn(plan.names, plan.metadata)
    create_job.fn(plan)
    delete_resources(plan.names, NOTHING)
    assert whole_run(plan, tmp_path).failed == ()


def test_a_deleted_job_ends_the_wait(run: Callable[..., RunPlan]) -> None:
    plan = run({"a.txt": "x"}, "sleep 60")
    until_submitted(plan)
    delete_resources(plan.names, CleanUpPolicy())
    with pytest.raises((JobEnded, PoolUnusable), match=r"deleted|ended"):
        poll_tasks.fn(plan, OFTEN, OFTEN)


def test_a_deleted_pool_ends_the_wait_with_what_was_done(run: Callable[..., RunPlan]) -> None:
    plan = run({"a.txt": "x"}, "sleep 60")
    until_submitted(plan)
    batch_client().begin_delete_pool(plan.names.pool_id, polling_interval=0).wait()
    with pytest.raises(PoolUnusable, match="was deleted while its tasks ran"):
        poll_tasks.fn(plan, OFTEN, OFTEN)


def test_a_run_past_its_time_says_what_is_not_done(run: Callable[..., RunPlan]) -> None:
    plan = run({"a.txt": "x"}, "sleep 60")
    until_submitted(plan)
    over = replace(plan, expires=plan.created - timedelta(seconds=1))
    with pytest.raises(TimedOut, match=r"1 files are not done: a\.txt"):
        poll_tasks.fn(over, OFTEN, OFTEN)


def test_a_failing_start_task_ends_the_wait_with_its_stderr(run: Callable[..., RunPlan]) -> None:
    plan = run({"a.txt": "x"}, start_task=StartTask("echo no such package >&2; exit 9", retries=0))
    until_submitted(plan)
    with pytest.raises(PoolUnusable, match=r"(?s)start task failed on the only node.*no such package"):
        poll_tasks.fn(plan, OFTEN, OFTEN, Limits(settle=1))


def test_no_pool_is_made_for_a_run_that_is_closing(run: Callable[..., RunPlan]) -> None:
    plan = run({"a.txt": "x"})
    with open_run() as closing:
        closing.set()
        with pytest.raises(RunClosing):
            provision_pool.fn(plan, POOL)
    with pytest.raises(ResourceNotFoundError):
        batch_client().get_pool(plan.names.pool_id)


def test_clean_up_leaves_nothing_and_can_run_twice(run: Callable[..., RunPlan], tmp_path: Path) -> None:
    plan = run({"a.txt": "x"}, "sleep 60")
    until_submitted(plan)
    for _ in range(2):
        delete_resources(plan.names, CleanUpPolicy())
    containers = [container.name for container in blob_service().list_containers(name_starts_with="test-")]
    assert plan.names.input_container not in containers
    assert plan.names.output_container not in containers
    assert all(pool.state == BatchPoolState.DELETING for pool in _pools_of(plan))


def test_a_kept_job_is_ended_and_a_kept_pool_stays(run: Callable[..., RunPlan]) -> None:
    plan = run({"a.txt": "x"}, "sleep 60")
    until_submitted(plan)
    delete_resources(plan.names, CleanUpPolicy(job=False, pool=False))
    assert batch_client().get_pool(plan.names.pool_id).state == BatchPoolState.ACTIVE
    assert batch_client().get_job(plan.names.job_id).state in {"terminating", "completed"}


def _pools_of(plan: RunPlan) -> list[BatchPool]:
    return [pool for pool in batch_client().list_pools() if pool.id == plan.names.pool_id]
