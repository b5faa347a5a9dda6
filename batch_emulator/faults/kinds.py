"""Every fault there is, as data: what it does, when it strikes, and which members describe it.

A fault strikes what it matches: always, or the `next` so many times, or `every` so-manieth time, or with a
`probability`. Patterns are those of a shell (`*`, `?`, `[abc]`), ids without regard to case. Times are
seconds.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Literal


def within(low: float, high: float = math.inf, **default: Any) -> Any:
    """A member whose number is in a range."""
    return field(metadata={"low": low, "high": high}, **default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What all faults have: how often they strike."""

    next: int | None = within(1, default=None)
    every: int | None = within(1, default=None)
    probability: float | None = within(0, 1, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFault(Fault):
    """Strikes requests, by method, name of the operation, and path as sent."""

    method: str = "*"
    operation: str = "*"
    path: str = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled(RequestFault):
    """429 TooManyRequests, with a Retry-After header where `retry_after` is given."""

    retry_after: float | None = within(0, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalError(RequestFault):
    """500 InternalError; nothing is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerBusy(RequestFault):
    """503 ServerBusy; nothing is done."""

    retry_after: float | None = within(0, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied(RequestFault):
    """403 InsufficientAccountPermissions, as for want of a role; nothing is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut(RequestFault):
    """500 OperationTimedOut, although the operation has been carried out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped(RequestFault):
    """The connection breaks instead of an answer; with `applied` after the operation was carried out."""

    applied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow(RequestFault):
    """The answer takes so many seconds of the caller's time more."""

    seconds: float = within(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskServerError(Fault):
    """A task of an add-collection is refused with `servererror`, the others are added.

    `status` is how that is spelled: the official Python client sends the task again only if in lower case.
    """

    job: str = "*"
    task: str = "*"
    status: Literal["ServerError", "servererror"] = "servererror"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialAdd(Fault):
    """Of an add-collection only the first tasks are added, then it answers 500 OperationTimedOut."""

    job: str = "*"
    added: int = within(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFault(Fault):
    """Strikes attempts to run tasks."""

    pool: str = "*"
    job: str = "*"
    task: str = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskExit(RunFault):
    """The task exits with this code without its command being run."""

    exit_code: int = within(0, 255)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTaskExit(Fault):
    """The start task exits with this code without its command being run."""

    pool: str = "*"
    exit_code: int = within(0, 255)


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadFailure(RunFault):
    """The resource files of a task that has some cannot be fetched."""

    code: str = "BlobDownloadMiscError"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadFailure(RunFault):
    """The output files of a task that has some cannot be stored; its exit code stays."""

    code: str = "FileUploadMiscError"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFull(RunFault):
    """The task finds no room on its node; it ends before its command is run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskKilled(RunFault):
    """The task is killed (SIGKILL, exit code 137) when it has run for so long, as for want of memory."""

    after: float = within(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizeError(Fault):
    """A pool gets none of the nodes it lacks: steady, with a resize error of this code."""

    pool: str = "*"
    code: str = "AllocationFailed"
    message: str = "Desired number of dedicated nodes could not be allocated"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedFault(Fault):
    """Strikes `count` nodes, drawn from those that match, so long from now, then `again` and again."""

    pool: str = "*"
    node: str = "*"
    count: int = within(1, default=1)
    at: float = within(0, default=0.0)
    again: float | None = within(0.001, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preempt(TimedFault):
    """Spot nodes are taken away; they come back after `restore` seconds, if it is given."""

    restore: float | None = within(0, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable(TimedFault):
    """Nodes become unusable, with an error of this code if it is given (without: contact was lost)."""

    code: str | None = None
    message: str = "The node is not usable."


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactLost(TimedFault):
    """The service knows nothing of nodes any more; after `restore` seconds it does again, if it is given."""

    restore: float | None = within(0, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota(Fault):
    """The account may have no more than this; what is not given has no limit."""

    dedicated_cores: int | None = within(0, default=None)
    low_priority_cores: int | None = within(0, default=None)
    pools: int | None = within(0, default=None)
    jobs: int | None = within(0, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSkew(Fault):
    """A clock is so many seconds ahead: the account's, so that signatures are too old; or the one that SAS
    are held against, so that what nodes fetch and store is denied.
    """

    seconds: float = within(-1e9, 1e9)
    of: Literal["account", "storage"] = "storage"


FAULTS: dict[str, type[Fault]] = {
    "throttled": Throttled,
    "internal_error": InternalError,
    "server_busy": ServerBusy,
    "denied": Denied,
    "timed_out": TimedOut,
    "dropped": Dropped,
    "slow": Slow,
    "task_server_error": TaskServerError,
    "partial_add": PartialAdd,
    "task_exit": TaskExit,
    "start_task_exit": StartTaskExit,
    "download_failure": DownloadFailure,
    "upload_failure": UploadFailure,
    "disk_full": DiskFull,
    "task_killed": TaskKilled,
    "resize_error": ResizeError,
    "preempt": Preempt,
    "unusable": Unusable,
    "contact_lost": ContactLost,
    "quota": Quota,
    "clock_skew": ClockSkew,
}
NAMES = {kind: name for name, kind in FAULTS.items()}
