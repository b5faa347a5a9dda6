"""A retry does only what is missing: whatever state an earlier attempt of the run left things in."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from azure.core.exceptions import ResourceNotFoundError

from batch_tasks.clean_up import delete_resources
from batch_tasks.clients import batch_client, blob_service, signed_in
from batch_tasks.create_containers import create_containers
from batch_tasks.create_job import create_job
from batch_tasks.earlier_work import EarlierWork
from batch_tasks.find_earlier_work import find_earlier_work
from batch_tasks.keep_report import keep_report, own_folder
from batch_tasks.options import CleanUpPolicy, PoolOptions
from batch_tasks.plan import RunPlan, plan_tasks
from batch_tasks.poll_tasks import Rhythm, poll_tasks
from batch_tasks.provision_pool import provision_pool
from batch_tasks.report import RunReport
from batch_tasks.retrieve_outputs import retrieve_outputs
from batch_tasks.settings import Account
from batch_tasks.submit_tasks import submit_tasks
from batch_tasks.upload_inputs import upload_inputs
from batch_tasks.verified_outputs import VerifiedOutputs
from batch_tasks.workload import Merge, Workload
from tests.flows.processes import eventually

MakePlan = Callable[..., RunPlan]
POOL = PoolOptions(dedicated_nodes=1, task_slots_per_node=4)
OFTEN = Rhythm(shortest=0.05, longest=0.2)
KEEP_OUTPUTS = CleanUpPolicy(output_container=False)
# Fails for the file "b" as long as there is a stone; the stone lies on this machine, as do the nodes.
COMMAND = "[ {name} != b -o ! -e '%s' ] || exit 7; cp {input} {output}"


@pytest.fixture(autouse=True)
def _signed_in(account: Account) -> Iterator[None]:
    with signed_in(account):
        yield


@pytest.fixture
def stone(tmp_path: Path) -> Path:
    return tmp_path / "stone"


@pytest.fixture
def run(tmp_path: Path, make_plan: MakePlan, stone: Path) -> Iterator[Callable[..., RunPlan]]:
    """Makes a plan over the files a, b and c; what it made is deleted after the test."""
    plans: list[RunPlan] = []

    def plan(files_per_task: int = 1, command: str = COMMAND % stone) -> RunPlan:
        (tmp_path / "in").mkdir()
        for name in "abc":
            (tmp_path / "in" / name).write_text(name)
        workload = Workload(name="test", command=command, outputs=("{stem}.out",))
        plans.append(make_plan([str(tmp_path / "in")], workload, files_per_task))
        return plans[-1]

    yield plan
    for made in plans:
        delete_resources(made.names, CleanUpPolicy())


def submitted(plan: RunPlan) -> None:
    create_containers.fn(plan.names, plan.metadata)
    provision_pool.fn(plan, POOL)
    upload_inputs.fn(plan)
    create_job.fn(plan)
    submit_tasks.fn(plan)


def attempt(plan: RunPlan, folder: Path) -> tuple[EarlierWork, RunReport]:
    """One attempt of the run, up to its report."""
    earlier = find_earlier_work.fn(plan, str(folder))
    finished = []
    create_containers.fn(plan.names, earlier.rest.metadata)
    if earlier.rest.tasks:
        submitted(earlier.rest)
        finished = poll_tasks.fn(earlier.rest, OFTEN, OFTEN)
    report = retrieve_outputs.fn(plan, finished, str(folder), earlier)
    VerifiedOutputs(own_folder(plan, str(folder))).forget()
    return earlier, report


def job_is_gone(plan: RunPlan) -> bool:
    return plan.names.job_id not in [job.id for job in batch_client().list_jobs()]


def keys(earlier: EarlierWork) -> list[str]:
    return [file.input.key for file in earlier.rest.files]


def test_a_first_attempt_finds_nothing_and_makes_nothing(run: Callable[..., RunPlan], tmp_path: Path) -> None:
    plan = run()
    earlier = find_earlier_work.fn(plan, str(tmp_path))
    assert (keys(earlier), earlier.done, earlier.rest.expires) == (["a", "b", "c"], {}, plan.expires)
    with pytest.raises(ResourceNotFoundError):
        batch_client().get_job(plan.names.job_id)


def test_an_active_job_is_waited_on_within_its_own_time(run: Callable[..., RunPlan], tmp_path: Path) -> None:
    plan = run(command="sleep 60")
    submitted(plan)
    later = replace(
        plan, created=plan.created + timedelta(minutes=1), expires=plan.expires + timedelta(minutes=1)
    )
    earlier = find_earlier_work.fn(later, str(tmp_path))
    assert (keys(earlier), earlier.rest.expires) == (["a", "b", "c"], plan.expires)
    before = batch_client().get_job(plan.names.job_id).creation_time
    submitted(earlier.rest)
    assert batch_client().get_job(plan.names.job_id).creation_time == before
    assert len(list(batch_client().list_tasks(plan.names.job_id))) == 3


def test_what_is_left_tells_when_the_first_attempt_began(run: Callable[..., RunPlan], tmp_path: Path) -> None:
    plan = run(command="sleep 60")
    assert find_earlier_work.fn(plan, str(tmp_path)).began is None
    submitted(plan)
    second = replace(plan, created=plan.created + timedelta(hours=1))
    assert find_earlier_work.fn(second, str(tmp_path)).began == plan.created
    create_containers.fn(second.names, second.metadata)
    delete_resources(plan.names, CleanUpPolicy(pool=False, input_container=False, output_container=False))
    third = replace(plan, created=plan.created + timedelta(hours=2))
    assert find_earlier_work.fn(third, str(tmp_path)).began == plan.created


def test_an_active_job_with_too_little_time_left_is_made_anew(
    run: Callable[..., RunPlan], tmp_path: Path
) -> None:
    plan = run(command="sleep 60")
    submitted(plan)
    later = replace(plan, expires=plan.expires + timedelta(hours=5))
    assert find_earlier_work.fn(later, str(tmp_path)).rest.expires == later.expires
    eventually(lambda: job_is_gone(plan), "the job is deleted")


def test_of_a_job_that_ended_only_what_failed_is_run_again(
    run: Callable[..., RunPlan], tmp_path: Path, stone: Path
) -> None:
    plan = run()
    stone.touch()
    _, report = attempt(plan, tmp_path / "out")
    assert [file.key for file in report.failed] == ["b"]
    stone.unlink()
    earlier, report = attempt(plan, tmp_path / "elsewhere")
    assert (keys(earlier), set(earlier.done)) == (["b"], {"a", "c"})
    assert [file.key for file in report.succeeded] == ["a", "b", "c"]
    assert {path.name for path in (tmp_path / "elsewhere").iterdir()} == {"a.out", "b.out", "c.out"}
    assert [task.id for task in batch_client().list_tasks(plan.names.job_id)] == [plan.tasks[1].task_id]


def test_of_a_task_of_several_files_only_those_that_failed_are_run_again(
    run: Callable[..., RunPlan], tmp_path: Path, stone: Path
) -> None:
    plan = run(files_per_task=3)
    stone.touch()
    attempt(plan, tmp_path / "out")
    stone.unlink()
    earlier, report = attempt(plan, tmp_path / "out")
    assert keys(earlier) == ["b"]
    assert [file.key for file in report.succeeded] == ["a", "b", "c"]
    last = find_earlier_work.fn(plan, str(tmp_path))
    assert (keys(last), set(last.done)) == ([], {"a", "b", "c"})


def test_a_clean_up_that_kept_the_outputs_leaves_nothing_to_compute(
    run: Callable[..., RunPlan], tmp_path: Path
) -> None:
    plan = run()
    attempt(plan, tmp_path / "out")
    delete_resources(plan.names, KEEP_OUTPUTS)
    earlier, report = attempt(plan, tmp_path / "elsewhere")
    assert keys(earlier) == []
    assert [file.key for file in report.succeeded] == ["a", "b", "c"]


def test_outputs_on_disk_that_are_as_this_run_reported_them_are_not_computed_again(
    run: Callable[..., RunPlan], tmp_path: Path
) -> None:
    plan = run()
    folder = tmp_path / "out"
    _, report = attempt(plan, folder)
    keep_report(plan, report, in_storage=False)
    keep_report(replace(plan, names=replace(plan.names, run="e" * 32)), report, in_storage=False)
    delete_resources(plan.names, CleanUpPolicy())
    (folder / "c.out").write_text("changed")
    earlier = find_earlier_work.fn(plan, str(folder))
    assert (keys(earlier), set(earlier.done)) == (["c"], {"a", "b"})
    other = replace(plan, names=replace(plan.names, run="f" * 32))
    assert keys(find_earlier_work.fn(other, str(folder))) == ["a", "b", "c"]


def test_outputs_that_came_down_before_the_run_was_killed_are_not_computed_again(
    run: Callable[..., RunPlan], tmp_path: Path
) -> None:
    plan = run()
    folder = tmp_path / "out"
    submitted(plan)
    finished = poll_tasks.fn(plan, OFTEN, OFTEN)
    blob_service().get_blob_client(
        plan.names.output_container, plan.tasks[1].files[0].outputs[0].blob
    ).delete_blob()
    retrieve_outputs.fn(plan, finished, str(folder))  # and here it is killed: nobody writes a results.json
    with (folder / ".runs" / plan.names.flow_run_id / "verified.jsonl").open("a") as lines:
        lines.write('{"input": "b", "outp')
    delete_resources(plan.names, CleanUpPolicy())
    earlier = find_earlier_work.fn(plan, str(folder))
    assert (keys(earlier), set(earlier.done)) == (["b"], {"a", "c"})
    (folder / "c.out").write_text("changed")
    assert keys(find_earlier_work.fn(plan, str(folder))) == ["b", "c"]
    other = replace(plan, names=replace(plan.names, run="f" * 32))
    assert keys(find_earlier_work.fn(other, str(folder))) == ["a", "b", "c"]
    VerifiedOutputs(own_folder(plan, str(folder))).forget()
    assert {path.name for path in folder.iterdir()} == {"a.out", "c.out"}


@pytest.mark.parametrize("text", ["", "[]", '{"flow_run_id": "%s"}', '{"flow_run_id": "%s", "files": [1]}'])
def test_a_results_file_that_tells_nothing_is_no_evidence(
    run: Callable[..., RunPlan], tmp_path: Path, text: str
) -> None:
    plan = run()
    own = own_folder(plan, str(tmp_path))
    own.mkdir(parents=True)
    (own / "results.json").write_text(text.replace("%s", plan.names.flow_run_id))
    assert keys(find_earlier_work.fn(plan, str(tmp_path))) == ["a", "b", "c"]


def test_an_active_job_whose_outputs_were_taken_away_is_made_anew(
    run: Callable[..., RunPlan], tmp_path: Path
) -> None:
    plan = run(command="case {name} in a) cp {input} {output};; *) sleep 60;; esac")
    submitted(plan)
    counts = batch_client().get_job_task_counts
    eventually(lambda: counts(plan.names.job_id).task_counts.succeeded == 1, "a is done")
    blob_service().delete_container(plan.names.output_container)
    assert keys(find_earlier_work.fn(plan, str(tmp_path))) == ["a", "b", "c"]
    eventually(lambda: job_is_gone(plan), "the job is deleted")


def test_a_job_that_lost_its_pool_goes_on_in_a_new_one(run: Callable[..., RunPlan], tmp_path: Path) -> None:
    plan = run()
    create_containers.fn(plan.names, plan.metadata)
    upload_inputs.fn(plan)
    create_job.fn(plan)
    submit_tasks.fn(plan)
    earlier, report = attempt(plan, tmp_path / "out")
    assert keys(earlier) == ["a", "b", "c"]
    assert report.failed == ()


def test_containers_found_again_say_until_when_this_attempt_may_take(run: Callable[..., RunPlan]) -> None:
    plan = run()
    create_containers.fn(plan.names, plan.metadata)
    later = replace(plan, expires=plan.expires + timedelta(hours=3))
    create_containers.fn(later.names, later.metadata)
    container = blob_service().get_container_client(plan.names.output_container)
    assert container.get_container_properties().metadata == dict(later.metadata)


def test_what_a_merge_needs_is_not_computed_again(
    run: Callable[..., RunPlan], tmp_path: Path, stone: Path
) -> None:
    plan = with_merge(run())
    stone.touch()
    _, report = attempt(plan, tmp_path / "out")
    assert [file.key for file in report.failed] == ["b"]
    stone.unlink()
    earlier, report = attempt(plan, tmp_path / "out")
    assert keys(earlier) == ["b"]
    assert earlier.rest.merge is not None
    assert earlier.rest.merge.after == (plan.tasks[1].task_id,)
    assert report.failed == ()
    assert (tmp_path / "out" / "ALL").read_text() == "abc"


def test_a_merge_that_is_done_is_not_done_again(run: Callable[..., RunPlan], tmp_path: Path) -> None:
    plan = with_merge(run())
    attempt(plan, tmp_path / "out")
    earlier, report = attempt(plan, tmp_path / "elsewhere")
    assert (len(earlier.rest.tasks), len(earlier.done)) == (0, 4)
    assert report.merged is not None
    assert (tmp_path / "elsewhere" / "ALL").read_text() == "abc"


def test_failures_in_a_job_that_nobody_waits_for_any_more_are_run_again(
    run: Callable[..., RunPlan], tmp_path: Path, stone: Path
) -> None:
    plan = run()
    stone.touch()
    submitted(plan)
    eventually(
        lambda: batch_client().get_job_task_counts(plan.names.job_id).task_counts.completed == 3, "all ended"
    )
    stone.unlink()
    earlier, report = attempt(plan, tmp_path / "out")
    assert keys(earlier) == ["b"]
    assert report.failed == ()


def with_merge(plan: RunPlan) -> RunPlan:
    """The same plan, which also puts the three files together."""
    merge = Merge(
        ".part", "cat \"$TASK_FILES_DIR\"/parts/* | fold -w1 | sort | tr -d '\\n' > {output}", ("ALL",)
    )
    workload = replace(plan.workload, command=f"{plan.workload.command}; cp {{input}} {{part}}", merge=merge)
    return replace(plan, workload=workload, tasks=plan_tasks(workload, [file.input for file in plan.files]))
