"""`collect-garbage`: delete what runs left that could not clean up after themselves.

A process that is killed, a machine that is lost, a worker that takes its runs with it: none of them tells
anybody. This flow looks at the account itself, and asks Prefect whose each thing is. Schedule it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Annotated

from prefect import flow, get_client
from prefect.artifacts import create_table_artifact

from batch_tasks.clean_up import delete_these
from batch_tasks.clients import signed_in
from batch_tasks.errors import AccountError, CleanUpFailed
from batch_tasks.naming import RunNames
from batch_tasks.owned_resources import OwnedResource, owned_resources
from batch_tasks.stage import log, stage
from flows import run_events
from flows.account import account_for, accounts_known, runs_locally
from flows.garbage import Limits, Verdict, judge_all
from flows.owners import owners_of
from flows.parameter import parameter

Row = dict[str, str]
DELETED, NOT_DELETED, LEFT_ALONE = "deleted", "could not be deleted", "left alone"
WOULD_BE = "would be deleted"
_LONGEST_WAIT = timedelta(minutes=5)
_ROWS_SHOWN = 500


AccountName = Annotated[
    str | None,
    parameter(
        "Account",
        "Empty: the environment's Azure account and those of all Prefect blocks of type Azure Batch Account. "
        "Or one of them: 'environment', or the name of a block.",
    ),
]
DryRun = Annotated[bool, parameter("Dry run", "Only tell what would be deleted.")]
SilentMinutes = Annotated[
    float,
    parameter(
        "Minutes of silence",
        "A run that gave no sign of life for so long is taken for dead. Never less than the pause between "
        "two heartbeats: three minutes unless PREFECT_FLOWS_HEARTBEAT_FREQUENCY says otherwise.",
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
RetryHours = Annotated[
    float,
    parameter(
        "Hours for a retry",
        "The containers of a run that was killed stay for so long: its retry finds in them what is done. Its "
        "pool and its job go at once. With 0 the containers do too.",
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
    retry_hours: RetryHours = 0.0,
    reason: Reason = "",
) -> list[Row]:
    """Delete pools, jobs and containers of runs that ended without cleaning up.

    Returns a row for everything of ours: what it is, its run, why it is garbage or not, and what was done.
    What is not ours, belongs to a living run, or was to be kept is left alone.

    Raises:
        CleanUpFailed: an account could not be gone over, or not all that is garbage be deleted; all problems
            in one. Everything was attempted.
    """
    if reason:
        log().info("Started by %s", reason)
    limits = Limits(
        timedelta(minutes=silent_minutes), timedelta(hours=grace_hours), timedelta(hours=retry_hours)
    )
    names = accounts_known() if account is None else [account]
    garbage = _Collection([name for name in names if not runs_locally(name)], limits, dry_run=dry_run)
    if not garbage.accounts:
        log().info("No Azure account is set, and a local stack ends with its run: nothing to collect")
        return []
    garbage.go_over()
    garbage.look_again_where_that_will_tell()
    rows = _show(list(garbage.rows.values()), dry_run=dry_run)
    if garbage.problems:
        raise CleanUpFailed("Not all could be collected:\n  " + "\n  ".join(garbage.problems))
    return rows


class _Collection:
    """What is found in the accounts, what is done about it, and what went wrong."""

    def __init__(self, accounts: Sequence[str], limits: Limits, *, dry_run: bool) -> None:
        self.accounts = accounts
        self.rows: dict[tuple[str, str], Row] = {}
        self.problems: list[str] = []
        self._limits = limits
        self._dry_run = dry_run
        self._again: dict[str, datetime] = {}

    def go_over(self) -> None:
        """Each account; trouble with one does not spare the others."""
        for name in self.accounts:
            try:
                self._go_over_one(name)
            except AccountError as error:
                self.problems.append(f"account {name!r}: {error}")

    def look_again_where_that_will_tell(self) -> None:
        """Some runs are dead for certain only when they had time for one more heartbeat: wait for that."""
        now = datetime.now(UTC)
        again = {name: when for name, when in self._again.items() if when < now + _LONGEST_WAIT}
        if self._dry_run or not again:
            return
        when = max(again.values())
        log().info("Looking again at %s UTC, when it is certain who is dead", f"{when:%H:%M:%S}")
        time.sleep(max(0.0, (when - now).total_seconds()) + 1)
        self.accounts = list(again)
        self.go_over()

    def _go_over_one(self, name: str) -> None:
        with account_for(name) as found, signed_in(found):
            verdicts = find_garbage(self._limits)
            later = [verdict.again for verdict in verdicts if verdict.again]
            if later:
                self._again[name] = max(later)
            rows = _rows(verdicts, WOULD_BE)
            if any(verdict.is_orphan for verdict in verdicts) and not self._dry_run:
                rows, problems = delete_orphans(verdicts, self._limits)
                self.problems += problems
        self.rows |= {(name, row["what"]): {"account": name, **row} for row in rows}


@stage("find-garbage")
def find_garbage(limits: Limits) -> list[Verdict]:
    """A verdict on everything of ours in the account.

    Raises:
        AccountError: the account cannot be reached or refuses.
    """
    resources = owned_resources()
    with get_client(sync_client=True) as client:
        owners = owners_of(client, {resource.run.flow_run_id for resource in resources})
    return judge_all(resources, owners, limits, datetime.now(UTC))


@stage("delete-orphans")
def delete_orphans(verdicts: list[Verdict], limits: Limits) -> tuple[list[Row], list[str]]:
    """Ask for the deletion of each orphan; a row for each verdict, and what went wrong.

    Its run is asked for once more just before: somebody may have retried it since.
    """
    rows: list[Row] = []
    problems: list[str] = []
    verdicts = sorted(verdicts, key=_run_of)
    with get_client(sync_client=True) as client:
        for run_id, of_run in groupby(verdicts, key=_run_of):
            ours = list(of_run)
            if any(verdict.is_orphan for verdict in ours):
                resources = [verdict.resource for verdict in ours]
                ours = judge_all(resources, owners_of(client, [run_id]), limits, datetime.now(UTC))
            problem = _deleted([verdict.resource for verdict in ours if verdict.is_orphan])
            problems += [problem] if problem else []
            rows += _rows(ours, NOT_DELETED if problem else DELETED)
    return rows, problems


def _deleted(orphans: Sequence[OwnedResource]) -> str:
    """Delete what one run left and tell of it; what went wrong, "" when nothing did."""
    if not orphans:
        return ""
    names: RunNames = orphans[0].run
    try:
        deleted = delete_these(orphans)
    except CleanUpFailed as failed:
        run_events.clean_up_failed(names, str(failed), run_events.COLLECTOR)
        return str(failed)
    run_events.cleaned_up(names, deleted, run_events.COLLECTOR)
    for what in deleted:
        log().info("Deleted %s", what)
    return ""


def _run_of(verdict: Verdict) -> str:
    return verdict.resource.run.flow_run_id


def _rows(verdicts: Iterable[Verdict], acted: str) -> list[Row]:
    """What is told of each thing; `acted` is what became of the orphans."""
    return [
        {
            "what": str(verdict.resource),
            "run": verdict.resource.run.flow_run_id,
            "why": verdict.why,
            "action": acted if verdict.is_orphan else LEFT_ALONE,
        }
        for verdict in verdicts
    ]


def _show(rows: list[Row], *, dry_run: bool) -> list[Row]:
    """An artifact with the rows, the orphans first, as many as it can hold; the rows."""
    rows = sorted(rows, key=lambda row: row["action"] == LEFT_ALONE)
    garbage = [row for row in rows if row["action"] != LEFT_ALONE]
    failed = sum(row["action"] == NOT_DELETED for row in rows)
    acted = WOULD_BE if dry_run else f"not all {DELETED}" if failed else DELETED
    words = f"{len(garbage)} of {len(rows)} things of ours have nobody left who will delete them"
    words += f": {acted}." if garbage else "."
    create_table_artifact(rows[:_ROWS_SHOWN], key="garbage", description=words)
    log().info(words)
    return rows
