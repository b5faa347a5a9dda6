"""`collect-garbage`: delete what runs left that could not clean up after themselves.

A process that is killed, a machine that is lost, a worker that takes its runs with it: none of them tells
anybody. This flow looks at the account itself, and asks Prefect whose each thing is. Schedule it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from prefect import flow, get_client
from prefect.artifacts import create_table_artifact
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.settings import get_current_settings

from batch_tasks.clean_up import delete_these
from batch_tasks.clients import signed_in
from batch_tasks.errors import CleanUpFailed
from batch_tasks.owned_resources import OwnedResource, owned_resources
from batch_tasks.stage import log, stage
from flows.account import account_for, runs_locally
from flows.garbage import Limits, Owner, Verdict, judge_all
from flows.parameter import parameter

Row = dict[str, str]
LEFT_ALONE = "left alone"
HEARTBEAT = "prefect.flow-run.heartbeat"
_LATE_HEARTBEAT = timedelta(seconds=10)
_RUNS_AT_ONCE = 100
_ROWS_SHOWN = 500


AccountName = Annotated[
    str | None,
    parameter("Account", "Empty: the environment's Azure account. Or the name of a Prefect block."),
]
DryRun = Annotated[bool, parameter("Dry run", "Only tell what would be deleted.")]
SilentMinutes = Annotated[
    float,
    parameter(
        "Minutes of silence",
        "A run that gave no sign of life for so long is taken for dead. Prefect's runs give one every three "
        "minutes unless PREFECT_FLOWS_HEARTBEAT_FREQUENCY says otherwise.",
        gt=0,
    ),
]
GraceHours = Annotated[
    float,
    parameter(
        "Hours of grace",
        "What belongs to a run that this Prefect server does not know is left alone until so long after the "
        "run's time.",
        ge=0,
    ),
]
Reason = Annotated[str, parameter("Reason", "What started this; it goes into the log.")]


@flow(name="collect-garbage", flow_run_name="collect-garbage")
def collect_garbage(
    account: AccountName = None,
    *,
    dry_run: DryRun = False,
    silent_minutes: SilentMinutes = 15.0,
    grace_hours: GraceHours = 1.0,
    reason: Reason = "",
) -> list[Row]:
    """Delete pools, jobs and containers of runs that ended without cleaning up.

    Returns a row for everything of ours: what it is, its run, why it is garbage or not, and what was done.
    What is not ours, belongs to a living run, or was to be kept is left alone.
    """
    if runs_locally(account):
        log().info("No Azure account is set, and a local stack ends with its run: nothing to collect")
        return []
    if reason:
        log().info("Started by %s", reason)
    with account_for(account) as found, signed_in(found):
        verdicts = find_garbage(Limits(_silence(silent_minutes), timedelta(hours=grace_hours)))
        orphans = [verdict.resource for verdict in verdicts if verdict.is_orphan]
        acted = "would be deleted" if dry_run else "deleted"
        try:
            if orphans and not dry_run:
                delete_orphans(orphans)
        except CleanUpFailed:
            _show(_rows(verdicts, "not all could be deleted"))
            raise
        return _show(_rows(verdicts, acted))


@stage("find-garbage")
def find_garbage(limits: Limits) -> list[Verdict]:
    """A verdict on everything of ours in the account.

    Raises:
        AzureError: the account cannot be reached or refuses.
    """
    resources = owned_resources()
    with get_client(sync_client=True) as client:
        runs = list(_runs(client, {resource.run.flow_run_id for resource in resources}))
        owners = {str(run.id): _owner(client, run) for run in runs}
    return judge_all(resources, owners, limits, datetime.now(UTC))


@stage("delete-orphans")
def delete_orphans(orphans: list[OwnedResource]) -> None:
    """Ask for the deletion of each.

    Raises:
        CleanUpFailed: naming what could not be deleted; everything was attempted.
    """
    for deleted in delete_these(orphans):
        log().info("Deleted %s", deleted)


def _silence(minutes: float) -> timedelta:
    """Never shorter than the pause between two heartbeats, as this process would keep it."""
    pause = timedelta(seconds=get_current_settings().flows.heartbeat_frequency or 0)
    return max(timedelta(minutes=minutes), pause + _LATE_HEARTBEAT)


def _runs(client: SyncPrefectClient, run_ids: Iterable[str]) -> Iterator[FlowRun]:
    wanted = sorted(run_ids)
    for start in range(0, len(wanted), _RUNS_AT_ONCE):
        ids = FlowRunFilterId(any_=[UUID(run_id) for run_id in wanted[start : start + _RUNS_AT_ONCE]])
        yield from client.read_flow_runs(flow_run_filter=FlowRunFilter(id=ids))


def _owner(client: SyncPrefectClient, run: FlowRun) -> Owner:
    state = run.state
    if state is None:
        return Owner("PENDING", run.created or datetime.now(UTC))
    return Owner(state.type.value, state.timestamp, _last_heartbeat(client, run))


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
    events = client.request("POST", "/events/filter", json=wanted).json()["events"]
    return datetime.fromisoformat(events[0]["occurred"]) if events else None


def _rows(verdicts: Iterable[Verdict], acted: str) -> list[Row]:
    """What is told of each thing, the orphans first; `acted` is what became of those."""
    return [
        {
            "what": str(verdict.resource),
            "run": verdict.resource.run.flow_run_id,
            "why": verdict.why,
            "action": acted if verdict.is_orphan else LEFT_ALONE,
        }
        for verdict in sorted(verdicts, key=lambda verdict: not verdict.is_orphan)
    ]


def _show(rows: list[Row]) -> list[Row]:
    """An artifact with the rows, as many as it can hold; the rows."""
    garbage = [row for row in rows if row["action"] != LEFT_ALONE]
    acted = f": {garbage[0]['action']}" if garbage else ""
    words = f"{len(garbage)} of {len(rows)} things of ours have nobody left who will delete them{acted}."
    create_table_artifact(rows[:_ROWS_SHOWN], key="garbage", description=words)
    log().info(words)
    return rows
