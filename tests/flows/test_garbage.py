"""Who is an orphan, and who is not: the whole decision as a table."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from batch_tasks.naming import RunNames
from batch_tasks.owned_resources import OwnedResource
from flows.garbage import Limits, Owner, judge, judge_all

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = Limits(silence=timedelta(minutes=15), grace=timedelta(hours=1))
RUN = RunNames.of("copy", UUID(int=1))
POOL = OwnedResource("pool", RUN.pool_id, RUN)
KEPT = OwnedResource("output_container", RUN.output_container, RUN, kept=True)
SOON = NOW + timedelta(hours=3)
OVER = NOW - timedelta(minutes=59)
LONG_OVER = NOW - timedelta(minutes=61)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def running(since: float, heard: float | None) -> Owner:
    return Owner("RUNNING", ago(since), None if heard is None else ago(heard))


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
        # at work
        (running(60, 2), SOON, False, "RUNNING"),
        (running(6000, 2), LONG_OVER, False, "RUNNING"),
        (Owner("CANCELLING", ago(1), ago(4)), SOON, False, "CANCELLING"),
        # retried a moment ago: its heartbeats are those of the attempt before
        (running(1, 600), SOON, False, "RUNNING"),
        # said to be at work
        (running(60, 16), SOON, True, "no sign of life for 16 minutes"),
        (Owner("CANCELLING", ago(60), ago(60)), SOON, True, "no sign of life for 60 minutes"),
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
    is_orphan, told = judge(POOL, owner, expires, LIMITS, NOW)
    assert is_orphan is orphan, told
    assert why in told


@pytest.mark.parametrize("owner", [None, Owner("CRASHED", ago(60)), running(600, 600)])
def test_what_a_run_was_asked_to_keep_is_nobodys_garbage(owner: Owner | None) -> None:
    assert judge(KEPT, owner, LONG_OVER, LIMITS, NOW) == (False, "its run was asked to keep it")


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
