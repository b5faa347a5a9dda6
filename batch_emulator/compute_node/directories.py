"""The directories of one node: the only place where they are spelt.

The layout is the documented one, seen in recorded traffic too: what is a level here (`job-1`) is a level
there.
"""

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

JOB_LEVEL = "job-1"


@dataclass(frozen=True, slots=True)
class RunDirectories:
    """The directory of one task, start task, preparation or release task on one node."""

    task: Path

    @property
    def working(self) -> Path:
        """Where the command starts and resource files land."""
        return self.task / "wd"

    @property
    def stdout(self) -> Path:
        """What the command wrote to its standard output."""
        return self.task / "stdout.txt"

    @property
    def stderr(self) -> Path:
        """What the command wrote to its standard error."""
        return self.task / "stderr.txt"

    def texts(self) -> tuple[str, str, str, str]:
        """Task directory, working directory, stdout and stderr; as texts, for joining paths costs time."""
        task = str(self.task)
        return task, f"{task}/wd", f"{task}/stdout.txt", f"{task}/stderr.txt"

    @property
    def upload_out(self) -> Path:
        """What was uploaded."""
        return self.task / "fileuploadout.txt"

    @property
    def upload_err(self) -> Path:
        """What could not be uploaded."""
        return self.task / "fileuploaderr.txt"

    def prepare(self) -> None:
        """Make an empty working directory; nothing of an earlier attempt on this node stays (documented).

        Raises:
            OSError: a directory cannot be made or emptied.
        """
        try:
            self.task.mkdir(parents=True)
        except FileExistsError:
            remove_tree(self.working)
            for left in (self.stdout, self.stderr, self.upload_out, self.upload_err):
                left.unlink(missing_ok=True)
        self.working.mkdir()

    def remove(self) -> None:
        """Remove everything, as at the end of the retention time or when the task is deleted."""
        remove_tree(self.task)


@dataclass(frozen=True, slots=True)
class NodeDirectories:
    """The directories of one node below its root (an absolute path)."""

    root: Path

    @property
    def shared(self) -> Path:
        """Every task may read and write here; it is never cleaned."""
        return self.root / "shared"

    @property
    def mounts(self) -> Path:
        """Where file systems would be mounted."""
        return self.root / "fsmounts"

    @property
    def home(self) -> Path:
        """HOME of all tasks of the node: the default user is one for the whole pool (recorded)."""
        return self.root / "volatile" / "home"

    @property
    def start_task(self) -> RunDirectories:
        """Where the start task runs."""
        return RunDirectories(self.root / "startup")

    def task(self, job_id: str, task_id: str) -> RunDirectories:
        """Where a task runs; a preparation or release task has its own id for a name.

        Raises:
            ValueError: the id cannot be the name of a directory.
        """
        return RunDirectories(self.root.joinpath(*_job(job_id), _name(task_id)))

    def task_root(self, job_id: str, task_id: str) -> str:
        """Where a task runs, relative to the node's root: the wire's `taskRootDirectory`."""
        return self.task(job_id, task_id).task.relative_to(self.root).as_posix()

    def create(self) -> None:
        """Make the directories that a node has before any task."""
        for folder in ("applications", "fsmounts", "shared", "startup/wd", "volatile/startup", "workitems"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        self.home.mkdir(exist_ok=True)

    def remove_job(self, job_id: str) -> None:
        """Remove the files of all tasks of a job."""
        job = self.root.joinpath(*_job(job_id))
        remove_tree(job)
        if job.parent.is_dir() and not any(job.parent.iterdir()):
            job.parent.rmdir()

    def remove(self) -> None:
        """Remove everything: the node has left its pool, was reimaged or preempted."""
        remove_tree(self.root)


def _job(job_id: str) -> tuple[str, str, str]:
    """The directory of a job below the root of a node, by its parts: joining paths one by one costs time."""
    schedule, colon, job = job_id.partition(":")  # a job of a schedule is called <schedule>:job-<n>
    return "workitems", _name(schedule), _name(job) if colon else JOB_LEVEL


def remove_tree(path: Path) -> None:
    """Remove a directory and all below it; a missing one is fine, a link is removed and not followed.

    Raises:
        OSError: something cannot be removed, even after making all directories writable.
    """
    if path.is_symlink():
        path.unlink()
        return
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except PermissionError:  # a task took the rights from its own directories
        for folder, folders, _ in os.walk(path):
            _open_to_owner(Path(folder))
            for name in folders:
                _open_to_owner(Path(folder, name))
        shutil.rmtree(path)


def _open_to_owner(folder: Path) -> None:
    if not folder.is_symlink():
        folder.chmod(stat.S_IRWXU)


def _name(part: str) -> str:
    if part in {"", ".", ".."} or "/" in part or "\0" in part:
        raise ValueError(f"{part!r} cannot be an id: it cannot name a directory")
    return part
