"""What became of every file of a run: values only, made by the stage that retrieves outputs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

FileState = Literal["succeeded", "failed", "not run"]


@dataclass(frozen=True)
class FinishedTask:
    """A Batch task that ended, as Batch tells it. `failure` is Batch's own reason where it gives one."""

    task_id: str
    succeeded: bool
    node_id: str = ""
    exit_code: int | None = None
    failure: str = ""
    seconds: float | None = None


@dataclass(frozen=True)
class Output:
    """One output: `path` below the output folder, its blob in the output container, bytes, MD5 in hex."""

    path: str
    blob: str
    size: int
    md5: str


@dataclass(frozen=True)
class FileReport:
    """What became of one input file. `seconds` is how long its command ran on the node."""

    key: str
    state: FileState
    task_id: str
    node_id: str = ""
    exit_code: int | None = None
    reason: str = ""
    stderr_tail: str = ""
    seconds: float | None = None
    outputs: tuple[Output, ...] = ()


@dataclass(frozen=True)
class RunReport:
    """What became of a run, file by file, in the order of the inputs."""

    workload: str
    flow_run_id: str
    output_dir: str
    files: tuple[FileReport, ...]

    @property
    def succeeded(self) -> tuple[FileReport, ...]:
        """The files whose outputs are all there and verified."""
        return tuple(file for file in self.files if file.state == "succeeded")

    @property
    def failed(self) -> tuple[FileReport, ...]:
        """The files that failed or never ran."""
        return tuple(file for file in self.files if file.state != "succeeded")

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, for `results.json` and artifacts."""
        return asdict(self)
