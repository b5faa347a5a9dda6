"""The formula of a pool, and what it promises."""

import math
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from batch_emulator.autoscale import AutoScaleResult, Inputs, evaluate, parse
from batch_tasks.pools.scaling import EVALUATION, LEAVING, STARTUP, WINDOW, Scaling, last_billed
from tests.batch_emulator.autoscale.pools import sampled

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_formula_is_read_back_as_it_was_meant() -> None:
    meant = Scaling(3, 5, NOON, NOON + HOUR, 4)
    assert Scaling.parse(meant.formula()) == meant
    assert Scaling.parse("$TargetDedicatedNodes = 3;") is None


def test_two_runs_of_one_pool_get_what_either_needs() -> None:
    one, other = Scaling(3, 0, NOON, NOON + HOUR, 2), Scaling(1, 2, NOON + HOUR / 2, NOON + HOUR / 4, 2)
    assert one.with_room_for(other) == Scaling(3, 2, NOON + HOUR / 2, NOON + HOUR, 2)


def evaluated(scaling: Scaling, at: datetime, pending: list[int]) -> AutoScaleResult:
    """What the formula asks for, with samples of each 30 seconds until then."""
    samples = {"$PendingTasks": sampled(*map(float, pending), until=at.timestamp())}
    return evaluate(parse(scaling.formula()), Inputs(at.timestamp(), samples))


def targets(scaling: Scaling, at: datetime, pending: list[int]) -> tuple[int | None, int | None]:
    result = evaluated(scaling, at, pending)
    return result.target_dedicated, result.target_low_priority


NODES = st.integers(0, 30)


@given(NODES, NODES, st.integers(1, 16), st.integers(0, 400))
def test_after_the_start_there_are_the_nodes_that_pending_tasks_fill(
    dedicated: int, spot: int, slots: int, pending: int
) -> None:
    scaling = Scaling(dedicated, spot, NOON, NOON + HOUR, slots)
    needed = math.ceil(pending / slots)
    wanted = min(dedicated, needed), max(0, min(spot, needed - dedicated))
    assert targets(scaling, NOON + HOUR / 2, [pending] * 20) == wanted


@given(st.integers(1, 30), st.integers(1, 16), st.integers(1, 400))
def test_if_batch_rounded_targets_there_would_never_be_a_node_too_few(
    dedicated: int, slots: int, pending: int
) -> None:
    result = evaluated(Scaling(dedicated, 0, NOON, NOON + HOUR, slots), NOON + HOUR / 2, [pending] * 20)
    needed, fitting = result.variables["needed"], math.ceil(pending / slots)
    assert isinstance(needed, float)
    assert fitting <= round(needed) <= fitting + 1


def test_a_straggler_keeps_one_node_and_only_for_as_long_as_it_takes() -> None:
    scaling = Scaling(10, 5, NOON, NOON + 24 * HOUR, 2)
    window = int(WINDOW.total_seconds()) // 30
    assert targets(scaling, NOON + HOUR, [30, *[1] * (window - 1)]) == (10, 5)
    assert targets(scaling, NOON + HOUR, [30, *[1] * (window + 1)]) == (1, 0)
    assert targets(scaling, NOON + HOUR, [1, *[0] * (window + 1)]) == (0, 0)


def test_all_nodes_are_there_at_first_and_while_nobody_knows_and_none_after_the_deadline() -> None:
    scaling = Scaling(3, 2, NOON, NOON + HOUR, 4)
    assert targets(scaling, NOON - HOUR / 60, [0] * 20) == (3, 2)
    assert targets(scaling, NOON + HOUR / 2, []) == (3, 2)
    assert targets(scaling, NOON + HOUR, [100] * 20) == (0, 0)


def test_nodes_bill_no_longer_than_the_idle_time_or_the_deadline_allow() -> None:
    tail = EVALUATION + LEAVING
    day = NOON + 24 * HOUR
    assert last_billed(NOON, day) == day + tail
    assert last_billed(NOON, day, NOON) == NOON + STARTUP + tail
    assert last_billed(NOON, day, NOON + 2 * HOUR) == NOON + 2 * HOUR + WINDOW + tail
    assert last_billed(NOON, day, day) == day + tail
