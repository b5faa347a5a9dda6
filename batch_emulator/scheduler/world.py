"""What the scheduler knows beside the resources: runs under way, ready tasks, free slots, loose ends."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from batch_emulator import errors
from batch_emulator.lifecycle import (
    ALLOCATION,
    JOB,
    JOB_SCHEDULE,
    NODE,
    TASK,
    AllocationEvent,
    JobEvent,
    JobScheduleEvent,
    JobState,
    NodeEvent,
    NodeState,
    TaskEvent,
    after,
)
from batch_emulator.resources import Account, Job, JobSchedule, Node, Pool, Task, key
from batch_emulator.scheduler.books import FreeSlots, ReadyTasks
from batch_emulator.scheduler.waiting import Waiting

WORKING = frozenset({NodeState.IDLE, NodeState.RUNNING})
"""States in which a node takes tasks."""


RunKind = Literal["task", "start task", "preparation", "release", "coordination"]


@dataclass(frozen=True, slots=True)
class Delays:
    """How long the service takes, in seconds; all zero by default."""

    allocation: float = 0.0
    creating: float = 0.0
    starting: float = 0.0
    scheduling: float = 0.0
    """From a task that is ready, or a slot that is free, to the task's start."""
    launching: float = 0.0
    """Of a run, before its process starts; kept by the runner."""
    restarting: float = 0.0
    """Of a node that is rebooted, reimaged, upgraded or deallocated, before it starts or is gone."""
    leaving: float = 0.0
    stopping: float = 0.0
    """Of a resize that is stopped, before the pool is steady."""
    deleting_pool: float = 0.0
    """Of a pool, once it has no nodes any more."""
    deleting_job: float = 0.0


@dataclass(frozen=True, slots=True)
class Quotas:
    """How much the account may have at once; None is without limit."""

    pools: int | None = None
    active_jobs: int | None = None
    """Jobs that are not completed and job schedules, together."""
    dedicated_cores: int | None = None
    low_priority_cores: int | None = None


@dataclass(slots=True)
class Run:
    """One attempt to run one command on a node."""

    kind: RunKind
    pool: str
    node: str
    slots: int
    job: str = ""
    task: str = ""
    expired: bool = False
    begun: bool = True
    """The runner has it; a task that waits for its node to be prepared has no process yet."""
    ending: bool = False
    """It was told to end."""
    primary: int = 0
    """The run of the task that a coordination is for."""
    instances: list[int] = field(default_factory=list)
    """The coordinations of a multi-instance task."""


@dataclass(slots=True)
class World:
    """Everything that a decision can depend on. `now` is the time of the event at hand."""

    account: Account
    new_node_id: Callable[[bool], str]
    delays: Delays = field(default_factory=Delays)
    quotas: Quotas = field(default_factory=Quotas)
    now: float = 0.0
    runs: dict[int, Run] = field(default_factory=dict)
    ready: dict[str, ReadyTasks] = field(default_factory=dict)
    """Tasks that only wait for a slot, by job."""
    jobs_of_pool: dict[str, list[Job]] = field(default_factory=dict)
    """Jobs by pool, the first to be served first."""
    free: dict[str, FreeSlots] = field(default_factory=dict)
    """Free slots by pool."""
    waiting: dict[str, Waiting] = field(default_factory=dict)
    """Tasks that wait for others, by job."""
    counter: int = 0
    concluded: list[tuple[Job, Task]] = field(default_factory=list)
    """Tasks that completed in this event, and whose consequences are still to be drawn."""
    unsettled_pools: dict[str, None] = field(default_factory=dict)
    unsettled_jobs: dict[str, None] = field(default_factory=dict)
    unsettled_schedules: dict[str, None] = field(default_factory=dict)
    unplaced: dict[str, None] = field(default_factory=dict)
    """Pools in which a task became ready or a slot became free in this event."""
    placing: set[str] = field(default_factory=set)
    """Pools in which tasks are about to be placed, after the delay of scheduling."""

    @property
    def has_loose_ends(self) -> bool:
        """Whether something still follows from the event at hand."""
        marks = (self.unsettled_jobs, self.unsettled_schedules, self.unsettled_pools, self.unplaced)
        return bool(self.concluded) or any(marks)

    def next_number(self) -> int:
        """A number that was not given before: for runs, serials and addresses."""
        self.counter += 1
        return self.counter

    def pool(self, pool: str) -> Pool:
        """The pool, or PoolNotFound."""
        try:
            return self.account.pools[pool]
        except KeyError:
            raise errors.PoolNotFound from None

    def job(self, job: str) -> Job:
        """The job, or JobNotFound."""
        try:
            return self.account.jobs[job]
        except KeyError:
            raise errors.JobNotFound from None

    def schedule(self, schedule: str) -> JobSchedule:
        """The job schedule, or JobScheduleNotFound."""
        try:
            return self.account.schedules[schedule]
        except KeyError:
            raise errors.JobScheduleNotFound from None

    def task(self, job: str, task: str) -> Task:
        """The task, or JobNotFound or TaskNotFound."""
        try:
            return self.job(job).tasks[task]
        except KeyError:
            raise errors.TaskNotFound from None

    def node(self, pool: str, node: str) -> Node | None:
        """The node, if it still is there."""
        found = self.account.pools.get(pool)
        return found.nodes.get(node) if found else None

    def touch_pool(self, pool: Pool) -> None:
        """Let the end of this event look whether the pool is settled now."""
        self.unsettled_pools[key(pool.id)] = None

    def touch_job(self, job: Job) -> None:
        """Let the end of this event look whether the job is settled now."""
        self.unsettled_jobs[key(job.id)] = None

    def touch_schedule(self, schedule: JobSchedule) -> None:
        """Let the end of this event look whether the schedule is settled now."""
        self.unsettled_schedules[key(schedule.id)] = None

    def touch_ending_jobs(self, pool: Pool) -> None:
        """Let the jobs that end look again at what nodes they wait for with their release tasks."""
        for job in self.jobs_of_pool.get(key(pool.id), ()):
            if job.release_task is not None and job.state in (JobState.TERMINATING, JobState.DELETING):
                self.touch_job(job)

    def book(self, pool: Pool, node: Node) -> None:
        """Enter the node's free slots in the books: none unless it works and takes tasks.

        An idle node that is not to take tasks goes offline.
        """
        if node.state is NodeState.IDLE and not node.scheduling_enabled:
            self.move_node(node, NodeEvent.SCHEDULING_DISABLED)
        wanted = node.scheduling_enabled and not node.leaving and node.restart is None
        takes_tasks = node.state in WORKING and wanted
        free = pool.slots_per_node - node.slots_taken if takes_tasks else None
        self.free[key(pool.id)].set(node.id, free)
        if free:
            self.unplaced[key(pool.id)] = None
        if not takes_tasks or not node.runs:
            self.touch_ending_jobs(pool)

    def make_ready(self, job: Job, task: Task) -> None:
        """Let a task wait for a slot and for nothing else."""
        if task.given_up:
            return
        self.ready[key(job.id)].add(key(task.id), task)
        if job.pool_id is not None:
            self.unplaced[key(job.pool_id)] = None

    def move_allocation(self, pool: Pool, event: AllocationEvent) -> None:
        """Change the allocation state of a pool."""
        pool.allocation = after(ALLOCATION, pool.allocation, event)
        pool.allocation_since = self.now

    def move_node(self, node: Node, event: NodeEvent) -> NodeState:
        """Change the state of a node."""
        node.state = after(NODE, node.state, event)
        node.state_since = self.now
        if node.id in self.account.stays:
            self.account.stays[node.id].enter(node.state, self.now)
        return node.state

    def move_job(self, job: Job, event: JobEvent) -> JobState:
        """Change the state of a job, keeping the previous one."""
        state = after(JOB, job.state, event)
        job.previous = (job.state, job.state_since)
        job.state, job.state_since = state, self.now
        return state

    def move_schedule(self, schedule: JobSchedule, event: JobScheduleEvent) -> None:
        """Change the state of a job schedule, keeping the previous one."""
        state = after(JOB_SCHEDULE, schedule.state, event)
        schedule.previous = (schedule.state, schedule.state_since)
        schedule.state, schedule.state_since = state, self.now

    def move_task(self, job: Job, task: Task, event: TaskEvent) -> None:
        """Change the state of a task, keeping the previous one and the job's tally."""
        state = after(TASK, task.state, event)
        job.tally.add(task, -1)
        task.previous = (task.state, task.state_since)
        task.state, task.state_since = state, self.now
        job.tally.add(task)
