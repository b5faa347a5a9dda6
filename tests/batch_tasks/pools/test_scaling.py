"""The formula of a pool, and what it promises."""

from datetime import UTC, datetime, timedelta

from batch_tasks.pools.scaling import EVALUATION, LEAVING, STARTUP, WINDOW, Scaling, last_billed

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_formula_is_read_back_as_it_was_meant() -> None:
    meant = Scaling(3, 5, NOON, NOON + HOUR)
    assert Scaling.parse(meant.formula()) == meant
    assert Scaling.parse("$TargetDedicatedNodes = 3;") is None


def test_two_runs_of_one_pool_get_what_either_needs() -> None:
    one, other = Scaling(3, 0, NOON, NOON + HOUR), Scaling(1, 2, NOON + HOUR / 2, NOON + HOUR / 4)
    assert one.with_room_for(other) == Scaling(3, 2, NOON + HOUR / 2, NOON + HOUR)


def test_nodes_bill_no_longer_than_the_idle_time_or_the_deadline_allow() -> None:
    tail = EVALUATION + LEAVING
    day = NOON + 24 * HOUR
    assert last_billed(NOON, day) == day + tail
    assert last_billed(NOON, day, NOON) == NOON + STARTUP + tail
    assert last_billed(NOON, day, NOON + 2 * HOUR) == NOON + 2 * HOUR + WINDOW + tail
    assert last_billed(NOON, day, day) == day + tail
