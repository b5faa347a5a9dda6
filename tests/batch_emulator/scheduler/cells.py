"""Drives each move of the lifecycle tables through the scheduler.

The moves stand once more in these tests, as text, so that a cell of a table that leads elsewhere is noticed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import pytest

from batch_emulator import lifecycle
from batch_emulator.scheduler import pools
from batch_emulator.scheduler import world as scheduler_world

Cell = tuple[str, str, str]
"""A state, an event, and the state that follows."""


def cells(text: str) -> list[Cell]:
    """The moves in lines of `state: event > next state, ...`."""
    found = []
    for line in text.strip().splitlines():
        state, _, moves = line.partition(":")
        for move in moves.split(","):
            event, _, following = move.partition(" > ")
            found.append((state.strip(), event.strip(), following.strip()))
    return found


def name(cell: Cell) -> str:
    return f"{cell[0]}, {cell[1]}"


def in_table(table: lifecycle.Table[Any, Any]) -> set[tuple[str, str]]:
    """The states and events of a table that have a cell."""
    return {(state.value, event.value) for state, row in table.items() for event in row}


def named(given: list[Cell]) -> set[tuple[str, str]]:
    return {(state, event) for state, event, _ in given}


@contextmanager
def moves(table: lifecycle.Table[Any, Any]) -> Iterator[list[Cell]]:
    """The moves that the scheduler makes by a table meanwhile."""
    made: list[Cell] = []

    def recording(used: lifecycle.Table[Any, Any], state: StrEnum, event: StrEnum) -> StrEnum:
        following: StrEnum = lifecycle.after(used, state, event)
        if used is table:
            made.append((state.value, event.value, following.value))
        return following

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scheduler_world, "after", recording)
        patch.setattr(pools, "after", recording)
        yield made


def drive(
    table: lifecycle.Table[Any, Any], cell: Cell, state: Callable[[], str], act: Callable[[], object]
) -> None:
    """Let an event happen to what is in the state of a cell: the first move made must be that cell."""
    assert state() == cell[0]
    with moves(table) as made:
        act()
    assert made[:1] == [cell]
