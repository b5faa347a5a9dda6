"""Which tasks wait for which, and what a task's exit conditions say about how it ended."""

from collections.abc import Iterable, Mapping
from typing import Any

from batch_emulator.lifecycle import TaskState
from batch_emulator.resources import Job, Task, key
from batch_emulator.scheduler.waiting import Waiting
from batch_emulator.scheduler.world import World


def enrol(world: World, job: Job, task: Task) -> int:
    """Note what a task waits for; gives how many ids and ranges. Ids that do not exist (yet) count."""
    number = _number(task)
    depends_on = task.document.get("dependsOn") or {}
    if number is None and not depends_on:
        return 0
    waiting = world.waiting.setdefault(key(job.id), Waiting())
    if number is not None:
        waiting.add(number)
    ids = {key(task_id) for task_id in depends_on.get("taskIds", ())}
    unmet = [wanted for wanted in ids if not _satisfied(job, wanted)]
    for wanted in unmet:
        waiting.by_id.setdefault(wanted, []).append(task)
    spans = depends_on.get("taskIdRanges", ())
    return len(unmet) + sum(waiting.watch(task, span["start"], span["end"]) for span in spans)


def _number(task: Task) -> int | None:
    """What a range knows a task by: leading zeros count in a list of ids, but not there (documented)."""
    return int(task.id) if task.id.isascii() and task.id.isdigit() else None


def _satisfied(job: Job, task_key: str) -> bool:
    parent = job.tasks.get(task_key)
    return parent is not None and _lets_run(parent)


def _lets_run(parent: Task) -> bool:
    return parent.state is TaskState.COMPLETED and satisfies(parent)


def release(world: World, job: Job, parent: Task) -> None:
    """Make those tasks ready which waited for this one last."""
    waiting = world.waiting.get(key(job.id))
    if waiting is None or not satisfies(parent):
        return
    _wait_less(world, job, waiting.by_id.pop(key(parent.id), ()))
    # All tasks in a range must have let others run (documented): 007 as well as 7.
    number = _number(parent)
    if number is not None:
        _wait_less(world, job, waiting.meet(number))


def deleted(world: World, job: Job, parent: Task) -> None:
    """Let nobody wait for a task that is gone where another with its number has let them run."""
    number = _number(parent)
    if number is not None and not _lets_run(parent):
        _wait_less(world, job, world.waiting[key(job.id)].remove(number))


def reactivated(world: World, job: Job, parent: Task) -> None:
    """Let a range wait for a task again that is to run once more; call it before the task is changed."""
    number = _number(parent)
    if number is not None and _lets_run(parent):
        world.waiting[key(job.id)].add(number)


def _wait_less(world: World, job: Job, children: Iterable[Task]) -> None:
    for child in children:
        child.waiting_for -= 1
        is_there = job.tasks.get(key(child.id)) is child
        if not child.waiting_for and is_there and child.state is TaskState.ACTIVE:
            world.make_ready(job, child)


def satisfies(parent: Task) -> bool:
    """Whether a completed task lets those run that wait for it: by exit conditions, else if it succeeded."""
    action = exit_options(parent).get("dependencyAction")
    return succeeded(parent) if action is None else bool(action.lower() == "satisfy")


def succeeded(task: Task) -> bool:
    """Whether a task is completed without a failure."""
    return task.outcome is not None and task.outcome.failure is None


def exit_options(task: Task) -> Mapping[str, Any]:
    """What the task's exit conditions say about how it ended; empty where they say nothing."""
    conditions: Mapping[str, Any] = task.document.get("exitConditions") or {}
    if not conditions or task.outcome is None:
        return {}
    code, failure = task.outcome.exit_code, task.outcome.failure
    if code is None:
        chosen = conditions.get("preProcessingError")
    else:
        chosen = _for_exit_code(conditions, code)
        if chosen is None and failure is not None and failure.code != "FailureExitCode":
            chosen = conditions.get("fileUploadError")
    if chosen is None and failure is not None:
        chosen = conditions.get("default")
    return chosen or {}


def _for_exit_code(conditions: Mapping[str, Any], code: int) -> Mapping[str, Any] | None:
    options: Mapping[str, Any]
    for entry in conditions.get("exitCodes", ()):
        if entry["code"] == code:
            options = entry["exitOptions"]
            return options
    for entry in conditions.get("exitCodeRanges", ()):
        if entry["start"] <= code <= entry["end"]:
            options = entry["exitOptions"]
            return options
    return None
