"""What all Prefect tasks of the pipeline have in common.

A stage makes things under deterministic names, so its result is never cached: after a clean-up the names
would be remembered and the things gone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger

from batch_tasks.errors import RunError, is_refusal
from batch_tasks.patience import is_transient

P = ParamSpec("P")
R = TypeVar("R")
Logger = logging.Logger | logging.LoggerAdapter[Any]


def stage(shown_as: str, *, retries: int = 2) -> Callable[[Callable[P, R]], Task[P, R]]:
    """A Prefect task for one stage of a run, shown in the run's history under `shown_as`.

    `{plan.files_counted}` in it is what the stage's parameter `plan` says.

    Retries are for what is neither ours to say nor Azure's to recover from within the patience of a call.
    """
    return task(
        task_run_name=shown_as,
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=retries,
        retry_delay_seconds=[2, 10],
        retry_condition_fn=_worth_another_try,
    )


def _worth_another_try(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    error: BaseException = state.result(raise_on_failure=False)
    return not isinstance(error, RunError) and (is_transient(error) or not is_refusal(error))


def log() -> Logger:
    """The run's logger; outside a run, as in a test or a hook, an ordinary one."""
    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger("batch_tasks")
