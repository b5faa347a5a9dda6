"""How one run of a command goes and ends, as plain data."""

from dataclasses import dataclass, field
from typing import Any, Literal

Category = Literal["UserError", "ServerError"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run did not succeed: the `failureInfo` of a task or start task."""

    category: Category
    code: str
    message: str
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerRun:
    """The container that a command ran in (`containerInfo`): its id, and its state as the engine calls it."""

    id: str
    state: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run of a command ended. `exit_code` is None when no process was started."""

    started: float
    ended: float
    exit_code: int | None
    failure: Failure | None = None
    container: ContainerRun | None = None


@dataclass(slots=True)
class StartTaskRun:
    """What a node tells about its start task (`startTaskInfo`)."""

    started: float
    document: dict[str, Any] = field(default_factory=dict)
    """The start task as it was when the node booted: a changed one counts from the next boot (documented)."""
    ended: float | None = None
    exit_code: int | None = None
    failure: Failure | None = None
    retries: int = 0
    last_retry: float | None = None
    container: ContainerRun | None = None


@dataclass(slots=True)
class JobTaskRun:
    """A job preparation or release task on one node."""

    node_id: str
    pool_id: str
    started: float
    run: int | None = None
    """Its run, while it is in one."""
    outcome: Outcome | None = None
    retries: int = 0
    last_retry: float | None = None
    interrupted: bool = False
    """It was ended from outside, so that its outcome says nothing about the node."""
    used: bool = False
    """A task of the job was started on the node since."""
