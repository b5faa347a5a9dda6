"""What the scheduler knows beside the resources: runs under way, ready tasks, free slots, loose ends."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from batch_emulator import errors
from batch_emulator.lifecycle import (
    ALLOCATION,
    JOB,
    NODE,
    TASK,
    AllocationEvent,
    JobEvent,
    JobState,
    NodeEvent,
    NodeState,
    TaskEvent,
    after,
)
from batch_emulator.resources import Account, Job, Node, Pool, Task, key
from batch_emulator.scheduler.books import FreeSlots, ReadyTasks

WORKING = frozenset({NodeState.IDLE, NodeState.RUNNING})
"""States in which a node takes tasks."""


@dataclass(frozen=True, slots=True)
class Delays:
    """How long the service takes, in seconds; all zero by default."""

    allocation: float = 0.0
    creating: float = 0.0
    starting: float = 0.0
    leaving: float = 0.0
    deleting_job: float = 0.0


@dataclass(slots=True)
class Run:
    """One attempt to run one command on a node."""

    kind: Literal["task", "start task"]
    pool: str
    node: str
    slots: int
    job: str = ""
    task: str = ""
    expired: bool = False


@dataclass(slots=True)
class World:
    """Everything that a decision can depend on. `now` is the time of the event at hand."""

    account: Account
    new_node_id: Callable[[bool], str]
    delays: Delays = field(default_factory=Delays)
    now: float = 0.0
    runs: dict[int, Run] = field(default_factory=dict)
    ready: dict[str, ReadyTasks] = field(default_factory=dict)
    """Tasks that only wait for a slot, by job."""
    jobs_of_pool: dict[str, list[Job]] = field(default_factory=dict)
    """Jobs by pool, the first to be served first."""
    free: dict[str, FreeSlots] = field(default_factory=dict)
    """Free slots by pool."""
    waiting: dict[str, dict[str, list[Task]]] = field(default_factory=dict)
    """Tasks that wait for others, by job and by the id they wait for."""
    counter: int = 0
    concluded: list[tuple[Job, Task]] = field(default_factory=list)
    """Tasks that completed in this event, and whose consequences are still to be drawn."""
    unsettled_pools: dict[str, None] = field(default_factory=dict)
    unsettled_jobs: dict[str, None] = field(default_factory=dict)
    unplaced: dict[str, None] = field(default_factory=dict)
    """Pools in which a task became ready or a slot became free in this event."""

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

    def book(self, pool: Pool, node: Node) -> None:
        """Enter the node's free slots in the books: none unless it works and takes tasks."""
        takes_tasks = node.state in WORKING and node.scheduling_enabled and not node.leaving
        free = pool.slots_per_node - node.slots_taken if takes_tasks else None
        self.free[key(pool.id)].set(node.id, free)
        if free:
            self.unplaced[key(pool.id)] = None

    def make_ready(self, job: Job, task: Task) -> None:
        """Let a task wait for a slot and for nothing else."""
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
        return node.state

    def move_job(self, job: Job, event: JobEvent) -> JobState:
        """Change the state of a job, keeping the previous one."""
        state = after(JOB, job.state, event)
        job.previous = (job.state, job.state_since)
        job.state, job.state_since = state, self.now
        return state

    def move_task(self, job: Job, task: Task, event: TaskEvent) -> None:
        """Change the state of a task, keeping the previous one and the job's tally."""
        state = after(TASK, task.state, event)
        job.tally.add(task, -1)
        task.previous = (task.state, task.state_since)
        task.state, task.state_since = state, self.now
        job.tally.add(task)
