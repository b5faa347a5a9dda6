"""Which resources of ours have nobody left who will delete them: what is known goes in, a verdict comes out.

A living run is proved by its heartbeats, never by its state: a run whose process or machine is gone stays
RUNNING in Prefect, and one that Prefect gave up may still be at work. What a run was asked to keep is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from batch_tasks.owned_resources import OwnedResource

ENDED = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
AT_WORK = frozenset({"RUNNING", "CANCELLING"})
_LAST_WORDS = timedelta(seconds=10)
"""A heartbeat so soon after a run's end was under way when it ended."""


@dataclass(frozen=True)
class Owner:
    """What Prefect knows of a flow run: its state's type, since when, and when it last gave a sign of life.

    `last_heartbeat` is None where there never was one: heartbeats are off, or the run has not begun.
    """

    state: str
    since: datetime
    last_heartbeat: datetime | None = None


@dataclass(frozen=True)
class Limits:
    """How long a run may be silent, and how long after its time a resource is left alone, to be sure."""

    silence: timedelta
    grace: timedelta


@dataclass(frozen=True)
class Verdict:
    """Whether to delete the resource, and why."""

    resource: OwnedResource
    is_orphan: bool
    why: str


def judge_all(
    resources: Iterable[OwnedResource], owners: Mapping[str, Owner], limits: Limits, now: datetime
) -> list[Verdict]:
    """A verdict for each; `owners` by flow run id. A run's time is the longest that any resource tells: a
    retry prolongs only what can be changed.
    """
    resources = list(resources)
    ends: dict[str, datetime] = {}
    for resource in resources:
        if resource.expires is not None:
            run = resource.run.flow_run_id
            ends[run] = max(resource.expires, ends.get(run, resource.expires))
    return [
        Verdict(resource, *judge(resource, owners.get(run), ends.get(run), limits, now))
        for resource in resources
        for run in [resource.run.flow_run_id]
    ]


def judge(
    resource: OwnedResource, owner: Owner | None, expires: datetime | None, limits: Limits, now: datetime
) -> tuple[bool, str]:
    """Whether the resource is an orphan, and why or why not."""
    if resource.kept:
        return False, "its run was asked to keep it"
    if owner is not None:
        heard = owner.last_heartbeat
        if owner.state in ENDED:
            if heard and heard > owner.since + _LAST_WORDS and now - heard < limits.silence:
                return False, f"its run is {owner.state}, yet its process still gives signs of life"
            return True, f"its run is {owner.state}"
        if owner.state in AT_WORK and heard is not None:
            silent = now - max(heard, owner.since)
            if silent < limits.silence:
                return False, f"its run is {owner.state}"
            return True, f"its run is {owner.state} but has given no sign of life for {_minutes(silent)}"
    who = f"its run is {owner.state}" if owner else "this Prefect server knows no such run"
    if expires is None:
        return False, f"{who}, and it does not say until when it is needed"
    if now < expires + limits.grace:
        return False, f"{who}, and its time lasts until {expires:%Y-%m-%d %H:%M} UTC"
    return True, f"{who}, and its time was over at {expires:%Y-%m-%d %H:%M} UTC"


def _minutes(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:.0f} minutes"
