"""Hooks for flows: once more delete what a run left, when it was cancelled or its process died.

Prefect runs them in a fresh process where the run's own is gone (measured: not when the worker is gone, too).
They know the run by its id alone and the account by the run's parameter; a local stack has died with its run.
"""

from __future__ import annotations

from typing import Any

from prefect import Flow, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.logging.loggers import flow_run_logger

from batch_tasks.clean_up import delete_these
from batch_tasks.clients import signed_in
from batch_tasks.errors import CleanUpFailed
from batch_tasks.owned_resources import OwnedResource, owned_resources
from batch_tasks.stage import Logger
from flows import run_events
from flows.account import account_for, runs_locally
from flows.owners import goes_on_elsewhere


def delete_what_is_left(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Delete everything of a cancelled run that it was not asked to keep; of a run that crashed what costs
    money by the hour, its pool and its job. Its containers are left to a retry, which finds in them what is
    done, and in the end to `collect-garbage`. Nothing is left of most runs.

    Raises:
        AccountError: the account cannot be used any more. Prefect logs that, as it does every hook's error.
        CleanUpFailed: naming what could not be deleted.
    """
    account = flow_run.parameters.get("account")
    if runs_locally(account):
        return
    logger = flow_run_logger(flow_run, flow)
    kinds = {"pool", "job"} if state.is_crashed() else {"pool", "job", "input_container", "output_container"}
    with account_for(account, logger.debug) as found, signed_in(found):
        left = [
            resource
            for resource in owned_resources()
            if resource.run.flow_run_id == str(flow_run.id) and not resource.kept and resource.kind in kinds
        ]
        if left and _is_still_so(flow_run, state, logger):
            _delete(left, logger)


def _is_still_so(flow_run: FlowRun, state: State[Any], logger: Logger) -> bool:
    """Whether nobody has retried the run since it came to this state."""
    with get_client(sync_client=True) as client:
        retried = goes_on_elsewhere(client, flow_run.id, state.id)
    if retried:
        logger.info("The run has been retried: what it left is left to it")
    return not retried


def _delete(left: list[OwnedResource], logger: Logger) -> None:
    names = left[0].run
    try:
        deleted = delete_these(left)
    except CleanUpFailed as failed:
        run_events.clean_up_failed(names, str(failed), run_events.HOOK)
        raise
    run_events.cleaned_up(names, deleted, run_events.HOOK)
    for what in deleted:
        logger.warning("Deleted %s, which the run had left", what)
