"""Every move of pools, jobs, tasks and job schedules, made by the scheduler."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from batch_emulator import events, job_events, node_events
from batch_emulator.lifecycle import ALLOCATION, JOB, JOB_SCHEDULE, POOL, TASK
from batch_emulator.outcomes import Failure
from batch_emulator.resources import JobTask
from tests.batch_emulator.scheduler import test_job_tasks, test_schedules
from tests.batch_emulator.scheduler.cells import Cell, cells, drive, in_table, name, named
from tests.batch_emulator.scheduler.world import Stage

POOL_CELLS = cells("active: delete > deleting")
ALLOCATION_CELLS = cells("""
    steady: resize > resizing
    resizing: reached > steady, timed out > steady, failed > steady, stop > stopping
    stopping: stopped > steady
""")
JOB_CELLS = cells("""
    active: disable > disabling, terminate > terminating, delete > deleting
    disabling: disable > disabling, drained > disabled, terminate > terminating, delete > deleting
    disabled: disable > disabled, enable > enabling, terminate > terminating, delete > deleting
    enabling: enabled > active, terminate > terminating, delete > deleting
    terminating: terminated > completed, delete > deleting
    completed: delete > deleting
""")
TASK_CELLS = cells("""
    active: prepare > preparing, start > running, terminate > completed
    preparing: start > running, preparation failed > active, requeue > active, terminate > completed
    running: end > completed, retry > active, requeue > active, terminate > completed
    completed: reactivate > active
""")
SCHEDULE_CELLS = cells("""
    active: disable > disabled, terminate > terminating, delete > deleting
    disabled: enable > active, terminate > terminating, delete > deleting
    terminating: terminated > completed, delete > deleting
    completed: delete > deleting
""")
Acts = dict[str, Callable[[], object]]


def test_no_move_is_left_out() -> None:
    for given, table in (
        (POOL_CELLS, POOL),
        (ALLOCATION_CELLS, ALLOCATION),
        (JOB_CELLS, JOB),
        (TASK_CELLS, TASK),
        (SCHEDULE_CELLS, JOB_SCHEDULE),
    ):
        assert named(given) == in_table(table)


@pytest.mark.parametrize("cell", [*POOL_CELLS, *ALLOCATION_CELLS], ids=name)
def test_a_pool_moves_as_it_should(cell: Cell) -> None:
    stage = Stage(allocation=100.0, stopping=5.0)
    pool = stage.pool(nodes=2)
    acts: Acts = {
        "delete": lambda: stage.submit(events.DeletePool("pool")),
        "resize": lambda: stage.submit(events.ResizePool("pool", 1, 0, 900.0)),
        "reached": lambda: stage.pass_time(100.0),
        "timed out": lambda: stage.pass_time(900.0),
        "failed": lambda: stage.submit(node_events.FailResize("pool", Failure("UserError", "No", "No."))),
        "stop": lambda: stage.submit(events.StopResize("pool")),
        "stopped": lambda: stage.pass_time(5.0),
    }
    if cell[0] == "steady":
        acts["reached"]()
    if cell[0] == "stopping":
        acts["stop"]()
    if cell[1] == "timed out":
        stage.world.delays = replace(stage.world.delays, allocation=5000.0)
        acts["stop"]()
        acts["stopped"]()
        acts["resize"]()
    if cell in POOL_CELLS:
        drive(POOL, cell, lambda: pool.state.value, acts[cell[1]])
    else:
        drive(ALLOCATION, cell, lambda: pool.allocation.value, acts[cell[1]])


@pytest.mark.parametrize("cell", JOB_CELLS, ids=name)
def test_a_job_moves_as_it_should(cell: Cell) -> None:
    stage = Stage()
    stage.pool()
    job = stage.job()
    run = stage.task("a").run
    assert run is not None
    acts: Acts = {
        "disable": lambda: stage.submit(events.DisableJob("job", "wait")),
        "drained": lambda: stage.end_run(run),
        "enable": lambda: stage.submit(events.EnableJob("job")),
        "enabled": stage.pass_time,
        "terminate": lambda: stage.submit(events.TerminateJob("job", "enough")),
        "terminated": lambda: stage.end_run(run, exit_code=137),
        "delete": lambda: stage.submit(events.DeleteJob("job")),
    }
    ways = {
        "active": (),
        "disabling": ("disable",),
        "disabled": ("disable", "drained"),
        "enabling": ("disable", "drained", "enable"),
        "terminating": ("terminate",),
        "completed": ("terminate", "terminated"),
    }
    for happening in ways[cell[0]]:
        acts[happening]()
    drive(JOB, cell, lambda: job.state.value, acts[cell[1]])


@pytest.mark.parametrize("cell", TASK_CELLS, ids=name)
def test_a_task_moves_as_it_should(cell: Cell) -> None:
    prepares = cell[0] == "preparing" or cell[1] == "prepare"
    stage = Stage()
    stage.pool(nodes=0)
    preparation = JobTask("prepare") if prepares else None
    job = test_job_tasks.job(stage, preparation_task=preparation, release_task=None)
    task = stage.task("a", retries=1 if cell[1] == "retry" else 0)

    def take() -> None:
        stage.submit(events.ResizePool("pool", 1, 0, 900.0))
        stage.pass_time()

    def end_preparation(exit_code: int) -> None:
        (done,) = job.preparation.values()
        assert done.run is not None
        stage.end_run(done.run, exit_code)

    acts: Acts = {
        "prepare": take,
        "preparation failed": lambda: end_preparation(1),
        "start": (lambda: end_preparation(0)) if prepares else take,
        "end": lambda: stage.end(task, exit_code=1),
        "retry": lambda: stage.end(task, exit_code=1),
        "requeue": lambda: stage.submit(events.DisableJob("job", "requeue")),
        "terminate": lambda: stage.submit(events.TerminateTask("job", "a")),
        "reactivate": lambda: stage.submit(events.ReactivateTask("job", "a")),
    }
    ways = {"active": (), "preparing": ("prepare",), "running": ("start",), "completed": ("start", "end")}
    for happening in ways[cell[0]]:
        acts[happening]()
    drive(TASK, cell, lambda: task.state.value, acts[cell[1]])


@pytest.mark.parametrize("cell", SCHEDULE_CELLS, ids=name)
def test_a_job_schedule_moves_as_it_should(cell: Cell) -> None:
    stage = Stage()
    schedule = test_schedules.add(stage)
    acts: Acts = {
        "disable": lambda: stage.submit(job_events.DisableSchedule("s")),
        "enable": lambda: stage.submit(job_events.EnableSchedule("s")),
        "terminate": lambda: stage.submit(job_events.TerminateSchedule("s")),
        "terminated": stage.pass_time,
        "delete": lambda: stage.submit(job_events.DeleteSchedule("s")),
    }
    ways = {
        "active": (),
        "disabled": ("disable",),
        "terminating": ("terminate",),
        "completed": ("terminate", "terminated"),
    }
    for happening in ways[cell[0]]:
        acts[happening]()
    drive(JOB_SCHEDULE, cell, lambda: schedule.state.value, acts[cell[1]])
