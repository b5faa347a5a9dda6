"""The scheduler: events in, instructions out. It decides and never acts: no clock, no I/O, no randomness.

One table says which rule handles which event. Rules change the resources through the lifecycle tables and
yield instructions; the runner carries these out and reports back with more events.
"""

from collections.abc import Callable, Iterator
from typing import Any

from batch_emulator import events, job_events, node_events
from batch_emulator.events import Event, Instruction
from batch_emulator.scheduler import (
    dependencies,
    jobs,
    nodes,
    placement,
    pools,
    runs,
    scaling,
    schedules,
    tasks,
    upkeep,
)
from batch_emulator.scheduler.world import Delays, Quotas, World

Rule = Callable[[World, Any], Iterator[Instruction] | None]

RULES: dict[type[Event], Rule] = {
    events.AddPool: scaling.add_pool,
    events.ResizePool: pools.resize,
    events.StopResize: pools.stop_resize,
    events.RemoveNodes: pools.remove_nodes,
    events.DeletePool: pools.delete,
    events.AllocationDone: pools.allocated,
    events.ResizeTimedOut: pools.timed_out,
    events.PoolGone: pools.gone,
    events.EnableAutoScale: scaling.enable,
    events.DisableAutoScale: scaling.disable,
    events.AutoScaleDue: scaling.due,
    events.SampleDue: scaling.sample,
    events.NodeStep: nodes.step,
    events.NodeGone: nodes.gone,
    node_events.UpdatePool: pools.update,
    node_events.FailResize: pools.fail_resize,
    node_events.RestartNode: upkeep.restart,
    node_events.StartNode: upkeep.start,
    node_events.DisableScheduling: upkeep.disable_scheduling,
    node_events.EnableScheduling: upkeep.enable_scheduling,
    node_events.AddNodeUser: upkeep.add_user,
    node_events.ReplaceNodeUser: upkeep.replace_user,
    node_events.DeleteNodeUser: upkeep.delete_user,
    node_events.UploadLogs: upkeep.upload_logs,
    node_events.PreemptNode: upkeep.preempt,
    node_events.RestoreNode: upkeep.restore,
    node_events.BreakNode: upkeep.break_down,
    node_events.LoseContact: upkeep.lose_contact,
    node_events.RegainContact: upkeep.regain_contact,
    node_events.UpgradeNode: upkeep.upgrade,
    events.AddJob: jobs.add,
    events.UpdateJob: jobs.update,
    events.DisableJob: jobs.disable,
    events.EnableJob: jobs.enable,
    events.TerminateJob: jobs.terminate,
    events.DeleteJob: jobs.delete,
    events.JobExpired: jobs.expired,
    events.JobSettled: jobs.settled,
    job_events.AddSchedule: schedules.add,
    job_events.UpdateSchedule: schedules.update,
    job_events.DisableSchedule: schedules.disable,
    job_events.EnableSchedule: schedules.enable,
    job_events.TerminateSchedule: schedules.terminate,
    job_events.DeleteSchedule: schedules.delete,
    job_events.ScheduleDue: schedules.due,
    job_events.ScheduleSettled: schedules.settled,
    events.AddTask: tasks.add,
    job_events.TasksAged: tasks.aged,
    job_events.UpdateTask: tasks.update,
    events.TerminateTask: tasks.terminate,
    events.DeleteTask: tasks.delete,
    events.ReactivateTask: tasks.reactivate,
    events.PlacementDue: placement.due,
    events.RunEnded: runs.ended,
    events.RunExpired: runs.expired,
    events.RetentionExpired: tasks.retention_expired,
}


def handle(world: World, event: Event, now: float) -> list[Instruction]:
    """Let an event happen at a time; gives what is to be done, in order.

    Raises:
        BatchError: the event is a request that the service refuses in this state; nothing was changed.
    """
    world.now = now
    instructions = list(RULES[type(event)](world, event) or ())
    instructions.extend(_consequences(world))
    return instructions


def _consequences(world: World) -> Iterator[Instruction]:
    """What follows from the resources as they are now, until nothing follows any more."""
    while world.has_loose_ends:
        while world.concluded:
            job, task = world.concluded.pop(0)
            dependencies.release(world, job, task)
            yield from jobs.task_concluded(world, job, task)
        for job_key in _taken(world.unsettled_jobs):
            if job_key in world.account.jobs:
                yield from jobs.settle(world, world.account.jobs[job_key])
        for schedule_key in _taken(world.unsettled_schedules):
            if schedule_key in world.account.schedules:
                yield from schedules.settle(world, world.account.schedules[schedule_key])
        for pool_key in _taken(world.unsettled_pools):
            if pool_key in world.account.pools:
                yield from pools.settle(world, world.account.pools[pool_key])
        for pool_key in _taken(world.unplaced):
            yield from placement.consider(world, pool_key)


def _taken(marks: dict[str, None]) -> list[str]:
    keys = list(marks)
    marks.clear()
    return keys


__all__ = ["RULES", "Delays", "Quotas", "World", "handle"]
