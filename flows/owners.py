"""Asks the Prefect server whose the things in an account are, and whether those runs live."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, StateType

from flows.garbage import PRESUMED_DEAD, Owner

HEARTBEAT = "prefect.flow-run.heartbeat"
_RUNS_AT_ONCE = 100
_TO_BE_RUN = frozenset({StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING})


def owners_of(client: SyncPrefectClient, run_ids: Iterable[str]) -> Mapping[str, Owner]:
    """What the server knows of these flow runs, by id; those it does not know are left out."""
    return {str(run.id): _owner(client, run) for run in _runs(client, run_ids)}


def goes_on_elsewhere(client: SyncPrefectClient, run_id: UUID | str, state_id: UUID) -> bool:
    """Whether another attempt of the run is at work or due: its things are that one's now.

    `state_id` is the state of the attempt that asks. A retry has the names of the attempt before it.
    """
    state = client.read_flow_run(UUID(str(run_id))).state
    return state is not None and state.id != state_id and state.type in _TO_BE_RUN


def _runs(client: SyncPrefectClient, run_ids: Iterable[str]) -> Iterator[FlowRun]:
    wanted = sorted(run_ids)
    for start in range(0, len(wanted), _RUNS_AT_ONCE):
        ids = FlowRunFilterId(any_=[UUID(run_id) for run_id in wanted[start : start + _RUNS_AT_ONCE]])
        yield from client.read_flow_runs(flow_run_filter=FlowRunFilter(id=ids))


def _owner(client: SyncPrefectClient, run: FlowRun) -> Owner:
    state = run.state
    if state is None:
        return Owner("PENDING", run.created or datetime.now(UTC))
    presumed = (state.message or "").startswith(PRESUMED_DEAD)
    heartbeat, progress = _last_heartbeat(client, run), _last_progress(client, run)
    return Owner(state.type.value, state.timestamp, heartbeat, progress, presumed)


def _last_heartbeat(client: SyncPrefectClient, run: FlowRun) -> datetime | None:
    """When the run last gave a sign of life; None when the server keeps none."""
    began = run.created or datetime.now(UTC) - timedelta(days=30)
    wanted = {
        "limit": 1,
        "filter": {
            "event": {"name": [HEARTBEAT]},
            "resource": {"id": [f"prefect.flow-run.{run.id}"]},
            "occurred": {"since": began.isoformat(), "until": datetime.now(UTC).isoformat()},
            "order": "DESC",
        },
    }
    return _newest(client.request("POST", "/events/filter", json=wanted).json()["events"], "occurred")


def _last_progress(client: SyncPrefectClient, run: FlowRun) -> datetime | None:
    """When an artifact of the run last changed; a run at work moves its progress every few seconds."""
    wanted = {"artifacts": {"flow_run_id": {"any_": [str(run.id)]}}, "sort": "UPDATED_DESC", "limit": 1}
    return _newest(client.request("POST", "/artifacts/filter", json=wanted).json(), "updated")


def _newest(found: list[dict[str, Any]], when: str) -> datetime | None:
    return datetime.fromisoformat(found[0][when]) if found else None
