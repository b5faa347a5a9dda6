"""The tables of states as such. Their moves are made in tests of the scheduler; others are refused here."""

import itertools
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import pytest

from batch_emulator import lifecycle
from batch_emulator.lifecycle import (
    ALLOCATION,
    JOB,
    JOB_SCHEDULE,
    NODE,
    POOL,
    TASK,
    InvalidTransition,
    NodeEvent,
    NodeState,
    after,
)

TABLES: dict[str, tuple[Any, type[StrEnum], type[StrEnum]]] = {
    "pool": (POOL, lifecycle.PoolState, lifecycle.PoolEvent),
    "allocation": (ALLOCATION, lifecycle.AllocationState, lifecycle.AllocationEvent),
    "node": (NODE, lifecycle.NodeState, lifecycle.NodeEvent),
    "job": (JOB, lifecycle.JobState, lifecycle.JobEvent),
    "task": (TASK, lifecycle.TaskState, lifecycle.TaskEvent),
    "job schedule": (JOB_SCHEDULE, lifecycle.JobScheduleState, lifecycle.JobScheduleEvent),
}
START: dict[str, StrEnum] = {
    "pool": lifecycle.PoolState.ACTIVE,
    "allocation": lifecycle.AllocationState.STEADY,
    "node": NodeState.CREATING,
    "job": lifecycle.JobState.ACTIVE,
    "task": lifecycle.TaskState.ACTIVE,
    "job schedule": lifecycle.JobScheduleState.ACTIVE,
}
LAST: dict[str, set[StrEnum]] = {
    "pool": {lifecycle.PoolState.DELETING},
    "allocation": set(),
    "node": {NodeState.LEAVING_POOL},
    "job": {lifecycle.JobState.DELETING},
    "task": set(),
    "job schedule": {lifecycle.JobScheduleState.DELETING},
}


def other_pairs() -> Iterator[Any]:
    """All pairs of a state and an event that are in no table."""
    for name, (table, states, events) in TABLES.items():
        for state, event in itertools.product(states, events):
            if event not in table[state]:
                yield pytest.param(table, state, event, id=f"{name}: {state.value}, {event.value}")


@pytest.mark.parametrize(("table", "state", "event"), list(other_pairs()))
def test_any_other_move_is_refused_by_name(table: Any, state: StrEnum, event: StrEnum) -> None:
    with pytest.raises(InvalidTransition, match=f"{event.value}.*{state.value}"):
        after(table, state, event)


@pytest.mark.parametrize("name", TABLES)
def test_every_state_has_its_row_and_is_reached_from_the_first(name: str) -> None:
    table, states, _ = TABLES[name]
    assert set(table) == set(states)
    reached, todo = {START[name]}, [START[name]]
    while todo:
        for following in table[todo.pop()].values():
            if following not in reached:
                reached.add(following)
                todo.append(following)
    assert reached == set(states)


@pytest.mark.parametrize("name", TABLES)
def test_every_event_can_happen_somewhere(name: str) -> None:
    table, _, events = TABLES[name]
    assert {event for row in table.values() for event in row} == set(events)


@pytest.mark.parametrize("name", TABLES)
def test_only_what_is_on_its_way_out_has_no_way_on(name: str) -> None:
    table, states, _ = TABLES[name]
    assert {state for state in states if not table[state]} == LAST[name]


def test_a_node_can_leave_its_pool_from_wherever_it_is() -> None:
    for state in set(NodeState) - {NodeState.LEAVING_POOL}:
        assert after(NODE, state, NodeEvent.LEAVE) is NodeState.LEAVING_POOL
