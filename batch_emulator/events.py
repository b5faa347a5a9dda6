"""What can happen, and what is then to be done: the scheduler's only language.

Events go into the scheduler, instructions come out. Both are plain data. Ids of pools, jobs and tasks are
keys (lower case); a `run` is one attempt to run one command, numbered over the account; a `serial` tells two
resources apart that bear the same id one after the other, so that a late event cannot hit the wrong one.
"""

from dataclasses import dataclass
from typing import Literal

from batch_emulator.outcomes import Outcome
from batch_emulator.resources import AutoScale, Disposal, Document, Job, Pool, Task


class Event:
    """Something that happened: a request, a process that ended, a time that came."""

    __slots__ = ()


class Instruction:
    """Something the runner has to do."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class AddPool(Event):
    """A client creates a pool."""

    pool: Pool


@dataclass(frozen=True, slots=True)
class ResizePool(Event):
    """A client asks for another number of nodes; None leaves a target as it is."""

    pool: str
    dedicated: int | None
    low_priority: int | None
    timeout: float
    disposal: Disposal = "requeue"


@dataclass(frozen=True, slots=True)
class StopResize(Event):
    """A client stops a resize that is under way."""

    pool: str


@dataclass(frozen=True, slots=True)
class DeletePool(Event):
    """A client deletes a pool."""

    pool: str


@dataclass(frozen=True, slots=True)
class RemoveNodes(Event):
    """A client removes certain nodes."""

    pool: str
    nodes: tuple[str, ...]
    timeout: float
    disposal: Disposal = "requeue"


@dataclass(frozen=True, slots=True)
class EnableAutoScale(Event):
    """A client sets the formula of a pool, or changes it."""

    pool: str
    auto_scale: AutoScale


@dataclass(frozen=True, slots=True)
class DisableAutoScale(Event):
    """A client takes the size of a pool into its own hands."""

    pool: str


@dataclass(frozen=True, slots=True)
class AddJob(Event):
    """A client creates a job."""

    job: Job


@dataclass(frozen=True, slots=True)
class UpdateJob(Event):
    """A client changes a job; the new document is complete."""

    job: str
    document: Document
    priority: int
    pool_id: str | None
    wall_clock: float | None


@dataclass(frozen=True, slots=True)
class DisableJob(Event):
    """A client stops a job from running tasks."""

    job: str
    tasks: Literal["requeue", "terminate", "wait"]


@dataclass(frozen=True, slots=True)
class EnableJob(Event):
    """A client lets a disabled job run tasks again."""

    job: str


@dataclass(frozen=True, slots=True)
class TerminateJob(Event):
    """A client, or the job's own rule, ends a job."""

    job: str
    reason: str


@dataclass(frozen=True, slots=True)
class DeleteJob(Event):
    """A client deletes a job."""

    job: str


@dataclass(frozen=True, slots=True)
class AddTask(Event):
    """A client adds a task to a job."""

    job: str
    task: Task


@dataclass(frozen=True, slots=True)
class TerminateTask(Event):
    """A client ends a task."""

    job: str
    task: str


@dataclass(frozen=True, slots=True)
class DeleteTask(Event):
    """A client deletes a task."""

    job: str
    task: str


@dataclass(frozen=True, slots=True)
class ReactivateTask(Event):
    """A client lets a failed task run again."""

    job: str
    task: str


@dataclass(frozen=True, slots=True)
class AllocationDone(Event):
    """The machines that a resize asked for are there."""

    pool: str
    epoch: int


@dataclass(frozen=True, slots=True)
class ResizeTimedOut(Event):
    """A resize has taken as long as it may."""

    pool: str
    epoch: int


@dataclass(frozen=True, slots=True)
class NodeStep(Event):
    """A node is done with creating, starting, rebooting or reimaging."""

    pool: str
    node: str
    since: float
    """When the state began that is done now: a node that changed in between takes no notice."""


@dataclass(frozen=True, slots=True)
class NodeGone(Event):
    """A leaving node has left."""

    pool: str
    node: str


@dataclass(frozen=True, slots=True)
class PoolGone(Event):
    """Nothing is left of a deleted pool."""

    pool: str
    serial: int


@dataclass(frozen=True, slots=True)
class AutoScaleDue(Event):
    """The interval between two evaluations of a formula is over."""

    pool: str
    epoch: int


@dataclass(frozen=True, slots=True)
class SampleDue(Event):
    """The service takes the values that a formula can ask for."""

    pool: str
    epoch: int


@dataclass(frozen=True, slots=True)
class PlacementDue(Event):
    """The service gets round to placing the ready tasks of a pool."""

    pool: str


@dataclass(frozen=True, slots=True)
class RunEnded(Event):
    """The process of a run has ended, its outputs are uploaded, nothing of it is left."""

    run: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class RunExpired(Event):
    """The wall clock time of a run is over."""

    run: int


@dataclass(frozen=True, slots=True)
class RetentionExpired(Event):
    """The files of a completed task need not be kept any longer."""

    job: str
    task: str
    sequence: int
    completed: float


@dataclass(frozen=True, slots=True)
class JobExpired(Event):
    """The wall clock time of a job is over."""

    job: str
    serial: int


@dataclass(frozen=True, slots=True)
class JobSettled(Event):
    """A job that was disabling, enabling, terminating or deleting has nothing left to wait for."""

    job: str
    serial: int


@dataclass(frozen=True, slots=True)
class After(Instruction):
    """Let an event happen in so many seconds."""

    seconds: float
    event: Event


@dataclass(frozen=True, slots=True)
class RunTask(Instruction):
    """Run the command of a task on a node, then report RunEnded."""

    run: int
    pool: str
    node: str
    job: str
    task: str


@dataclass(frozen=True, slots=True)
class RunStartTask(Instruction):
    """Run the start task of the pool on a node, then report RunEnded."""

    run: int
    pool: str
    node: str


@dataclass(frozen=True, slots=True)
class Kill(Instruction):
    """End a run at once; RunEnded is reported all the same."""

    run: int


@dataclass(frozen=True, slots=True)
class RemoveTaskFiles(Instruction):
    """Remove the directory of a task from its node; `job` and `task` in the case of their directories."""

    pool: str
    node: str
    job: str
    task: str


@dataclass(frozen=True, slots=True)
class RemoveJobFiles(Instruction):
    """Remove the directories of a job, in the case of its id, from every node of a pool."""

    pool: str
    job: str


@dataclass(frozen=True, slots=True)
class RemoveNode(Instruction):
    """Remove all files of a node."""

    pool: str
    node: str
