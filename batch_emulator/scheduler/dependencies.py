"""Which tasks wait for which, and what a task's exit conditions say about how it ended."""

from collections.abc import Iterator, Mapping
from typing import Any

from batch_emulator.lifecycle import TaskState
from batch_emulator.resources import Job, Task, key
from batch_emulator.scheduler.world import World


def enrol(world: World, job: Job, task: Task) -> int:
    """Note what a task waits for; gives how many. Ids that do not exist (yet) count."""
    unmet = [wanted for wanted in set(_ids(task)) if not _satisfied(job, wanted)]
    for wanted in unmet:
        world.waiting.setdefault(key(job.id), {}).setdefault(wanted, []).append(task)
    return len(unmet)


def _ids(task: Task) -> Iterator[str]:
    depends_on = task.document.get("dependsOn")
    if not depends_on:
        return
    for task_id in depends_on.get("taskIds", ()):
        yield key(task_id)
    for span in depends_on.get("taskIdRanges", ()):
        yield from (str(number) for number in range(span["start"], span["end"] + 1))


def _satisfied(job: Job, task_key: str) -> bool:
    parent = job.tasks.get(task_key)
    return parent is not None and parent.state is TaskState.COMPLETED and satisfies(parent)


def release(world: World, job: Job, parent: Task) -> None:
    """Make those tasks ready which waited for this one last."""
    waiting = world.waiting.get(key(job.id))
    if not waiting or not satisfies(parent):
        return
    names = {key(parent.id)}
    if parent.id.isascii() and parent.id.isdigit():
        names.add(str(int(parent.id)))  # leading zeros do not count in a range of ids (documented)
    for name in names:
        for child in waiting.pop(name, ()):
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
