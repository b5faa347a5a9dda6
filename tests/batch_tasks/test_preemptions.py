"""Preemptions as they are told from what Batch shows of tasks, whenever it is looked at. No service."""

from datetime import UTC, datetime, timedelta

import pytest

from batch_tasks.pools.scaling import Scaling
from batch_tasks.preemptions import Preemptions, TaskSighting
from batch_tasks.report import FinishedTask
from batch_tasks.spot_watch import moved

MADE = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return MADE + timedelta(seconds=seconds)


def running(since: float, queued: float = 0, node: str = "spot", counted: int = 0) -> TaskSighting:
    return TaskSighting("Task", "running", at(since), "active", at(queued), MADE, node, counted)


def queued(since: float, ran_since: float, counted: int = 0) -> TaskSighting:
    return TaskSighting("Task", "active", at(since), "running", at(ran_since), MADE, "", counted)


def seen(*looks: TaskSighting) -> tuple[int, float]:
    preemptions = Preemptions()
    for look in looks:
        preemptions.look([look], {"dedicated"})
    done = preemptions.on(FinishedTask("task", True))
    assert done.attempts == 1 + done.preemptions == 1 + preemptions.most == 1 + preemptions.total
    return done.preemptions, done.wasted_seconds


def test_a_task_that_runs_and_goes_on_has_lost_nothing() -> None:
    assert seen(running(5), running(5)) == (0, 0)


def test_a_task_back_in_its_queue_lost_the_time_it_had_run() -> None:
    assert seen(running(5), queued(35.5, 5)) == (1, 30.5)


def test_it_counts_once_however_often_it_is_looked_at() -> None:
    assert seen(running(5), queued(35, 5), queued(35, 5), running(50, 35), running(50, 35)) == (1, 30)


def test_a_task_that_runs_again_at_the_next_look_went_through_its_queue() -> None:
    assert seen(running(5), running(50, 35)) == (1, 30)


def test_each_loss_counts() -> None:
    assert seen(running(5), queued(35, 5), running(50, 35), queued(60, 50), running(70, 60)) == (2, 40)


def test_a_task_never_seen_running_is_told_by_its_states() -> None:
    assert seen(queued(35, 5)) == (1, 30)


def test_when_it_began_is_not_invented() -> None:
    assert seen(running(50, 35)) == (1, 0)


def test_a_retry_of_the_task_or_a_requeue_that_was_asked_for_is_no_preemption() -> None:
    assert seen(running(5), queued(35, 5, counted=1), running(50, 35, counted=1)) == (0, 0)


def test_a_dedicated_node_is_not_taken_away() -> None:
    assert seen(running(5, node="dedicated"), queued(35, 5)) == (0, 0)


def test_the_first_start_is_none() -> None:
    assert seen(TaskSighting("Task", "active", at(0), "", None, MADE), running(5, 0)) == (0, 0)


SCALING = Scaling(1, 4, at(0), at(100), 2)


def test_dedicated_nodes_take_the_place_of_the_spot_nodes() -> None:
    assert moved(SCALING, shared=False) == Scaling(5, 0, at(0), at(100), 2)


def test_spot_nodes_that_others_use_stay() -> None:
    assert moved(SCALING, shared=True) == Scaling(4, 4, at(0), at(100), 2)


@pytest.mark.parametrize("shared", [True, False])
def test_a_pool_that_was_moved_before_gets_no_more_nodes(shared: bool) -> None:
    once = moved(SCALING, shared=shared)
    assert moved(once, shared=shared) == once
