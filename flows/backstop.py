"""Hooks for flows: once more delete what a run left, when it was cancelled or its process died.

Prefect runs them in a fresh process where the run's own is gone (measured: not when the worker is gone, too).
They know the run by its id alone and the account by the run's parameter; a local stack has died with its run.
"""

from __future__ import annotations

from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.logging.loggers import flow_run_logger

from batch_tasks.clean_up import delete_these
from batch_tasks.clients import signed_in
from batch_tasks.owned_resources import owned_resources
from flows.account import account_for, runs_locally


def delete_what_is_left(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001
    """Delete everything of the run that it was not asked to keep; nothing is left of most runs.

    Raises:
        AccountError: the account cannot be used any more. Prefect logs that, as it does every hook's error.
        CleanUpFailed: naming what could not be deleted.
    """
    account = flow_run.parameters.get("account")
    if runs_locally(account):
        return
    logger = flow_run_logger(flow_run, flow)
    with account_for(account, logger.debug) as found, signed_in(found):
        left = [
            resource
            for resource in owned_resources()
            if resource.run.flow_run_id == str(flow_run.id) and not resource.kept
        ]
        for deleted in delete_these(left):
            logger.warning("Deleted %s, which the run had left", deleted)
