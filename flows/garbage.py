"""Which resources of ours have nobody left who will delete them: what is known goes in, a verdict comes out.

A living run is proved by its signs of life, never by its state: a run whose process or machine is gone stays
RUNNING in Prefect, and one that Prefect gave up may still be at work. What a run was asked to keep is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from batch_tasks.owned_resources import OwnedResource

ENDED = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
AT_WORK = frozenset({"RUNNING", "CANCELLING"})
PRESUMED_DEAD = "No sign of life"
"""How the message begins with which the automation zombie-runs marks a run as crashed."""
LATE = timedelta(seconds=10)
"""How much later than its time a heartbeat may come: one so soon after a run's end was under way by then."""
_USUAL_HEARTBEAT = timedelta(seconds=180)
"""Prefect's default, for things whose metadata does not say."""


@dataclass(frozen=True)
class Owner:
    """What Prefect knows of a flow run: its state's type, since when, and when it last gave signs of life.

    `last_heartbeat` is None where there never was one: heartbeats are off, or the run died in its first
    second. `last_progress` is when its progress last moved in Prefect. `presumed` says that nobody saw it
    crash: the automation zombie-runs marked it so for its silence.
    """

    state: str
    since: datetime
    last_heartbeat: datetime | None = None
    last_progress: datetime | None = None
    presumed: bool = False

    @property
    def heard(self) -> datetime | None:
        """When it last gave any sign of life."""
        return max((when for when in (self.last_heartbeat, self.last_progress) if when), default=None)


@dataclass(frozen=True)
class Limits:
    """How long a run may be silent; how long after its time a resource is left alone, to be sure; and how
    long the containers of a run that was killed stay, so that its retry finds in them what is done.
    """

    silence: timedelta
    grace: timedelta
    retry: timedelta = timedelta(0)


class Ruling(NamedTuple):
    """Whether a resource is an orphan, and why or why not; and when a second look will tell more."""

    is_orphan: bool
    why: str
    again: datetime | None = None


@dataclass(frozen=True)
class Verdict:
    """A resource and what is to be done about it."""

    resource: OwnedResource
    is_orphan: bool
    why: str
    again: datetime | None = None


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
) -> Ruling:
    """Whether the resource is an orphan, and why or why not."""
    if resource.kept:
        return Ruling(False, "its run was asked to keep it")
    if owner is not None and owner.state in ENDED:
        return _of_ended(resource, owner, limits, now)
    if owner is not None and owner.state in AT_WORK and _gives_heartbeats(resource, owner):
        return _of_running(resource, owner, limits, now)
    who = f"its run is {owner.state}" if owner else "this Prefect server knows no such run"
    if expires is None:
        return Ruling(False, f"{who}, and it does not say until when it is needed")
    if now < expires + limits.grace:
        return Ruling(False, f"{who}, and its time lasts until {_clock(expires)}")
    return Ruling(True, f"{who}, and its time was over at {_clock(expires)}")


def _of_ended(resource: OwnedResource, owner: Owner, limits: Limits, now: datetime) -> Ruling:
    heard = owner.heard
    # A process that was long silent when its run was marked has no last words under way.
    last_words = timedelta(0) if owner.presumed else LATE
    if heard and heard > owner.since + last_words and now - heard < _silence(resource, limits):
        return Ruling(False, f"its run is {owner.state}, yet its process still gives signs of life")
    certain = owner.since + _pause(resource) + LATE
    if owner.presumed and now < certain:
        why = f"its run is {owner.state} for its silence alone, and may give a sign of life until "
        return Ruling(False, why + _clock(certain), certain)
    if owner.state == "CRASHED":
        return _left_by_the_dead(resource, owner.since, f"its run is {owner.state}", limits, now)
    return Ruling(True, f"its run is {owner.state}")


def _of_running(resource: OwnedResource, owner: Owner, limits: Limits, now: datetime) -> Ruling:
    last = max(owner.heard or owner.since, owner.since)
    silent = now - last
    if silent < _silence(resource, limits):
        return Ruling(False, f"its run is {owner.state}")
    why = f"its run is {owner.state} but has given no sign of life for {_minutes(silent)}"
    if owner.state == "RUNNING":
        return _left_by_the_dead(resource, last, why, limits, now)
    return Ruling(True, why)


def _left_by_the_dead(
    resource: OwnedResource, died: datetime, why: str, limits: Limits, now: datetime
) -> Ruling:
    """What bills goes at once; a container, which costs little, stays for a while: a retry needs it."""
    if resource.kind in {"input_container", "output_container"} and now < died + limits.retry:
        return Ruling(False, f"{why}, and a retry may use it until {_clock(died + limits.retry)}")
    return Ruling(True, why)


def _gives_heartbeats(resource: OwnedResource, owner: Owner) -> bool:
    """Whether silence means something: a run whose heartbeats are off is silent by nature."""
    if resource.heartbeat is None:
        return owner.last_heartbeat is not None
    return resource.heartbeat > timedelta(0)


def _silence(resource: OwnedResource, limits: Limits) -> timedelta:
    """Never shorter than the pause between two heartbeats of the run."""
    return max(limits.silence, _pause(resource) + LATE)


def _pause(resource: OwnedResource) -> timedelta:
    return resource.heartbeat or _USUAL_HEARTBEAT


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _minutes(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:.0f} minutes"
