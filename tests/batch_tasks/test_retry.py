"""Failed files are tried again as new tasks, by whose fault it was; preempted ones end on dedicated nodes."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from batch_tasks.clean_up import delete_resources
from batch_tasks.clients import batch_client, signed_in
from batch_tasks.create_containers import create_containers
from batch_tasks.create_job import create_job
from batch_tasks.options import CleanUpPolicy, PoolOptions, RetryOptions
from batch_tasks.plan import RunPlan
from batch_tasks.poll_tasks import Rhythm, poll_tasks
from batch_tasks.provision_pool import provision_pool
from batch_tasks.report import RunReport
from batch_tasks.retrieve_outputs import retrieve_outputs
from batch_tasks.submit_tasks import submit_tasks
from batch_tasks.upload_inputs import upload_inputs
from batch_tasks.workload import Merge, Workload
from flows.local_stack.azurite import BlobAccount
from tests.conformance.own_emulator import Control, running
from tests.signing import account_of

MakePlan = Callable[..., RunPlan]
OFTEN = Rhythm(shortest=0.02, longest=0.05)
SELDOM = Rhythm(shortest=0.1, longest=0.3)
POOL = PoolOptions(dedicated_nodes=2, task_slots_per_node=4)
COUNTED = 'n=$(cat "%s/{stem}" 2>/dev/null || echo 0); echo $((n + 1)) > "%s/{stem}"; '
"""Counts, on this machine, how often the command ran for a file."""


@pytest.fixture(scope="module")
def control(azurite: BlobAccount) -> Iterator[Control]:
    """An emulator of these tests' own, whose faults strike no other's tasks; signed in to it."""
    with running() as batch, signed_in(account_of(azurite, batch)):
        yield Control(batch.endpoint)


@pytest.fixture(autouse=True)
def _kind_again(control: Control) -> Iterator[None]:
    yield
    control.clean()


@pytest.fixture
def planned(tmp_path: Path, make_plan: MakePlan) -> Iterator[Callable[..., RunPlan]]:
    """Makes a plan over files of these names; what it made is deleted after the test."""
    plans: list[RunPlan] = []

    def plan(
        names: str, command: str, files_per_task: int = 1, merge: Merge | None = None, **retry: object
    ) -> RunPlan:
        for folder in ("in", "ran"):
            (tmp_path / folder).mkdir(exist_ok=True)
        for name in names:
            (tmp_path / "in" / name).write_text(name)
        counted = COUNTED.replace("%s", str(tmp_path / "ran")).replace('"', "")
        workload = Workload("test", counted + command, ("{stem}.out",), merge=merge)
        made = make_plan([str(tmp_path / "in")], workload, files_per_task)
        plans.append(replace(made, retry=RetryOptions.model_validate(retry)))
        return plans[-1]

    yield plan
    for made in plans:
        delete_resources(made.names, CleanUpPolicy())


def submitted(plan: RunPlan, pool: PoolOptions = POOL) -> None:
    create_containers.fn(plan.names, plan.metadata)
    made = provision_pool.fn(plan, pool)
    upload_inputs.fn(plan)
    create_job.fn(plan, made)
    submit_tasks.fn(plan)


def whole_run(plan: RunPlan, folder: Path, pool: PoolOptions = POOL) -> RunReport:
    submitted(plan, pool)
    return retrieve_outputs.fn(plan, poll_tasks.fn(plan, OFTEN, OFTEN), str(folder))


def times_run(tmp_path: Path) -> dict[str, int]:
    return {path.name: int(path.read_text()) for path in (tmp_path / "ran").iterdir()}


COPY = "cp {input} {output}"


def test_outputs_that_could_not_be_stored_are_made_again(
    control: Control, planned: Callable[..., RunPlan], tmp_path: Path
) -> None:
    control.fault("upload_failure", next=1)
    report = whole_run(planned("ab", COPY), tmp_path / "out")
    assert report.failed == ()
    assert sorted(file.attempts for file in report.files) == [1, 2]
    assert sorted(times_run(tmp_path).values()) == [1, 2]
    assert len(report.tasks) == 3


def test_an_input_that_could_not_be_fetched_is_fetched_again(
    control: Control, planned: Callable[..., RunPlan], tmp_path: Path
) -> None:
    control.fault("download_failure", next=1)
    report = whole_run(planned("a", COPY), tmp_path / "out")
    assert [(file.state, file.attempts) for file in report.files] == [("succeeded", 2)]


def test_a_failure_that_stays_is_tried_as_often_as_allowed(
    control: Control, planned: Callable[..., RunPlan], tmp_path: Path
) -> None:
    control.fault("upload_failure")
    report = whole_run(planned("a", COPY, output=2), tmp_path / "out")
    (failed,) = report.failed
    assert (failed.kind, failed.attempts, len(failed.earlier_tasks)) == ("output", 3, 2)
    assert "FileUpload" in failed.reason


def test_an_exit_code_has_tries_of_its_own(planned: Callable[..., RunPlan], tmp_path: Path) -> None:
    command = f"[ {{name}} != b ] || [ $n -ge 2 ] || exit 75; [ {{name}} != c ] || exit 3; {COPY}"
    report = whole_run(planned("abc", command, exit={"75": 2}), tmp_path / "out")
    assert [(file.key, file.state, file.attempts) for file in report.files] == [
        ("a", "succeeded", 1),
        ("b", "succeeded", 3),
        ("c", "failed", 1),
    ]
    assert times_run(tmp_path) == {"a": 1, "b": 3, "c": 1}


def test_of_a_task_of_several_files_only_those_that_failed_run_again(
    planned: Callable[..., RunPlan], tmp_path: Path
) -> None:
    command = f"[ {{name}} != b ] || [ $n -ge 1 ] || exit 75; [ {{name}} != c ] || exit 3; {COPY}"
    report = whole_run(planned("abcd", command, 4, exit={"75": 2}), tmp_path / "out")
    assert [file.key for file in report.failed] == ["c"]
    assert times_run(tmp_path) == {"a": 1, "b": 2, "c": 1, "d": 1}
    assert (tmp_path / "out" / "b.out").read_text() == "b"
    assert len(report.tasks) == 2


def test_the_job_ends_by_itself_once_nothing_is_left_to_try(
    planned: Callable[..., RunPlan], tmp_path: Path
) -> None:
    plan = planned("a", f"[ $n -ge 1 ] || exit 9; {COPY}", user=1)
    assert whole_run(plan, tmp_path / "out").failed == ()
    job = batch_client().get_job(plan.names.job_id)
    assert job.state in {"completed", "terminating"}
    assert job.execution_info is not None
    assert job.execution_info.termination_reason == "AllTasksComplete"


def test_a_driver_that_begins_anew_goes_on_with_the_tries_of_the_one_before(
    planned: Callable[..., RunPlan], tmp_path: Path
) -> None:
    plan = planned("ab", f"[ {{name}} = a ] || [ $n -ge 1 ] || exit 9; {COPY}", user=3)
    submitted(plan)
    first = poll_tasks.fn(plan, OFTEN, OFTEN)
    again = poll_tasks.fn(plan, OFTEN, OFTEN)
    assert {task.task_id for task in again} == {task.task_id for task in first}
    assert times_run(tmp_path) == {"a": 1, "b": 2}


def test_a_merge_waits_for_what_is_tried_again(planned: Callable[..., RunPlan], tmp_path: Path) -> None:
    merge = Merge(
        ".part", "cat \"$TASK_FILES_DIR\"/parts/* | fold -w1 | sort | tr -d '\\n' > {output}", ("ALL",)
    )
    command = f"[ {{name}} != b ] || [ $n -ge 1 ] || exit 9; {COPY}; cp {{input}} {{part}}"
    report = whole_run(planned("abc", command, merge=merge, user=1), tmp_path / "out")
    assert report.failed == ()
    assert (tmp_path / "out" / "ALL").read_text() == "abc"
    assert times_run(tmp_path)["b"] == 2


def wasted_by_the_event_log(control: Control) -> dict[str, float]:
    """Seconds that each task had run on a node when that was taken away, as the emulator decided it."""
    there: dict[str, dict[str, datetime]] = defaultdict(dict)
    wasted: dict[str, float] = defaultdict(float)
    for line in control.events():
        moment = datetime.fromisoformat(line["at"])
        if line["name"] == "PreemptNode":
            for task, began in there.pop(line["node"], {}).items():
                wasted[task] += (moment - began).total_seconds()
        if line["name"] == "RunEnded":
            continue
        for one in line["instructions"]:
            if one["name"] == "RunTask":
                there[one["node"]][one["task"]] = moment
    return wasted


@pytest.mark.waits(seconds=10)
def test_files_whose_spot_nodes_are_taken_away_twice_end_on_dedicated_nodes(
    azurite: BlobAccount, planned: Callable[..., RunPlan], tmp_path: Path
) -> None:
    with running("--time-scale", "30") as batch, signed_in(account_of(azurite, batch)):
        own = Control(batch.endpoint)
        plan = planned(
            "ab", f'[ "$AZ_BATCH_NODE_IS_DEDICATED" = true ] || sleep 99; {COPY}', dedicated_after=2
        )
        plan = replace(plan, expires=datetime.now(UTC) + timedelta(days=6))
        submitted(plan, PoolOptions(dedicated_nodes=0, spot_nodes=2))
        own.fault("preempt", count=2, at=60, again=160, restore=60, next=2)
        finished = poll_tasks.fn(plan, SELDOM, SELDOM)
        report = retrieve_outputs.fn(plan, finished, str(tmp_path / "out"))
        assert report.failed == ()
        nodes = {node.id: node.is_dedicated for node in batch_client().list_nodes(plan.names.pool_id)}
        assert [nodes[file.node_id] for file in report.files] == [True, True]
        assert [file.preemptions for file in report.files] == [2, 2]
        wasted = wasted_by_the_event_log(own)
        assert {task.task_id: task.wasted_seconds for task in report.tasks} == pytest.approx(wasted, abs=1e-3)
        assert report.wasted_seconds == pytest.approx(sum(wasted.values()), abs=1e-3)
        assert report.wasted_seconds > 0
