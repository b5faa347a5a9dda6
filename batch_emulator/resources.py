"""What the account holds: pools, nodes, jobs, tasks, job schedules, as plain data.

A resource keeps what the client sent as its `document` (the wire form, defaults filled in), for the service
echoes it; what the emulator acts upon stands beside it, typed. Times are seconds since the epoch, durations
seconds; `None` as a duration means no limit. Nothing here moves a state: that is the scheduler's.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from batch_emulator.ledger import Stay
from batch_emulator.lifecycle import (
    AllocationState,
    JobScheduleState,
    JobState,
    NodeEvent,
    NodeState,
    PoolState,
    TaskState,
)
from batch_emulator.outcomes import Failure, JobTaskRun, Outcome, StartTaskRun

Document = dict[str, Any]
Disposal = Literal["requeue", "terminate", "taskcompletion", "retaineddata"]
"""What becomes of the tasks on a node that goes."""


@dataclass(slots=True)
class NodeUser:
    """A user account on a node. Neither password nor key is kept: nobody can sign in to an emulated node."""

    name: str
    is_admin: bool
    expires: float


@dataclass(slots=True)
class RecentTask:
    """One of the last tasks that a node ran (`recentTasks`)."""

    job_id: str
    task_id: str
    task: "Task"
    """It is told of even when it has been deleted (seen in recorded traffic)."""


@dataclass(slots=True)
class Node:
    """One emulated virtual machine of a pool."""

    id: str
    pool_id: str
    dedicated: bool
    allocated: float
    ip_address: str
    serial: int = 0
    """Order of allocation, over the whole account."""
    state: NodeState = NodeState.CREATING
    state_since: float = 0.0
    scheduling_enabled: bool = True
    booted: float | None = None
    imaged: float = 0.0
    """When its disks were last made new: nothing that was prepared before counts any more."""
    start_task: StartTaskRun | None = None
    start_run: int | None = None
    errors: list[Failure] = field(default_factory=list)
    runs: dict[int, int] = field(default_factory=dict)
    """Slots taken by each run on this node; a slot is free again when the process has really ended.

    Job preparation and release tasks take none.
    """
    recent: list[RecentTask] = field(default_factory=list)
    tasks_run: int = 0
    tasks_succeeded: int = 0
    leaving: bool = False
    """It takes no more tasks and leaves the pool when those it runs have ended."""
    restart: NodeEvent | None = None
    """It takes no more tasks and reboots, is reimaged or deallocated when those it runs have ended."""
    place: int = 0
    """The smallest number that no other node of the pool had at its allocation; its ports go by it."""
    users: dict[str, NodeUser] = field(default_factory=dict)

    @property
    def slots_taken(self) -> int:
        """How many of the node's slots are in use."""
        return sum(self.runs.values())


@dataclass(slots=True)
class AutoScale:
    """The formula of a pool and its last evaluation."""

    formula: str
    interval: float
    last_run: float | None = None
    results: str = ""
    error: tuple[str, str, str] | None = None
    """Code, message and details of a failed evaluation."""
    wanted: tuple[int | None, int | None] = (None, None)
    """Dedicated and low-priority nodes that the last evaluation asks for; None leaves a target as it is."""
    disposal: Disposal = "requeue"
    samples: dict[str, deque[tuple[float, float]]] = field(default_factory=dict)
    """Time and value of each system variable, every 30 seconds."""
    enabled: float = 0.0
    epoch: int = 0
    """Counts enablings, so that a timer of an earlier formula is known as stale."""


@dataclass(slots=True)
class Pool:
    """A pool of nodes."""

    id: str
    document: Document
    created: float
    etag: str
    modified: float
    target_dedicated: int
    target_low_priority: int
    resize_timeout: float
    slots_per_node: int
    fill: Literal["spread", "pack"]
    serial: int = 0
    """Differs between two pools that bear the same id one after the other."""
    auto_scale: AutoScale | None = None
    state: PoolState = PoolState.ACTIVE
    state_since: float = 0.0
    allocation: AllocationState = AllocationState.STEADY
    allocation_since: float = 0.0
    resize_errors: list[Failure] = field(default_factory=list)
    resize_epoch: int = 0
    nodes: dict[str, Node] = field(default_factory=dict)
    owner_job: str | None = None
    """Key of the job whose auto pool this is."""
    last_served: int = 0
    """Serial of the job that was given a slot last."""

    @property
    def start_task(self) -> Mapping[str, Any] | None:
        """The start task as the client gave it."""
        start_task: Mapping[str, Any] | None = self.document.get("startTask")
        return start_task

    @property
    def identities(self) -> frozenset[str]:
        """Resource ids of its user-assigned identities, in lower case: their case does not count."""
        identity = self.document.get("identity", {})
        return frozenset(one["resourceId"].lower() for one in identity.get("userAssignedIdentities", ()))

    @property
    def on_windows(self) -> bool:
        """Whether its nodes are said to run Windows."""
        machine = self.document.get("virtualMachineConfiguration", {})
        return "windows" in machine.get("nodeAgentSKUId", "").lower()


@dataclass(slots=True)
class Subtask:
    """The coordination of a multi-instance task on one of its nodes."""

    pool_id: str
    node_id: str
    run: int
    started: float | None = None
    outcome: Outcome | None = None


@dataclass(slots=True)
class Task:
    """One command to run on a node."""

    id: str
    job_id: str
    document: Document
    created: float
    etag: str
    modified: float
    sequence: int
    """Order of adding, over the whole account."""
    slots: int
    max_retries: int
    """How often a non-zero exit is tried again; -1 is without limit."""
    wall_clock: float | None
    retention: float | None
    state: TaskState = TaskState.ACTIVE
    state_since: float = 0.0
    previous: tuple[TaskState, float] | None = None
    run: int | None = None
    """The run that this task is in, while it is in one."""
    started: float | None = None
    outcome: Outcome | None = None
    retries: int = 0
    last_retry: float | None = None
    requeues: int = 0
    last_requeue: float | None = None
    pool_id: str | None = None
    node_id: str | None = None
    on_windows: bool = False
    """Whether its node is said to run Windows; nodes really are this machine."""
    files_removed: bool = False
    waiting_for: int = 0
    """How many of its dependencies are not met yet."""
    instances: int = 0
    """How many nodes a multi-instance task needs; 0 if it is none."""
    subtasks: list[Subtask] = field(default_factory=list)
    """Of its last attempt, the primary's own first."""
    exclusive: bool = False
    """A job manager that has its node for itself."""
    dedicated_only: bool = False
    """A job manager that Spot nodes do not take."""
    given_up: bool = False
    """It is older than a task may be: it runs no more and stays in the state that it was in."""


@dataclass(slots=True)
class Tally:
    """How many tasks of a job are in each state, kept up to date so that nobody has to count."""

    tasks: Counter[str] = field(default_factory=Counter)
    slots: Counter[str] = field(default_factory=Counter)

    def add(self, task: Task, sign: int = 1) -> None:
        """Count a task in its present state, or with sign -1 count it no more."""
        name = self._name(task)
        self.tasks[name] += sign
        self.slots[name] += sign * task.slots

    @staticmethod
    def _name(task: Task) -> str:
        if task.state is not TaskState.COMPLETED:
            return task.state.value
        return "failed" if task.outcome is not None and task.outcome.failure is not None else "succeeded"

    @property
    def unfinished(self) -> int:
        """How many tasks are not completed."""
        return self.tasks["active"] + self.tasks["preparing"] + self.tasks["running"]


@dataclass(frozen=True, slots=True)
class JobTask:
    """What is acted upon of a job preparation or release task."""

    id: str
    max_retries: int = 0
    wall_clock: float | None = None
    waits_for_success: bool = True
    reruns_after_reboot: bool = True


@dataclass(slots=True)
class Job:
    """A list of tasks and the pool they run on."""

    id: str
    document: Document
    created: float
    etag: str
    modified: float
    priority: int
    pool_id: str | None
    wall_clock: float | None
    serial: int = 0
    """Differs between two jobs that bear the same id one after the other."""
    state: JobState = JobState.ACTIVE
    state_since: float = 0.0
    previous: tuple[JobState, float] | None = None
    ended: float | None = None
    terminate_reason: str | None = None
    scheduling_error: Failure | None = None
    disable_tasks: Literal["requeue", "terminate", "wait"] = "requeue"
    tasks: dict[str, Task] = field(default_factory=dict)
    runs: set[int] = field(default_factory=set)
    """Runs of tasks of this job whose process has not ended yet."""
    side_runs: set[int] = field(default_factory=set)
    """The same of its preparation and release tasks."""
    tally: Tally = field(default_factory=Tally)
    manager: Task | None = None
    """The job manager task, to be added with the job."""
    ends_with_manager: bool = False
    preparation_task: JobTask | None = None
    release_task: JobTask | None = None
    preparation: dict[str, JobTaskRun] = field(default_factory=dict)
    """By node, also those that are gone."""
    release: dict[str, JobTaskRun] = field(default_factory=dict)
    schedule_id: str | None = None
    aging: bool = False
    """A timer is set for the time when its oldest task is too old."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When a schedule creates jobs: not before `begin`, not after `end`, one in each `interval`.

    A job that could not be created within `window` seconds of the time when it was due is left out. None is
    without a limit; without an interval there is one job.
    """

    begin: float | None = None
    end: float | None = None
    window: float | None = None
    interval: float | None = None


@dataclass(slots=True)
class JobSchedule:
    """Creates jobs at times."""

    id: str
    document: Document
    created: float
    etag: str
    modified: float
    timing: Timing
    serial: int = 0
    """Differs between two schedules that bear the same id one after the other."""
    epoch: int = 0
    """Counts plans, so that a timer of an earlier plan is known as stale."""
    state: JobScheduleState = JobScheduleState.ACTIVE
    state_since: float = 0.0
    previous: tuple[JobScheduleState, float] | None = None
    next_run: float | None = None
    """When the next job comes due; None when none will."""
    due: float | None = None
    """Since when a job is due that has not been created yet."""
    last_due: float | None = None
    """When a job came due last, created or not."""
    jobs_created: int = 0
    recent_job: str | None = None
    pool_id: str | None = None
    """The auto pool that all jobs of the schedule share."""
    ended: float | None = None


@dataclass(slots=True)
class Account:
    """All resources, by their ids in lower case: ids keep their case but are unique without it."""

    pools: dict[str, Pool] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    schedules: dict[str, JobSchedule] = field(default_factory=dict)
    stays: dict[str, Stay] = field(default_factory=dict)
    """What each node that was ever allocated would be billed for, by its id."""


def key(resource_id: str) -> str:
    """The form of an id under which a resource is found."""
    return resource_id.lower()
