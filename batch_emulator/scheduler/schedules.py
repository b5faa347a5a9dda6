"""The rules of job schedules: when a job is due, whether it is created then, and when there are no more.

A job comes due at the beginning of each interval and is created as soon as the job before it has finished; a
start window that passes before that makes it be left out. At most one job of a schedule is due at a time, for
what came due in one interval is not carried into the next (all documented). A disabled schedule creates the
job that came due meanwhile if it is enabled within the start window (assumed).
"""

from collections.abc import Iterator

from batch_emulator import errors
from batch_emulator.events import AddJob, After, DeleteJob, Instruction, TerminateJob
from batch_emulator.job_events import (
    AddSchedule,
    DeleteSchedule,
    DisableSchedule,
    EnableSchedule,
    ScheduleDue,
    ScheduleSettled,
    TerminateSchedule,
    UpdateSchedule,
)
from batch_emulator.lifecycle import JobScheduleEvent, JobScheduleState, JobState
from batch_emulator.resources import Job, JobSchedule, key
from batch_emulator.scheduler import auto_pools, jobs, quotas, tasks
from batch_emulator.scheduler.world import World
from batch_emulator.wire import creations

_REFUSALS: dict[JobScheduleState, type[errors.BatchError]] = {
    JobScheduleState.TERMINATING: errors.JobScheduleBeingTerminated,
    JobScheduleState.COMPLETED: errors.JobScheduleCompleted,
    JobScheduleState.DELETING: errors.JobScheduleBeingDeleted,
}
_INSTANT = 1e-6
"""Seconds by which a timer may come early: times are floating."""


def _open(world: World, schedule_key: str) -> JobSchedule:
    schedule = world.schedule(schedule_key)
    if schedule.state in _REFUSALS:
        raise _REFUSALS[schedule.state]
    return schedule


def add(world: World, event: AddSchedule) -> Iterator[Instruction]:
    """Take a new schedule into the account; its first job is due at once unless it says otherwise."""
    schedule, schedule_key = event.schedule, key(event.schedule.id)
    existing = world.account.schedules.get(schedule_key)
    if existing is not None:
        being_deleted = existing.state is JobScheduleState.DELETING
        raise errors.JobScheduleBeingDeleted if being_deleted else errors.JobScheduleExists
    if schedule_key in world.account.jobs:
        raise errors.JobWithSameIdExists
    quotas.check_jobs(world)
    schedule.serial = world.next_number()
    schedule.state_since = world.now
    world.account.schedules[schedule_key] = schedule
    yield from _plan(world, schedule, schedule.created)


def update(world: World, event: UpdateSchedule) -> Iterator[Instruction]:
    """Change a schedule; the job that it has is left as it is (documented)."""
    schedule = _open(world, event.schedule)
    schedule.document, schedule.timing = event.document, event.timing
    interval = event.timing.interval
    if schedule.last_due is None:
        yield from _plan(world, schedule, schedule.created)
    else:
        yield from _plan(world, schedule, None if interval is None else schedule.last_due + interval)


def _plan(world: World, schedule: JobSchedule, earliest: float | None) -> Iterator[Instruction]:
    """Set the time of the next job, which a time in the schedule may put off."""
    schedule.epoch = world.next_number()
    begin = schedule.timing.begin
    schedule.next_run = None if earliest is None else max(earliest, begin or earliest)
    yield from _tick(world, schedule)


def due(world: World, event: ScheduleDue) -> Iterator[Instruction]:
    """See whether a job is due by now, and when the next one will be."""
    schedule = world.account.schedules.get(event.schedule)
    if schedule is not None and schedule.epoch == event.epoch and schedule.state not in _REFUSALS:
        yield from _tick(world, schedule)


def _tick(world: World, schedule: JobSchedule) -> Iterator[Instruction]:
    timing = schedule.timing
    while schedule.next_run is not None and schedule.next_run <= world.now + _INSTANT:
        schedule.due = schedule.last_due = schedule.next_run
        schedule.next_run = None if timing.interval is None else schedule.next_run + timing.interval
    if timing.end is not None and schedule.next_run is not None and schedule.next_run >= timing.end:
        schedule.next_run = None
    times = [schedule.next_run, timing.end]
    if schedule.due is not None and timing.window is not None:
        times.append(schedule.due + timing.window)
    coming = [time for time in times if time is not None and time > world.now + _INSTANT]
    if coming:
        yield After(min(coming) - world.now, ScheduleDue(key(schedule.id), schedule.epoch))
    world.touch_schedule(schedule)


def disable(world: World, event: DisableSchedule) -> None:
    """Create no more jobs; the one that there is goes on."""
    schedule = _open(world, event.schedule)
    if schedule.state is JobScheduleState.DISABLED:
        raise errors.JobScheduleDisabled
    world.move_schedule(schedule, JobScheduleEvent.DISABLE)


def enable(world: World, event: EnableSchedule) -> None:
    """Create jobs again; enabling an active schedule changes nothing (assumed)."""
    schedule = _open(world, event.schedule)
    if schedule.state is JobScheduleState.DISABLED:
        world.move_schedule(schedule, JobScheduleEvent.ENABLE)
        world.touch_schedule(schedule)


def terminate(world: World, event: TerminateSchedule) -> Iterator[Instruction]:
    """End a schedule and the job that it has."""
    schedule = _open(world, event.schedule)
    _finish(world, schedule)
    job = _active_job(world, schedule)
    if job is not None and job.state not in tasks.REFUSALS:
        yield from jobs.terminate(world, TerminateJob(key(job.id), "TerminateJobSchedule"))


def _finish(world: World, schedule: JobSchedule) -> None:
    world.move_schedule(schedule, JobScheduleEvent.TERMINATE)
    schedule.due = schedule.next_run = None
    world.touch_schedule(schedule)


def delete(world: World, event: DeleteSchedule) -> Iterator[Instruction]:
    """Remove a schedule with all its jobs (documented)."""
    schedule = world.schedule(event.schedule)
    if schedule.state is JobScheduleState.DELETING:
        raise errors.JobScheduleBeingDeleted
    world.move_schedule(schedule, JobScheduleEvent.DELETE)
    schedule.due = schedule.next_run = None
    for job in jobs_of(world, schedule):
        if job.state is not JobState.DELETING:
            yield from jobs.delete(world, DeleteJob(key(job.id)))
    world.touch_schedule(schedule)


def jobs_of(world: World, schedule: JobSchedule) -> list[Job]:
    """The jobs that a schedule has created and that still are there, the oldest first."""
    return [job for job in world.account.jobs.values() if job.schedule_id == key(schedule.id)]


def _active_job(world: World, schedule: JobSchedule) -> Job | None:
    job = world.account.jobs.get(key(schedule.recent_job)) if schedule.recent_job else None
    return job if job is not None and job.state is not JobState.COMPLETED else None


def settle(world: World, schedule: JobSchedule) -> Iterator[Instruction]:
    """Derive what follows from the time and from the jobs: another job, or the end."""
    if schedule.state is JobScheduleState.DELETING:
        idle = not jobs_of(world, schedule)
    else:
        _drop_lost(world, schedule)
        idle = _active_job(world, schedule) is None
        if idle and schedule.state is JobScheduleState.ACTIVE:
            if schedule.due is not None:
                yield from _create_job(world, schedule)
                return
            if _has_no_more(world, schedule):
                _finish(world, schedule)
    if idle and schedule.state in (JobScheduleState.TERMINATING, JobScheduleState.DELETING):
        yield After(0.0, ScheduleSettled(key(schedule.id), schedule.serial))


def _has_no_more(world: World, schedule: JobSchedule) -> bool:
    """Whether no job will be due any more; one that recurs stays until its end, if any (documented)."""
    end = schedule.timing.end
    recurs = schedule.timing.interval is not None
    return schedule.next_run is None and (not recurs or end is None or world.now + _INSTANT >= end)


def _drop_lost(world: World, schedule: JobSchedule) -> None:
    """Forget a job that is due if it may not be created any more."""
    timing = schedule.timing
    ends = [] if timing.end is None else [timing.end]
    if schedule.due is not None and timing.window is not None:
        ends.append(schedule.due + timing.window)
    if any(world.now + _INSTANT >= end for end in ends):
        schedule.due = None


def _create_job(world: World, schedule: JobSchedule) -> Iterator[Instruction]:
    schedule.due = None
    job_id = f"{schedule.id}:job-{schedule.jobs_created + 1}"
    job = creations.job({"id": job_id, **schedule.document["jobSpecification"]}, world.now)
    job.schedule_id = key(schedule.id)
    asked = auto_pools.specification(job.document) or {}
    shares = asked.get("poolLifetimeOption") == "jobschedule"
    if shares and schedule.pool_id is not None and key(schedule.pool_id) in world.account.pools:
        job.pool_id = schedule.pool_id
    try:
        yield from jobs.add(world, AddJob(job))
    except errors.ActiveJobAndScheduleQuotaReached:
        return  # this time is left out (assumed)
    schedule.jobs_created += 1
    schedule.recent_job = job.id
    if shares:
        schedule.pool_id = job.pool_id


def settled(world: World, event: ScheduleSettled) -> Iterator[Instruction]:
    """Complete a schedule, or forget a deleted one, when it has nothing left to wait for."""
    schedule = world.account.schedules.get(event.schedule)
    if schedule is None or schedule.serial != event.serial:
        return
    if schedule.state is JobScheduleState.TERMINATING and _active_job(world, schedule) is None:
        world.move_schedule(schedule, JobScheduleEvent.TERMINATED)
        schedule.ended = world.now
    elif schedule.state is JobScheduleState.DELETING and not jobs_of(world, schedule):
        del world.account.schedules[event.schedule]
    else:
        return
    asked = auto_pools.specification(schedule.document["jobSpecification"])
    yield from auto_pools.remove(world, schedule.pool_id, asked)
