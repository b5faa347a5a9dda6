"""A run's tasks in time: nothing overlaps, nothing is lost, phases and counts add up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_tasks.report import FileReport, FinishedTask, RunReport
from batch_tasks.timeline import bars, duration, load, phases, ticks, timeline
from tests.batch_tasks.runs import BEGAN, at, report_of


@settings(deadline=None)
@given(st.integers(1, 120), st.integers(1, 6), st.integers(1, 4), st.integers(0, 120))
def test_each_task_has_a_place_of_its_own(files: int, nodes: int, slots: int, failures: int) -> None:
    line = timeline(report_of(files, nodes=nodes, slots=slots, failures=failures))
    placed = [one.task.task_id for row in line.rows for one in row.ran]
    assert sorted(placed) == sorted(f"t{number}" for number in range(files))
    for row in line.rows:
        assert all(a.ended <= b.started for a, b in zip(row.ran, row.ran[1:], strict=False))
        assert {one.task.node_id for one in row.ran} == {row.node_id}
    assert len(line.rows) <= nodes * slots


@settings(deadline=None)
@given(st.integers(1, 120), st.integers(1, 200), st.integers(0, 120))
def test_joined_bars_lose_no_task_and_hide_no_failure(files: int, most: int, failures: int) -> None:
    line = timeline(report_of(files, nodes=3, failures=failures))
    drawn = bars(line, 0.1, most)
    assert sum(len(bar.ran) for _, bar in drawn) == files
    assert all(len({one.ok for one in bar.ran}) == 1 for _, bar in drawn)
    assert len(drawn) <= max(most, 2 * len(line.rows))


def test_the_phases_of_a_run_follow_each_other_to_its_end() -> None:
    line = timeline(report_of(20))
    names = [name for name, _, _ in phases(line)]
    assert names == ["prepare", "wait for nodes", "run tasks", "retrieve"]
    ends = [ended for _, _, ended in phases(line)]
    assert [began for _, began, _ in phases(line)] == [0.0, *ends[:-1]]
    assert (phases(line)[0][2], ends[-1]) == (9.0, line.seconds)
    assert ends[-1] - ends[-2] == pytest.approx(8)


def test_never_more_tasks_run_and_wait_than_there_are() -> None:
    columns = load(timeline(report_of(60, nodes=4, slots=2)), 200)
    assert max(running + waiting for running, waiting in columns) == 60
    assert max(running for running, _ in columns) <= 8
    assert (0, 60) in columns


def test_a_task_is_as_good_as_its_worst_file() -> None:
    task = FinishedTask("T", True, "n", 0, created=at(0), started=at(1), ended=at(2))
    files = (FileReport("a", "succeeded", "t"), FileReport("b", "failed", "t"))
    (ran,) = timeline(RunReport("w", "id", "/out", files, (task,), BEGAN, at(3))).ran
    assert not ran.ok


def test_tasks_that_never_started_and_clocks_that_differ_do_no_harm() -> None:
    tasks = (
        FinishedTask("lost", False),
        FinishedTask("early", True, "n", 0, created=at(5), started=at(4), ended=at(3)),
    )
    line = timeline(RunReport("w", "id", "/out", (), tasks, at(10), at(11)))
    assert [(one.submitted, one.started, one.ended) for one in line.ran] == [(0.0, 0.0, 0.0)]
    empty = timeline(RunReport("w", "id", "/out", ()))
    assert (empty.ran, phases(empty), empty.seconds) == ((), [], 0.0)


def test_of_too_many_nodes_those_with_failures_are_shown() -> None:
    report = report_of(3000, nodes=300, failures=1)
    line = timeline(report)
    assert (line.nodes, line.nodes_shown, len(line.rows)) == (300, 80, 80)
    assert report.tasks[0].node_id in {row.node_id for row in line.rows}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (0.44, "0.4 s"), (9.96, "10 s"), (61, "1 min 1 s"), (3600, "1 h"), (7500, "2 h 5 min")],
)
def test_durations_read_well(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@given(st.floats(0.001, 1e7))
def test_an_axis_has_few_round_ticks(seconds: float) -> None:
    marks = ticks(seconds)
    assert marks[0] == 0
    assert len(marks) <= 9
    assert marks[-1] <= seconds
