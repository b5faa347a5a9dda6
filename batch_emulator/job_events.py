"""What can happen to job schedules, and to jobs and tasks beside their own lives: events and instructions.

Schedules, jobs and tasks are named by their keys, as everywhere in `events`.
"""

from dataclasses import dataclass
from typing import Literal

from batch_emulator.events import Event, Instruction
from batch_emulator.resources import Document, JobSchedule, Timing


@dataclass(frozen=True, slots=True)
class AddSchedule(Event):
    """A client creates a job schedule."""

    schedule: JobSchedule


@dataclass(frozen=True, slots=True)
class UpdateSchedule(Event):
    """A client changes a job schedule; the new document is complete."""

    schedule: str
    document: Document
    timing: Timing


@dataclass(frozen=True, slots=True)
class DisableSchedule(Event):
    """A client keeps a schedule from creating jobs."""

    schedule: str


@dataclass(frozen=True, slots=True)
class EnableSchedule(Event):
    """A client lets a disabled schedule create jobs again."""

    schedule: str


@dataclass(frozen=True, slots=True)
class TerminateSchedule(Event):
    """A client ends a schedule."""

    schedule: str


@dataclass(frozen=True, slots=True)
class DeleteSchedule(Event):
    """A client deletes a schedule."""

    schedule: str


@dataclass(frozen=True, slots=True)
class ScheduleDue(Event):
    """A schedule may have a job to create, or has come to its end."""

    schedule: str
    epoch: int


@dataclass(frozen=True, slots=True)
class ScheduleSettled(Event):
    """A schedule that was terminating or deleting has nothing left to wait for."""

    schedule: str
    serial: int


@dataclass(frozen=True, slots=True)
class TasksAged(Event):
    """The oldest task of a job may have become older than a task may be."""

    job: str
    serial: int


@dataclass(frozen=True, slots=True)
class UpdateTask(Event):
    """A client changes the constraints of a task; the new document is complete."""

    job: str
    task: str
    document: Document
    max_retries: int
    wall_clock: float | None
    retention: float | None


@dataclass(frozen=True, slots=True)
class RunCoordination(Instruction):
    """Run the coordination command of a multi-instance task on a node, then report RunEnded."""

    run: int
    pool: str
    node: str
    job: str
    task: str
    instance: int
    """0 is the primary."""


@dataclass(frozen=True, slots=True)
class RunJobTask(Instruction):
    """Run the preparation or release task of a job on a node, then report RunEnded."""

    run: int
    pool: str
    node: str
    job: str
    kind: Literal["preparation", "release"]
