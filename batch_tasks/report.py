"""What became of every file of a run: values only, made by the stage that retrieves outputs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal, Self

from batch_tasks.failures import FailureKind
from batch_tasks.money.spending import Spent

FileState = Literal["succeeded", "failed", "not run"]


@dataclass(frozen=True)
class FinishedTask:
    """A Batch task that ended, as Batch tells it. `failure` is Batch's own reason where it gives one.

    Of a task that ran several times, `started` and `ended` are those of the last attempt (documented).
    `preemptions` counts the nodes that Azure took from under it, `wasted_seconds` the time it had run there.
    """

    task_id: str
    succeeded: bool
    node_id: str = ""
    exit_code: int | None = None
    failure: str = ""
    created: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    attempts: int = 1
    preemptions: int = 0
    wasted_seconds: float = 0.0

    def preempted(self, times: int, wasted_seconds: float) -> Self:
        """The same, which lost its node so often and so much time by that; each is an attempt, too."""
        more = times - self.preemptions
        return replace(
            self,
            attempts=self.attempts + more,
            preemptions=times,
            wasted_seconds=round(wasted_seconds, 6),
        )

    @property
    def seconds(self) -> float | None:
        """How long it ran; None when it never did."""
        return (self.ended - self.started).total_seconds() if self.started and self.ended else None

    @property
    def waited(self) -> float | None:
        """The seconds from its submission to its (last) start; None when it never started."""
        return (self.started - self.created).total_seconds() if self.started and self.created else None


@dataclass(frozen=True)
class Output:
    """One output: `path` below the output folder, its blob in the output container, bytes, MD5 in hex."""

    path: str
    blob: str
    size: int
    md5: str


@dataclass(frozen=True)
class FileReport:
    """What became of one input file. `seconds` is how long its command ran on the node; `kind` is whose fault
    it is that it failed. `task_id` is the last task that worked on it, `earlier_tasks` are those before.
    """

    key: str
    state: FileState
    task_id: str
    node_id: str = ""
    exit_code: int | None = None
    reason: str = ""
    stderr_tail: str = ""
    seconds: float | None = None
    outputs: tuple[Output, ...] = ()
    attempts: int = 0
    kind: FailureKind | None = None
    preemptions: int = 0
    wasted_seconds: float = 0.0
    earlier_tasks: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunReport:
    """What became of a run, file by file, in the order of the inputs; and when which Batch task ran where.

    `created` and `ended` bound the run in time: from its plan to the moment its outputs were there. `merged`
    tells of the merge, where there is one. Outputs that did not come down are in `output_container`.
    """

    workload: str
    flow_run_id: str
    output_dir: str
    files: tuple[FileReport, ...]
    tasks: tuple[FinishedTask, ...] = ()
    created: datetime | None = None
    ended: datetime | None = None
    merged: FileReport | None = None
    output_container: str = ""
    cost: Spent | None = None

    @property
    def succeeded(self) -> tuple[FileReport, ...]:
        """The files whose outputs are all there and verified."""
        return tuple(file for file in self.files if file.state == "succeeded")

    @property
    def failed(self) -> tuple[FileReport, ...]:
        """The files that failed or never ran, and the merge if it did."""
        everything = (*self.files, *((self.merged,) if self.merged else ()))
        return tuple(file for file in everything if file.state != "succeeded")

    @property
    def wasted_seconds(self) -> float:
        """How long tasks had run on nodes that Azure then took away."""
        return sum(task.wasted_seconds for task in self.tasks)

    @property
    def preemptions(self) -> int:
        """How often a task lost its node."""
        return sum(task.preemptions for task in self.tasks)

    @property
    def outcome(self) -> str:
        """How many files failed, in a few words: `3 of 200 files failed`; a merge that failed too."""
        total, failed = len(self.files), len(self.files) - len(self.succeeded)
        words = (
            f"{failed} of {total} files failed" if failed else f"{total} file{'s' * (total != 1)} succeeded"
        )
        merged = self.merged is None or self.merged.state == "succeeded"
        return words if merged else f"{words}, and their merge failed"

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values: what `results.json` says. Times are ISO 8601, sizes bytes, MD5 in hex."""
        return {
            "workload": self.workload,
            "flow_run_id": self.flow_run_id,
            "created": _iso(self.created),
            "ended": _iso(self.ended),
            "succeeded": len(self.succeeded),
            "failed": len(self.files) - len(self.succeeded),
            "files": [file_as_dict(file) for file in self.files],
            **({"merge": file_as_dict(self.merged)} if self.merged else {}),
            "tasks": [_task(task) for task in self.tasks],
            **({"cost": self.cost.as_dict()} if self.cost else {}),
        }


def file_as_dict(file: FileReport) -> dict[str, Any]:
    """What `results.json` says of one file."""
    return {
        "input": file.key,
        "state": file.state,
        "outputs": [asdict(output) for output in file.outputs],
        "task": file.task_id,
        "node": file.node_id,
        "earlier_tasks": list(file.earlier_tasks),
        "attempts": file.attempts,
        "preemptions": file.preemptions,
        "wasted_seconds": file.wasted_seconds,
        "seconds": file.seconds,
        "exit_code": file.exit_code,
        "kind": file.kind,
        "reason": file.reason,
        "stderr_tail": file.stderr_tail,
    }


def _task(task: FinishedTask) -> dict[str, Any]:
    return {
        "task": task.task_id,
        "succeeded": task.succeeded,
        "node": task.node_id,
        "attempts": task.attempts,
        "preemptions": task.preemptions,
        "wasted_seconds": task.wasted_seconds,
        "created": _iso(task.created),
        "started": _iso(task.started),
        "ended": _iso(task.ended),
        "exit_code": task.exit_code,
        "failure": task.failure,
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
