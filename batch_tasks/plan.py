"""Which Batch task does what for which file, and where each output goes: decided before anything is made.

An output named outright stands in the output folder where its input's key says: `books/a.txt` gives
`books/a_OUTPUT.txt`. Outputs found by a pattern, and outputs which would get in each other's way, stand in a
folder of their input's own: `clip.mp4.outputs/clip.mp3`. A merge is one more task, the last: its one file is
the list of the parts that the others leave for it.
"""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, overload

from batch_tasks.inputs import InputFile
from batch_tasks.naming import (
    LONGEST_ID,
    RunNames,
    input_blob,
    metadata,
    output_blob,
    part_blob,
    parts_list_blob,
    task_id,
)
from batch_tasks.options import RetryOptions
from batch_tasks.workload import FileRun, Workload

MERGE = "merge"
"""The key of what a merge works on, unless an input is called so."""
RUN_FILES = "RUN_FILES"
LONGEST_RUN_FILES = 100_000
"""Characters for the files of a task; of one file alone, `MOST_RUN_FILES`."""
MOST_RUN_FILES = 131_000
"""Characters; Linux passes at most 131,072 bytes in one environment variable, its name included."""
LONGEST_DEPENDENCIES = 64_000
"""Characters of the ids that a task may depend on (documented)."""


@dataclass(frozen=True)
class PlannedOutput:
    """An output: `keep` is its path in the task's working directory, `path` the one in the output folder,
    `blob` its name in the output container.

    All are folders when the output is a pattern. A part for a merge has no `path`: it stays in storage.
    """

    keep: str
    path: str
    is_pattern: bool
    blob: str


@dataclass(frozen=True)
class PlannedFile:
    """An input, its `fetched` path in the task's working directory, its command and its outputs.

    `blob` is where the input is kept in the input container; "" when it is elsewhere in storage already.
    `content` is what is kept there when it is no file here but made by us.
    """

    input: InputFile
    fetched: str
    run: FileRun
    outputs: tuple[PlannedOutput, ...]
    blob: str
    content: str = ""


@dataclass(frozen=True)
class PlannedTask:
    """A Batch task and the files it works on, one after the other. A merge runs after other tasks."""

    task_id: str
    files: tuple[PlannedFile, ...]
    after: tuple[str, ...] = ()
    is_merge: bool = False


class PlannedTasks(Sequence[PlannedTask]):
    """The tasks of a run, in order; the merge, if there is one, is the last.

    A type of its own because Prefect looks for futures in every tuple and dataclass it is given: with 10,000
    files that took 2.5 s a stage (measured). Into this it does not look.
    """

    def __init__(self, tasks: Iterable[PlannedTask]) -> None:
        self._tasks = tuple(tasks)

    @overload
    def __getitem__(self, index: int) -> PlannedTask: ...

    @overload
    def __getitem__(self, index: slice) -> PlannedTasks: ...

    def __getitem__(self, index: int | slice) -> PlannedTask | PlannedTasks:
        return PlannedTasks(self._tasks[index]) if isinstance(index, slice) else self._tasks[index]

    def __len__(self) -> int:
        return len(self._tasks)


@dataclass(frozen=True)
class RunPlan:
    """Everything a run makes and does. `created` and `expires` bound it in time; `keep` names what its
    clean-up will leave; `retry` says which failures are given to a new task; `identity` is the resource id by
    which nodes reach storage, "" for signed URLs; `left_out` counts files that are in the output folder and
    so no inputs; `heartbeat` is as in `naming.metadata`.
    """

    names: RunNames
    workload: Workload
    tasks: PlannedTasks
    created: datetime
    expires: datetime
    keep: frozenset[str] = frozenset()
    retry: RetryOptions = field(default_factory=RetryOptions)
    identity: str = ""
    left_out: int = 0
    heartbeat: int | None = None

    @property
    def files(self) -> Iterator[PlannedFile]:
        """Every file, in the order of the inputs."""
        return (file for task in self.tasks if not task.is_merge for file in task.files)

    @property
    def merge(self) -> PlannedTask | None:
        """The task that merges what the others leave."""
        last = self.tasks[-1] if self.tasks else None
        return last if last and last.is_merge else None

    @property
    def files_counted(self) -> str:
        """`1 file`, `200 files`: for the names of Prefect's task runs."""
        return _counted(sum(1 for _ in self.files), "file")

    @property
    def tasks_counted(self) -> str:
        """`1 task`, `200 tasks`."""
        return _counted(len(self.tasks), "task")

    @property
    def metadata(self) -> Mapping[str, str]:
        """What is written on everything this run makes."""
        return metadata(self.names, self.created, self.expires, self.keep, self.heartbeat)


def plan_tasks(workload: Workload, inputs: Sequence[InputFile], files_per_task: int = 1) -> PlannedTasks:
    """The Batch tasks for these inputs, up to so many files each, and the merge if the workload has one."""
    files = [(file, workload.for_file(PurePosixPath(file.key).name)) for file in inputs]
    merge = _merge_run(workload, inputs)
    crowded = _crowded([(file.key, run) for file, run in (*files, *merge)])
    tasks = [
        PlannedTask(task_id([file.key for file, _ in chunk]), tuple(_planned(chunk, crowded)))
        for chunk in _chunks(files, files_per_task, len(json.dumps(_environment(workload))))
    ]
    for file, run in merge:
        (planned,) = _planned([(file, run)], crowded)
        listed = replace(planned, blob=parts_list_blob(), content=parts_list(tasks))
        after = tuple(task.task_id for task in tasks)
        tasks.append(PlannedTask(task_id([file.key]), (listed,), after, is_merge=True))
    return PlannedTasks(tasks)


def plan_problems(tasks: PlannedTasks, workload: Workload) -> list[str]:
    """What Batch or a node could not take of these tasks, in sentences."""
    found = [
        f"The command for {task.files[0].input.key!r}, with the names in it and the environment, is longer "
        "than a process may be told: write a script, ship it, and run that."
        for task in tasks
        if len(task.files) == 1 and len(run_files_setting(task, workload)) > MOST_RUN_FILES
    ]
    if tasks and sum(map(len, tasks[-1].after)) > LONGEST_DEPENDENCIES:
        files = sum(len(task.files) for task in tasks[:-1])
        enough = math.ceil(files / (LONGEST_DEPENDENCIES // LONGEST_ID))
        found.append(
            f"A merge cannot wait for {len(tasks) - 1} tasks: Batch takes {LONGEST_DEPENDENCIES} characters "
            f"of their ids. Let each task work on more files: set files_per_task to {enough}."
        )
    return found


def parts_list(tasks: Iterable[PlannedTask]) -> str:
    """What the merge reads first: each input and where its part will be, as JSON."""
    parts = [
        {"file": file.input.key, "part": output.blob}
        for task in tasks
        for file in task.files
        for output in file.outputs
        if not output.path
    ]
    return json.dumps(parts, indent=0)


def run_files_setting(task: PlannedTask, workload: Workload) -> str:
    """What the RUN_FILES setting of a task says, for `run_files.py` on the node.

    Batch expands `$VAR` and `%VAR%` within settings (documented), so these two letters are escaped. For the
    same reason the workload's environment is in here and is no setting of its own.
    """
    files = [{**_run_file(file), "minutes": workload.file_minutes} for file in task.files]
    content = {"environment": _environment(workload), "files": files}
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
    return text.replace("$", "\\u0024").replace("%", "\\u0025")


def _environment(workload: Workload) -> list[str]:
    return [f"{name}={value}" for name, value in workload.environment.items()]


def _run_file(file: PlannedFile) -> dict[str, Any]:
    kinds = [("find", text) for text in file.run.outputs] + [("glob", text) for text in file.run.patterns]
    kinds += [("find", file.run.part)] if file.run.part else []
    return {
        "name": PurePosixPath(file.input.key).name,
        "fetched": file.fetched,
        "command": file.run.command,
        "outputs": [
            {kind: text, "keep": output.keep}
            for (kind, text), output in zip(kinds, file.outputs, strict=True)
        ],
    }


def _merge_run(workload: Workload, inputs: Sequence[InputFile]) -> list[tuple[InputFile, FileRun]]:
    """The list of the parts as the one input of the merge, under a key that no other input has."""
    if workload.merging is None:
        return []
    taken = {file.key for file in inputs}
    names = itertools.chain([MERGE], map(f"{MERGE}-{{}}".format, itertools.count(2)))
    key = next(name for name in names if name not in taken)
    return [(InputFile("", key, 0), workload.merging.for_file(key))]


def _planned(chunk: Iterable[tuple[InputFile, FileRun]], crowded: set[str]) -> Iterator[PlannedFile]:
    for index, (file, run) in enumerate(chunk):
        own, keep = own_folder(file.key), f"outputs/{index}-{{}}".format
        folder = own if file.key in crowded else _parent(file.key)
        paths = [_joined(folder, text) for text in run.outputs] + [own for _ in run.patterns]
        outputs = [
            PlannedOutput(keep(number), path, number >= len(run.outputs), output_blob(path))
            for number, path in enumerate(paths)
        ]
        if run.part:
            outputs.append(PlannedOutput(keep(len(paths)), "", is_pattern=False, blob=part_blob(file.key)))
        blob = "" if file.url else input_blob(file.key)
        yield PlannedFile(file, f"inputs/{index}", run, tuple(outputs), blob)


def own_folder(key: str) -> str:
    """The folder, in the output folder, for outputs that belong to this input alone."""
    return f"{key}.outputs"


def _crowded(files: Iterable[tuple[str, FileRun]]) -> set[str]:
    """The keys of inputs whose outputs would meet another's, as one file or as a file and a folder."""
    wanted = [(key, _joined(_parent(key), text)) for key, run in files for text in run.outputs]
    count = Counter(path for _, path in wanted)
    folders = {str(parent) for _, path in wanted for parent in PurePosixPath(path).parents}
    return {
        key
        for key, path in wanted
        if count[path] > 1
        or path in folders
        or any(str(parent) in count for parent in PurePosixPath(path).parents)
    }


def _chunks(
    files: Sequence[tuple[InputFile, FileRun]], files_per_task: int, taken: int
) -> Iterator[list[tuple[InputFile, FileRun]]]:
    """The files, at most so many at a time and at most so many that RUN_FILES can carry them, beside the
    characters that are `taken` in it.
    """
    chunk: list[tuple[InputFile, FileRun]] = []
    length = taken
    for file, run in files:
        size = len(json.dumps([file.key, run.command, run.outputs, run.patterns])) * 2 + 220
        if chunk and (len(chunk) == files_per_task or length + size > LONGEST_RUN_FILES):
            yield chunk
            chunk, length = [], taken
        chunk.append((file, run))
        length += size
    if chunk:
        yield chunk


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _parent(key: str) -> str:
    return str(PurePosixPath(key).parent)


def _joined(folder: str, name: str) -> str:
    return str(PurePosixPath(folder, name))
