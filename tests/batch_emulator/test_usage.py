"""Core hours of pools by interval."""

import pytest

from batch_emulator import ledger
from batch_emulator.ledger import Stay
from batch_emulator.lifecycle import NodeState
from batch_emulator.usage import INTERVAL, Usage, last_interval, metrics

T = 1_700_000_000 // INTERVAL * INTERVAL


def stay(pool: str, begin: float, end: float | None, size: str = "standard_d1_v2") -> Stay:
    stay = ledger.begin(pool, f"{pool}-{begin}", dedicated=True, vm_size=size, now=begin)
    if end is not None:
        stay.leave(end)
    return stay


def test_a_stay_is_cut_at_the_ends_of_intervals() -> None:
    used = metrics([stay("p", T + 900, T + 3600 + 450)], T, T + 2 * 3600, T + 9 * 3600)
    assert used == [
        Usage("p", "standard_d1_v2", T, 0.25),
        Usage("p", "standard_d1_v2", T + INTERVAL, 0.5),
        Usage("p", "standard_d1_v2", T + 2 * INTERVAL, 0.125),
    ]


def test_nodes_of_a_pool_add_up_by_their_cores() -> None:
    stays = [
        stay("p", T, None, "standard_d4s_v5"),
        stay("p", T, T + 900, "standard_d4s_v5"),
        stay("q", T, None),
    ]
    used = metrics(stays, T, T + INTERVAL, T + 3600)
    assert used == [Usage("p", "standard_d4s_v5", T, 3.0), Usage("q", "standard_d1_v2", T, 0.5)]


def test_only_what_lies_in_the_range_counts() -> None:
    assert metrics([stay("p", T, T + 600)], T + 600, T + 3600, T + 7200) == []
    [one] = metrics([stay("p", T, T + 600)], T + 300, T + 3600, T + 7200)
    assert one.core_hours == pytest.approx(300 / 3600)


def test_a_preempted_node_uses_nothing() -> None:
    node = stay("p", T, None)
    node.enter(NodeState.PREEMPTED, T + 360)
    [one] = metrics([node], T, T + INTERVAL, T + 7200)
    assert one.core_hours == pytest.approx(0.1)


def test_the_last_interval_available_ended_two_hours_ago() -> None:
    assert last_interval(T + 7200) == (T - INTERVAL, T)
    assert last_interval(T + 7200 + INTERVAL - 1) == (T - INTERVAL, T)
