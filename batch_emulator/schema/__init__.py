"""What the bodies of requests may hold, as tables; and what the service fills in."""

from typing import Any

from batch_emulator.errors import BatchError, InvalidRequestBody
from batch_emulator.schema import jobs, machines, pools, tasks
from batch_emulator.schema.defaults import (
    job_defaults,
    pool_defaults,
    schedule_defaults,
    start_task_defaults,
    task_defaults,
)
from batch_emulator.schema.enums import ENUMS
from batch_emulator.schema.flaw import Flaw
from batch_emulator.schema.in_job import check_in_job
from batch_emulator.schema.notation import Document, compile_models
from batch_emulator.schema.rules import RULES, task_slots

__all__ = [
    "check",
    "check_changed_pool",
    "check_in_job",
    "check_tasks",
    "job_defaults",
    "pool_defaults",
    "schedule_defaults",
    "start_task_defaults",
    "task_defaults",
]

MODELS = compile_models({**pools.MODELS, **machines.MODELS, **jobs.MODELS, **tasks.MODELS}, ENUMS, RULES)
_GROUP = compile_models(
    {"BatchTaskGroup": tasks.MODELS["BatchTaskGroup"].replace("BatchTaskCreateOptions", "any")}, {}, {}
)["BatchTaskGroup"]
"""A collection whose tasks are not looked at yet: they are refused one by one."""


def check(model: str, body: Any) -> Document:
    """The body as a new document: nulls and read-only members dropped, values in the service's spelling.

    Args:
        model: name of the request's model in api-version 2025-06-01, such as `BatchPoolCreateOptions`.
        body: parsed JSON.

    Raises:
        InvalidRequestBody: a member does not exist, or its value is not of its type. (That the service
            answers a wrong type so is recorded; an unknown member, assumed.)
        MissingRequiredProperty: a member is missing.
        InvalidPropertyValue: a value is out of range, too long, not of the enumeration, or does not go
            with another.
        TaskDependencyListTooLong, AutoScaleFormulaTooLong, EmptyMetadataKey: as they say.
    """
    try:
        return MODELS[model].check(body)
    except Flaw as flaw:
        raise flaw.as_error() from None


def check_changed_pool(document: Document) -> None:
    """Hold a pool as it is to become against what one change of it could not show: slots and size.

    Raises:
        InvalidPropertyValue: its nodes cannot have so many task slots.
    """
    try:
        task_slots(document)
    except Flaw as flaw:
        raise flaw.as_error() from None


def check_tasks(body: Any) -> list[Document | BatchError]:
    """The tasks of an add-collection, in their order; an error in place of each that is refused alone.

    Args:
        body: parsed JSON of a `BatchTaskGroup`.

    Raises:
        BatchError: the body as a whole is refused: it does not parse as a list of at most 100 tasks with
            ids. (That values are refused task by task is reported by callers; that malformed ones refuse
            the whole is assumed.)
    """
    try:
        group = _GROUP.check(body)["value"]
    except Flaw as flaw:
        raise flaw.as_error() from None
    return [_one_of_group(index, task) for index, task in enumerate(group)]


def _one_of_group(index: int, task: Any) -> Document | BatchError:
    try:
        return MODELS["BatchTaskCreateOptions"].check(task)
    except Flaw as flaw:
        named = isinstance(task, dict) and isinstance(task.get("id"), str)
        if flaw.error is InvalidRequestBody or not named:
            raise flaw.within(index).within("value").as_error() from None
        return flaw.as_error()
