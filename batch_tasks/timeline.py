"""A run's tasks laid out in time: which row of which node, from when to when, and how many waited. Pure.

A task takes a row of its node from its start to its end; tasks that ran beside each other take several rows.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from batch_tasks.report import FileReport, FinishedTask, RunReport

MOST_ROWS = 80
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400)


@dataclass(frozen=True)
class Ran:
    """A task that ran: seconds since the run began, its node, and the files it worked on."""

    task: FinishedTask
    files: tuple[FileReport, ...]
    submitted: float
    started: float
    ended: float

    @property
    def ok(self) -> bool:
        """Whether it and every file of it succeeded."""
        return self.task.succeeded and all(file.state == "succeeded" for file in self.files)


@dataclass(frozen=True)
class Row:
    """What one slot of a node did, one after the other. `number` counts the nodes from 1."""

    node_id: str
    number: int
    is_first: bool
    ran: tuple[Ran, ...]


@dataclass(frozen=True)
class Bar:
    """One task, or neighbours too short to be told apart; `began` and `ended` in seconds."""

    began: float
    ended: float
    ran: tuple[Ran, ...]


@dataclass(frozen=True)
class Timeline:
    """A run in seconds. `rows` are at most `MOST_ROWS`; `nodes` counts all nodes that ran something."""

    seconds: float
    ran: tuple[Ran, ...]
    rows: tuple[Row, ...]
    nodes: int

    @property
    def nodes_shown(self) -> int:
        """How many nodes have rows."""
        return len({row.node_id for row in self.rows})


def timeline(report: RunReport) -> Timeline:
    """The tasks of the run that ran, in order of their start."""
    moments = [moment for task in report.tasks for moment in (task.created, task.started) if moment]
    began = min([*moments, *([report.created] if report.created else [])], default=None)
    if began is None:
        return Timeline(0.0, (), (), 0)
    files = defaultdict[str, list[FileReport]](list)
    for file in (*report.files, *((report.merged,) if report.merged else ())):
        for task_id in (file.task_id, *file.earlier_tasks):
            files[task_id.lower()].append(file)
    ran = sorted(_ran(report.tasks, files, began), key=lambda one: (one.started, one.ended))
    ends = [one.ended for one in ran] + ([_since(began, report.ended)] if report.ended else [])
    by_node = defaultdict[str, list[Ran]](list)
    for one in ran:
        by_node[one.task.node_id].append(one)
    return Timeline(max([*ends, 0.001]), tuple(ran), tuple(_rows(by_node)), len(by_node))


def duration(seconds: float) -> str:
    """So many seconds in words: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 4 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s".replace(".0 ", " ")
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s".replace(" 0 s", "")
    return f"{whole // 3600} h {whole % 3600 // 60} min".replace(" 0 min", "")


def ticks(seconds: float, most: int = 8) -> list[float]:
    """Round moments from 0 to the end, at most so many and one."""
    last = _STEPS[-1] * max(1, math.ceil(seconds / most / _STEPS[-1]))
    step = next((step for step in _STEPS if seconds / step <= most), last)
    return [number * step for number in range(math.floor(seconds / step) + 1)]


def phases(line: Timeline) -> list[tuple[str, float, float]]:
    """What the run was about, from when to when."""
    if not line.ran:
        return []
    submitted = min(one.submitted for one in line.ran)
    started = line.ran[0].started
    ended = max(one.ended for one in line.ran)
    return [
        ("prepare", 0.0, submitted),
        ("wait for nodes", submitted, started),
        ("run tasks", started, ended),
        ("retrieve", ended, line.seconds),
    ]


def load(line: Timeline, columns: int) -> list[tuple[int, int]]:
    """For each of so many equal spans of time: how many tasks ran and waited when they were most together."""
    steps = sorted(
        (moment, running, waiting)
        for one in line.ran
        for moment, running, waiting in ((one.submitted, 0, 1), (one.started, 1, -1), (one.ended, -1, 0))
    )
    most: list[tuple[int, int]] = []
    now = (0, 0)
    position = 0
    for column in range(columns):
        until = line.seconds * (column + 1) / columns
        top = now
        while position < len(steps) and (steps[position][0] <= until or column == columns - 1):
            now = now[0] + steps[position][1], now[1] + steps[position][2]
            top = max(top, now, key=sum)
            position += 1
        most.append(top)
    return most


def bars(line: Timeline, pixel: float, most: int) -> list[tuple[int, Bar]]:
    """The bars of each row by its index; tasks shorter than a pixel (in seconds) join their neighbours.

    Pixels grow until the bars are at most `most`, or as few as they can be; those for tasks that failed last.
    What failed joins only what failed, so that it stays visible.
    """
    pixels = {True: pixel, False: pixel}
    while True:
        found = [
            (index, bar)
            for index, row in enumerate(line.rows)
            for good in (True, False)
            for bar in _joined([one for one in row.ran if one.ok is good], pixels[good])
        ]
        if len(found) <= most or min(pixels.values()) > line.seconds:
            return found
        pixels[pixels[True] <= line.seconds / 20 or pixels[False] > line.seconds] *= 2


def _joined(ran: Sequence[Ran], pixel: float) -> Iterator[Bar]:
    group: list[Ran] = []
    for one in ran:
        is_small = (
            one.ended - one.started < pixel and one.started - group[-1].ended < pixel if group else False
        )
        if group and not is_small:
            yield Bar(group[0].started, group[-1].ended, tuple(group))
            group = []
        group.append(one)
    if group:
        yield Bar(group[0].started, group[-1].ended, tuple(group))


def _ran(
    tasks: Iterable[FinishedTask], files: Mapping[str, Sequence[FileReport]], began: datetime
) -> Iterator[Ran]:
    for task in tasks:
        if task.started and task.ended:
            started = _since(began, task.started)
            submitted = _since(began, task.created) if task.created else started
            yield Ran(
                task,
                tuple(files.get(task.task_id.lower(), ())),
                min(submitted, started),
                started,
                max(started, _since(began, task.ended)),
            )


def _rows(by_node: Mapping[str, Sequence[Ran]]) -> list[Row]:
    """The nodes in order of their first task; of too many those with failures, then the busiest."""
    numbers = {node: number for number, node in enumerate(by_node, 1)}

    def worth(node: str) -> tuple[bool, int]:
        return any(not one.ok for one in by_node[node]), len(by_node[node])

    rows: list[Row] = []
    for node in sorted(by_node, key=worth, reverse=True):
        slots = _slots(by_node[node])
        if rows and len(rows) + len(slots) > MOST_ROWS:
            break
        rows += [Row(node, numbers[node], index == 0, slot) for index, slot in enumerate(slots)]
    return sorted(rows, key=lambda row: row.number)


def _slots(ran: Sequence[Ran]) -> list[tuple[Ran, ...]]:
    """The tasks of one node in as few rows as keep them from overlapping."""
    slots: list[list[Ran]] = []
    for one in ran:
        slot = next((slot for slot in slots if slot[-1].ended <= one.started), None)
        if slot is None:
            slots.append(slot := [])
        slot.append(one)
    return [tuple(slot) for slot in slots]


def _since(began: datetime, moment: datetime) -> float:
    return (moment - began).total_seconds()
