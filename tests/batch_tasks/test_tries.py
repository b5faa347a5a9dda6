"""Which failures are tried again, as which tasks, and what a file's report says in the end. No service."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from batch_tasks.failures import FailureKind
from batch_tasks.inputs import InputFile
from batch_tasks.naming import LONGEST_ID, RunNames, task_id
from batch_tasks.options import RetryOptions
from batch_tasks.plan import PlannedTask, RunPlan, plan_tasks
from batch_tasks.report import FileReport, FinishedTask
from batch_tasks.tries import Tries, may_be_tried_again, next_try, reports_of
from batch_tasks.workload import Merge, Workload

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COPY = Workload("test", "cp {input} {output}", ("{stem}.out",))
MERGED = replace(COPY, merge=Merge(".part", "cat {input} > {output}", ("ALL",)), command="cp {input} {part}")
RETRY = RetryOptions.model_validate({"infra": 2, "user": 0, "exit": {"75": 1}})
UPLOAD = "FileUploadMiscError: It could not be stored."


def plan_of(names: str, files_per_task: int = 1, workload: Workload = COPY) -> RunPlan:
    inputs = [InputFile(f"/in/{name}", name, 1) for name in names]
    tasks = plan_tasks(workload, inputs, files_per_task)
    names_of = RunNames.of("test", UUID(int=1))
    return RunPlan(names_of, workload, tasks, NOW, NOW + timedelta(hours=1), retry=RETRY)


def failed(key: str, kind: FailureKind, exit_code: int | None = None) -> FileReport:
    return FileReport(key, "failed", "t", exit_code=exit_code, kind=kind)


def ended(task: PlannedTask, failure: str = "", exit_code: int | None = 0) -> FinishedTask:
    return FinishedTask(task.task_id, not failure, "node", exit_code, failure)


@pytest.mark.parametrize(
    ("kind", "exit_code", "allowed"),
    [
        ("node", None, 2),
        ("preemption", None, 2),
        ("service", None, 2),
        ("input", None, 1),
        ("output", 0, 2),
        ("user", 3, 0),
        ("user", 75, 1),
        ("user", None, 0),
    ],
)
def test_each_kind_and_exit_code_has_its_number_of_tries(
    kind: FailureKind, exit_code: int | None, allowed: int
) -> None:
    assert RETRY.allowed(kind, exit_code) == allowed
    (task,) = plan_of("a").tasks
    report = failed("a", kind, exit_code)
    assert [bool(next_try(task, [report], tried, RETRY)) for tried in (1, 2, 3)] == [
        tried <= allowed for tried in (1, 2, 3)
    ]


def test_a_new_task_has_only_the_files_that_may_be_tried_again() -> None:
    (task,) = plan_of("abcd", files_per_task=4).tasks
    reports = [
        failed("a", "user", 75),
        failed("b", "user", 3),
        FileReport("c", "succeeded", "t"),
        failed("d", "node"),
    ]
    again = next_try(task, reports, 1, RETRY)
    assert again is not None
    assert [file.input.key for file in again.files] == ["a", "d"]
    assert [file.outputs for file in again.files] == [task.files[0].outputs, task.files[3].outputs]
    assert again.task_id == task_id(["a", "d"], 2)
    later = next_try(again, [failed("a", "user", 75), failed("d", "node")], 2, RETRY)
    assert later is not None
    assert [file.input.key for file in later.files] == ["d"]


def test_what_never_ran_is_not_tried_again_by_a_run_that_is_over() -> None:
    (task,) = plan_of("a").tasks
    assert next_try(task, [FileReport("a", "not run", task.task_id)], 1, RETRY) is None


def test_the_id_of_a_later_try_is_legal_and_another_one() -> None:
    keys = [f"{'x' * 200}{number}" for number in range(300)]
    ids = {task_id(keys, attempt) for attempt in range(1, 22)}
    assert len(ids) == 21
    assert max(map(len, ids)) <= LONGEST_ID


def test_storage_is_read_only_for_what_may_be_tried_again() -> None:
    (task,) = plan_of("a").tasks
    plain = RetryOptions(infra=1)
    assert not may_be_tried_again(ended(task, "FailureExitCode: no", 3), 1, plain)
    assert may_be_tried_again(ended(task, "FailureExitCode: no", 1), 1, RETRY)  # a file's own code may be 75
    assert may_be_tried_again(ended(task, "Unknown: no", None), 1, plain)
    assert not may_be_tried_again(ended(task, "Unknown: no", None), 2, plain)


def reader(plan: RunPlan, told: Mapping[str, str]) -> Callable[..., list[FileReport]]:
    """Reports as Batch would cause them: by task, the kind of failure of each file that failed."""

    def reports(task: PlannedTask, finished: FinishedTask | None) -> list[FileReport]:
        if finished is None:
            return [FileReport(file.input.key, "not run", task.task_id) for file in task.files]
        return [
            FileReport(
                file.input.key,
                "failed" if file.input.key in told.get(task.task_id, "") else "succeeded",
                task.task_id,
                attempts=1,
                kind="node" if file.input.key in told.get(task.task_id, "") else None,
                wasted_seconds=1.5,
            )
            for file in task.files
        ]

    return reports


def test_a_file_is_reported_by_its_last_try_with_all_its_attempts() -> None:
    plan = plan_of("abc", files_per_task=3)
    (task,) = plan.tasks
    second, third = task_id(["a", "b"], 2), task_id(["b"], 3)
    finished = {
        task.task_id: ended(task, UPLOAD),
        second: replace(ended(task, UPLOAD), task_id=second),
        third: replace(ended(task), task_id=third),
    }
    told = reader(plan, {task.task_id: "ab", second: "b"})
    a, b, c = reports_of(task, finished, RETRY, told)
    assert [(one.key, one.state, one.attempts, one.task_id) for one in (a, b, c)] == [
        ("a", "succeeded", 2, second),
        ("b", "succeeded", 3, third),
        ("c", "succeeded", 1, task.task_id),
    ]
    assert b.earlier_tasks == (task.task_id, second)
    assert (b.wasted_seconds, c.wasted_seconds) == (4.5, 1.5)


def test_a_try_that_never_ended_leaves_the_failure_before_it() -> None:
    plan = plan_of("a")
    (task,) = plan.tasks
    (report,) = reports_of(
        task, {task.task_id: ended(task, UPLOAD)}, RETRY, reader(plan, {task.task_id: "a"})
    )
    assert (report.state, report.attempts) == ("failed", 1)


def test_a_run_is_over_when_the_tries_that_follow_are() -> None:
    tries = Tries(plan_of("ab"))
    first, second = plan_of("ab").tasks
    finished = [ended(first), ended(second, "Unknown: no", None)]
    assert tries.all_ended(finished)
    ((task, failure),) = tries.worth_reading(finished)
    again = tries.after(task, [failed("b", "service")])
    assert (task.task_id, failure, again is not None) == (second.task_id, finished[1], True)
    assert (len(tries), tries.retried, tries.all_ended(finished)) == (3, 1, False)
    assert tries.left(finished) == ["b"]
    assert tries.worth_reading(finished) == []
    assert again is not None
    assert tries.all_ended([*finished, ended(again)])


def test_the_ids_batch_answers_with_may_differ_in_case() -> None:
    tries = Tries(plan_of("a"))
    (task,) = plan_of("a").tasks
    assert tries.all_ended([replace(ended(task), task_id=task.task_id.upper())])


def test_the_merge_comes_once_and_last() -> None:
    plan = plan_of("ab", workload=MERGED)
    tries = Tries(plan)
    assert len(tries) == 2
    merge = tries.merge()
    assert merge == plan.merge
    assert (len(tries), tries.merge()) == (3, None)
    finished = [ended(task) for task in plan.tasks]
    assert not tries.all_ended(finished[:2])
    assert tries.all_ended(finished)


def test_what_could_not_be_submitted_is_forgotten() -> None:
    tries = Tries(plan_of("a"))
    (task,) = plan_of("a").tasks
    finished = [ended(task, UPLOAD)]
    ((planned, _),) = tries.worth_reading(finished)
    again = tries.after(planned, [failed("a", "output")])
    assert again is not None
    tries.forget([again])
    assert tries.all_ended(finished)
