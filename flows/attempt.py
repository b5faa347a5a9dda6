"""This attempt of the flow run, as Prefect knows it: each retry is one more, under the same names."""

from __future__ import annotations

from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.flow_engine import MINIMUM_HEARTBEAT_INTERVAL
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, get_current_settings, temporary_settings

from batch_tasks.stage import log
from flows import owners

ANSWER_WITHIN_SECONDS = 2.0


def heartbeat() -> int | None:
    """Seconds between two signs of life of the flow run; 0 where it gives none, None outside of one."""
    if FlowRunContext.get() is None:
        return None
    seconds = get_current_settings().flows.heartbeat_frequency
    return max(seconds, MINIMUM_HEARTBEAT_INTERVAL) if seconds else 0


def retry_is_left() -> bool:
    """Whether Prefect will run the flow once more should it fail now: a flow with `retries`.

    The server retries while the run has begun no more often than there are retries (read in its source).
    """
    context = FlowRunContext.get()
    if context is None or context.flow is None or context.flow_run is None:
        return False
    return context.flow_run.run_count <= (context.flow.retries or 0)


def goes_on_elsewhere() -> bool:
    """Whether another attempt of this flow run is at work or due, in a process of its own.

    So it is where a run that was given up for dead lives and somebody retried it. A server that does not
    answer leaves the things to this attempt: nothing can have been retried on it just now.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or run.state is None:
        return False
    state_id = run.state.id
    try:
        with (
            temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
            get_client(sync_client=True, httpx_settings={"timeout": ANSWER_WITHIN_SECONDS}) as client,
        ):
            return owners.goes_on_elsewhere(client, run.id, state_id)
    except Exception as error:  # noqa: BLE001  whatever the server does, what costs money must go
        log().debug("Prefect does not say whether there is another attempt: %s", type(error).__name__)
        return False
