"""Who is an orphan, and who is not: the whole decision as a table."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import yaml

from batch_tasks.naming import RunNames
from batch_tasks.owned_resources import OwnedResource
from flows.garbage import PRESUMED_DEAD, Limits, Owner, judge, judge_all

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = Limits(silence=timedelta(minutes=15), grace=timedelta(hours=1))
RUN = RunNames.of("copy", UUID(int=1))
POOL = OwnedResource("pool", RUN.pool_id, RUN)
JOB = OwnedResource("job", RUN.job_id, RUN)
CONTAINERS = (
    OwnedResource("input_container", RUN.input_container, RUN),
    OwnedResource("output_container", RUN.output_container, RUN),
)
KEPT = OwnedResource("output_container", RUN.output_container, RUN, kept=True)
SOON = NOW + timedelta(hours=3)
OVER = NOW - timedelta(minutes=59)
LONG_OVER = NOW - timedelta(minutes=61)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def running(since: float, heard: float | None, progress: float | None = None) -> Owner:
    beat, moved = (None if minutes is None else ago(minutes) for minutes in (heard, progress))
    return Owner("RUNNING", ago(since), beat, moved)


def marked(since: float, heard: float, progress: float | None = None) -> Owner:
    """A run that the automation marked as crashed so many minutes ago, for its silence."""
    moved = None if progress is None else ago(progress)
    return Owner("CRASHED", ago(since), ago(heard), moved, presumed=True)


def of(resource: OwnedResource, heartbeat: float) -> OwnedResource:
    """The resource of a run that gives a sign of life every so many seconds."""
    return replace(resource, heartbeat=timedelta(seconds=heartbeat))


@pytest.mark.parametrize(
    ("owner", "expires", "orphan", "why"),
    [
        # a run that ended
        (Owner("COMPLETED", ago(1)), SOON, True, "COMPLETED"),
        (Owner("FAILED", ago(1)), SOON, True, "FAILED"),
        (Owner("CANCELLED", ago(1)), None, True, "CANCELLED"),
        (Owner("CRASHED", ago(1), ago(3)), SOON, True, "CRASHED"),
        # a heartbeat that was under way when the run ended
        (Owner("CRASHED", ago(1), ago(1) + timedelta(seconds=5)), SOON, True, "CRASHED"),
        # given up by Prefect, but alive
        (Owner("CRASHED", ago(9), ago(2)), SOON, False, "signs of life"),
        # given up by Prefect, alive for a while, and now dead
        (Owner("CRASHED", ago(90), ago(20)), SOON, True, "CRASHED"),
        # marked by the automation a moment ago: the next heartbeat may be under way
        (marked(1 / 3, 10), SOON, False, "may give a sign of life until 2026-03-01 12:02 UTC"),
        (marked(3, 13), SOON, False, "may give a sign of life"),
        (marked(4, 14), SOON, True, "CRASHED"),
        # marked by the automation, and alive: one heartbeat came, or its progress moved
        (marked(1 / 3, 1 / 6), SOON, False, "gives signs of life"),
        (marked(5, 15, progress=1), SOON, False, "gives signs of life"),
        # its progress moved last before it was marked
        (marked(5, 15, progress=5.5), SOON, True, "CRASHED"),
        # at work
        (running(60, 2), SOON, False, "RUNNING"),
        (running(6000, 2), LONG_OVER, False, "RUNNING"),
        (Owner("CANCELLING", ago(1), ago(4)), SOON, False, "CANCELLING"),
        # retried a moment ago: its heartbeats are those of the attempt before
        (running(1, 600), SOON, False, "RUNNING"),
        # said to be at work
        (running(60, 16), SOON, True, "no sign of life for 16 minutes"),
        (Owner("CANCELLING", ago(60), ago(60)), SOON, True, "no sign of life for 60 minutes"),
        # its heartbeats were lost, but its progress moves
        (running(60, 16, progress=1), SOON, False, "RUNNING"),
        (running(60, 50, progress=16), SOON, True, "no sign of life for 16 minutes"),
        # never heard of: heartbeats may be off, so only time tells
        (running(600, None), SOON, False, "lasts until"),
        (running(600, None), OVER, False, "lasts until"),
        (running(600, None), LONG_OVER, True, "was over at"),
        # to be run, or run again
        (Owner("SCHEDULED", ago(600)), SOON, False, "SCHEDULED"),
        (Owner("PENDING", ago(600)), SOON, False, "PENDING"),
        (Owner("PAUSED", ago(600), ago(600)), SOON, False, "PAUSED"),
        (Owner("SCHEDULED", ago(600)), LONG_OVER, True, "SCHEDULED"),
        # another server's
        (None, SOON, False, "knows no such run"),
        (None, OVER, False, "knows no such run"),
        (None, LONG_OVER, True, "knows no such run"),
        (None, None, False, "does not say until when"),
    ],
)
def test_an_orphan_is_what_nobody_alive_will_delete(
    owner: Owner | None, expires: datetime | None, orphan: bool, why: str
) -> None:
    ruling = judge(POOL, owner, expires, LIMITS, NOW)
    assert ruling.is_orphan is orphan, ruling.why
    assert why in ruling.why


@pytest.mark.parametrize(
    ("heartbeat", "owner", "orphan"),
    [
        # killed before its first heartbeat reached the server
        (180, running(16, None), True),
        (180, running(14, None), False),
        # heartbeats are off: silence means nothing, not even that of the progress
        (0, running(600, None), False),
        (0, running(600, None, progress=500), False),
        # heartbeats are rare: one pause is no silence
        (3600, running(600, 30), False),
        (3600, running(600, 61), True),
        (3600, marked(30, 200), False),
        # heartbeats are frequent: the mark of the automation is certain sooner
        (30, marked(1, 5), True),
        (30, marked(0.5, 5), False),
    ],
)
def test_how_often_the_run_gives_signs_of_life_stands_on_what_it_made(
    heartbeat: float, owner: Owner, orphan: bool
) -> None:
    assert judge(of(POOL, heartbeat), owner, SOON, LIMITS, NOW).is_orphan is orphan


def test_a_mark_of_the_automation_says_when_a_second_look_will_tell() -> None:
    owner = marked(1, 11)
    first = judge(POOL, owner, SOON, LIMITS, NOW)
    assert first.again == owner.since + timedelta(seconds=190)
    assert judge(POOL, owner, SOON, LIMITS, first.again).is_orphan
    assert judge(POOL, Owner("CRASHED", ago(1), ago(3)), SOON, LIMITS, NOW).again is None


@pytest.mark.parametrize(
    ("owner", "stays"),
    [
        (Owner("CRASHED", ago(5 * 60)), True),
        (Owner("CRASHED", ago(7 * 60)), False),
        (running(600, 5 * 60), True),
        (running(600, 7 * 60), False),
        # nobody retries these for what they did
        (Owner("CANCELLED", ago(5)), False),
        (Owner("CANCELLING", ago(600), ago(60)), False),
        (Owner("FAILED", ago(5)), False),
        (Owner("COMPLETED", ago(5)), False),
    ],
)
def test_the_containers_of_a_run_that_was_killed_stay_for_its_retry(owner: Owner, stays: bool) -> None:
    limits = replace(LIMITS, retry=timedelta(hours=6))
    for resource in CONTAINERS:
        ruling = judge(resource, owner, SOON, limits, NOW)
        assert ruling.is_orphan is not stays
        assert ("a retry may use it until" in ruling.why) is stays
    assert judge(POOL, owner, SOON, limits, NOW).is_orphan
    assert judge(JOB, owner, SOON, limits, NOW).is_orphan


@pytest.mark.parametrize("owner", [None, Owner("CRASHED", ago(60)), running(600, 600)])
def test_what_a_run_was_asked_to_keep_is_nobodys_garbage(owner: Owner | None) -> None:
    assert judge(KEPT, owner, LONG_OVER, LIMITS, NOW) == (False, "its run was asked to keep it", None)


def test_a_runs_time_is_the_longest_that_any_of_its_resources_tells() -> None:
    container = OwnedResource("input_container", RUN.input_container, RUN, SOON)
    pool = OwnedResource("pool", RUN.pool_id, RUN, LONG_OVER)
    other = RunNames.of("copy", UUID(int=2))
    elses = OwnedResource("pool", other.pool_id, other, LONG_OVER)
    verdicts = judge_all([pool, container, elses], {}, LIMITS, NOW)
    assert [verdict.is_orphan for verdict in verdicts] == [False, False, True]


def test_each_thing_is_judged_by_its_own_run() -> None:
    other = RunNames.of("copy", UUID(int=2))
    owners = {RUN.flow_run_id: Owner("FAILED", ago(1)), other.flow_run_id: running(1, 1)}
    verdicts = judge_all([POOL, OwnedResource("pool", other.pool_id, other)], owners, LIMITS, NOW)
    assert [verdict.is_orphan for verdict in verdicts] == [True, False]


def test_the_mark_of_the_automation_is_known_by_its_message() -> None:
    file = Path(__file__).parents[2] / "automations" / "zombie-runs.yaml"
    (action,) = yaml.safe_load(file.read_text("utf-8"))["actions"]
    assert action["message"].startswith(PRESUMED_DEAD)
