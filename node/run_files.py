"""What every Batch task runs: a command for each of some files, with the outputs kept and the outcome told.

One idea: file names and commands arrive in the environment variable RUN_FILES, so that no name ever stands on
a Batch command line, and one file's failure never costs another its outcome. RUN_FILES is JSON:

    {"environment": ["LANG=C.UTF-8"],            what the commands see beside the settings of the task
     "files": [{"name": "a b.txt",               the file's own name, given back to it in a folder of its own
                "fetched": "inputs/0",           where the Batch service put it
                "command": "wc -w 'a b.txt' >n", for /bin/sh, run in that folder
                "minutes": 60,                   how long it may take
                "outputs": [{"find": "n", "keep": "outputs/0/n"},         this very file
                            {"glob": "**/*.gz", "keep": "outputs/0/gz"}]}]}  at least one, folders kept

All paths are relative: `find` and `glob` to the file's folder, the others to the task's working directory. A
glob leaves out the input. Commands also see FILE_NAME and TASK_FILES_DIR, the absolute path of the working
directory. What a command leaves running is killed when the command ends or its time does. After each file
`result.json` tells the outcome of the files so far: {"files": [...]}, each as in `Outcome`.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any, NamedTuple

WRONG_RUN_FILES = 64  # this and the next two are exit codes
UNUSABLE_DIRECTORY = 73
SIGNALLED = 128  # plus the number of the signal that ended it
TAIL_BYTES = 2000
SECONDS_FOR_LAST_WORDS = 2.0  # for stderr of what left its process group and so outlives the command
SHELL = ("/bin/sh", "-c")
# The guard reads which process group runs, 0 for none; when nobody is left to tell more, it kills the last.
GUARD = 'while read -r group; do last=$group; done; [ "${last:-0}" = 0 ] || kill -s KILL -- "-$last"'
# The command tells the guard itself, by its first stdin: there is no moment at which it is not known.
GUARDED = 'echo $$ >&0; exec /bin/sh -c "$1" </dev/null'
FOLDERS = Path("files")
RESULT = Path("result.json")


class WrongRunFiles(Exception):
    """RUN_FILES is not as this module's docstring says; the text names the place."""


class Output(NamedTuple):
    """A file, or a pattern of files, in the file's folder, and the path to keep it under."""

    pattern: str
    is_glob: bool
    keep: Path


class File(NamedTuple):
    """One file to run a command for."""

    name: str
    fetched: str
    command: str
    minutes: float
    outputs: list[Output]


class Outcome:
    """What became of a file. Its `exit_code` is 128 + n for signal n, None if nothing ran."""

    # No dataclass: to import what makes them would take a fifth of this script's start.
    def __init__(self, name: str) -> None:
        self.name = name
        self.state = "failed"  # or "succeeded"
        self.exit_code: int | None = None
        self.reason = ""
        self.seconds = 0.0
        self.stderr_tail = ""
        self.outputs: list[dict[str, str | int]] = []  # keep, size (bytes), md5 (hexadecimal)


def parse(run_files: str) -> tuple[list[File], dict[str, str]]:
    """RUN_FILES as files and the environment of their commands, or WrongRunFiles."""
    try:
        content = json.loads(run_files)
    except ValueError as error:
        raise WrongRunFiles(f"RUN_FILES is not set, or not JSON: {error}") from None
    settings, entries = members(content, "RUN_FILES", "environment", "files")
    texts = [string_of(*item) for item in items(settings, "RUN_FILES.environment")]
    files = [file_of(*item) for item in items(entries, "RUN_FILES.files")]
    if not files:
        raise WrongRunFiles("RUN_FILES.files is empty")
    in_use = {FOLDERS.name, RESULT.name} | {Path(file.fetched).parts[0] for file in files}
    for keep in (output.keep for file in files for output in file.outputs):
        if keep.parts[0] in in_use:
            raise WrongRunFiles(f"RUN_FILES keeps {str(keep)!r} where inputs or results of its own are")
    return files, {name: value for name, _, value in (text.partition("=") for text in texts)}


def file_of(entry: Any, where: str) -> File:
    """One entry of `files`."""
    name, fetched, command, minutes, outputs = members(entry, where, *File._fields)
    if "/" in string_of(name, f"{where}.name") or name in {".", ".."}:
        raise WrongRunFiles(f"{where}.name must be a file name, not {name!r}")
    if type(minutes) not in {int, float} or not minutes > 0:
        raise WrongRunFiles(f"{where}.minutes must be a number over 0, not {minutes!r}")
    found = [output_of(*item) for item in items(outputs, f"{where}.outputs")]
    fetched = path_of(fetched, f"{where}.fetched")
    return File(name, fetched, string_of(command, f"{where}.command"), minutes, found)


def output_of(entry: Any, where: str) -> Output:
    """One entry of a file's `outputs`."""
    kind = "glob" if isinstance(entry, dict) and "glob" in entry else "find"
    pattern, keep = members(entry, where, kind, "keep")
    return Output(path_of(pattern, f"{where}.{kind}"), kind == "glob", Path(path_of(keep, f"{where}.keep")))


def members(value: Any, where: str, *names: str) -> list[Any]:
    """The values of a JSON object, which must have exactly these members."""
    if not isinstance(value, dict) or set(value) != set(names):
        raise WrongRunFiles(f"{where} must be an object of exactly {', '.join(names)}")
    return [value[name] for name in names]


def items(value: Any, where: str) -> list[tuple[Any, str]]:
    """The items of a JSON list, each with its place."""
    if not isinstance(value, list):
        raise WrongRunFiles(f"{where} must be a list")
    return [(item, f"{where}[{index}]") for index, item in enumerate(value)]


def string_of(value: Any, where: str) -> str:
    """A string that can stand in a path or a command."""
    with contextlib.suppress(UnicodeEncodeError):
        if isinstance(value, str) and value and b"\0" not in os.fsencode(value):
            return value
    raise WrongRunFiles(f"{where} must be a string, not empty, of characters that a file name can have")


def path_of(value: Any, where: str) -> str:
    """A path that stays below what it is relative to."""
    path = Path(string_of(value, where))
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise WrongRunFiles(f"{where} must be a relative path without '..', not {value!r}")
    return str(value)


class Command:
    """The command that runs: it can be stopped at once, and nothing that it starts outlives it.

    A guard, out of reach of signals to the task's process group, sees to it when this process is killed.
    """

    def __init__(self) -> None:
        self.stopped_by, self.group, self.expired = 0, 0, False
        self.guard = Popen([*SHELL, GUARD], stdin=PIPE, start_new_session=True)

    def stop(self, number: int, _frame: object) -> None:
        """Handle a signal that ends the task, or the command's time: it dies now, its outcome is told."""
        if number == signal.SIGALRM:
            self.expired = True
        else:
            self.stopped_by = number
        self.kill_group()

    def kill_group(self) -> None:
        """Kill what still runs in the command's process group."""
        if self.group:
            # PermissionError: macOS says so where only a zombie is left.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.group, signal.SIGKILL)

    def run(self, file: File, folder: Path, env: dict[str, str]) -> tuple[int, bytes]:
        """Run it to its end; the exit code, -n for signal n, and the last bytes of its stderr."""
        self.expired = False
        reader, writer = os.pipe()
        tail = bytearray()
        copying = threading.Thread(target=pass_on, args=(reader, tail), daemon=True)
        copying.start()
        line, to_guard = [*SHELL, GUARDED, "sh", file.command], self.guard.stdin
        assert to_guard is not None
        with os.fdopen(writer, "wb") as stderr:
            process = Popen(line, cwd=folder, env=env, stdin=to_guard, stderr=stderr, start_new_session=True)
        self.group = process.pid
        if self.stopped_by:  # the signal came before the group was known
            self.kill_group()
        signal.setitimer(signal.ITIMER_REAL, file.minutes * 60)
        code = process.wait()
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.kill_group()
        self.group = 0
        with contextlib.suppress(BrokenPipeError):
            os.write(to_guard.fileno(), b"0\n")
        copying.join(SECONDS_FOR_LAST_WORDS)
        return code, bytes(tail)


def pass_on(reader: int, tail: bytearray) -> None:
    """Copy what the command writes to our own stderr as it comes; keep the last bytes in `tail`."""
    while data := os.read(reader, 1 << 16):
        tail += data
        del tail[:-TAIL_BYTES]
        with contextlib.suppress(OSError):  # a full disk under the task's stderr must not stop the command
            while data:
                data = data[os.write(sys.stderr.fileno(), data) :]
    os.close(reader)


def remove_earlier_try(files: list[File]) -> None:
    """Remove the folders and outputs that an earlier try in this working directory left."""
    for path in [FOLDERS, *(output.keep for file in files for output in file.outputs)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def outcome_of(file: File, folder: Path, command: Command) -> Outcome:
    """Run the file's command in its folder, keep its outputs, and tell how it went."""
    outcome, began = Outcome(file.name), time.monotonic()
    try:
        place_input(file, folder)
        env = {**os.environ, "FILE_NAME": file.name, "TASK_FILES_DIR": str(Path.cwd())}
        code, tail = command.run(file, folder, env)
        outcome.exit_code = code if code >= 0 else SIGNALLED - code
        outcome.stderr_tail = tail.decode(errors="replace")
        if code == 0:
            outcome.outputs = keep_outputs(find_outputs(file, folder))
            outcome.state = "succeeded"
            shutil.rmtree(folder, ignore_errors=True)  # the scratch of many files would fill the node's disk
        else:
            late = command.expired and not command.stopped_by
            outcome.reason = f"over {file.minutes:g} min" if late else reason_of(code, command.stopped_by)
    except OSError as error:
        outcome.reason = str(error)
    outcome.seconds = round(time.monotonic() - began, 3)
    return outcome


def reason_of(code: int, stopped_by: int) -> str:
    """Why a command failed, in words."""
    if stopped_by:
        return f"stopped by signal {stopped_by}"
    if SIGNALLED < code < SIGNALLED + signal.NSIG:  # a shell says so of what it ran
        return f"exit code {code}, as of signal {code - SIGNALLED}"
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def place_input(file: File, folder: Path) -> None:
    """Give the fetched file its own name in a fresh folder; raises FileNotFoundError."""
    if not Path(file.fetched).is_file():
        raise FileNotFoundError(f"input {file.fetched!r} was not fetched")
    folder.mkdir(parents=True)
    try:
        os.link(file.fetched, folder / file.name)  # costs nothing, leaves the file for another try
    except OSError:  # not every node allows links
        shutil.copyfile(file.fetched, folder / file.name)


def find_outputs(file: File, folder: Path) -> list[tuple[Path, Path]]:
    """Where each output is and where it is to be kept; raises FileNotFoundError."""
    pairs = []
    for output in file.outputs:
        names = [output.pattern]
        if output.is_glob:
            # Not Path.glob: what "**" matches there depends on the Python version.
            names = sorted(glob.glob(output.pattern, root_dir=folder, recursive=True))  # noqa: PTH207
            names = [name for name in names if name != file.name]
        found = [name for name in names if (folder / name).is_file()]
        if not found:
            what = "no output matches" if output.is_glob else "no output"
            raise FileNotFoundError(f"{what} {output.pattern!r}")
        pairs += [(folder / name, output.keep / name if output.is_glob else output.keep) for name in found]
    return pairs


def keep_outputs(pairs: list[tuple[Path, Path]]) -> list[dict[str, str | int]]:
    """Move each output to where it is kept; what storage can confirm of each."""
    wanted = Counter(source for source, _ in pairs)
    kept: list[dict[str, str | int]] = []
    for source, target in pairs:
        target.parent.mkdir(parents=True, exist_ok=True)
        wanted[source] -= 1
        if wanted[source] or source.is_symlink():
            shutil.copyfile(source, target)
        else:
            source.replace(target)
        md5 = hashlib.md5(usedforsecurity=False)
        with target.open("rb") as file:
            while data := file.read(1 << 20):
                md5.update(data)
        kept.append({"keep": str(target), "size": target.stat().st_size, "md5": md5.hexdigest()})
    return kept


def write_result(outcomes: list[Outcome]) -> None:
    """Write result.json beside, then give it its name: what bears the name is whole."""
    partial = Path(f"{RESULT}.partial")
    partial.write_text(json.dumps({"files": [vars(outcome) for outcome in outcomes]}, indent=1) + "\n")
    partial.replace(RESULT)


def run_files(files: list[File], command: Command) -> list[Outcome]:
    """Run every file's command, in order, until a signal stops it; result.json has the outcomes so far."""
    outcomes: list[Outcome] = []
    remove_earlier_try(files)
    write_result(outcomes)
    for index, file in enumerate(files):
        if command.stopped_by:
            break
        outcomes.append(outcome_of(file, FOLDERS / str(index), command))
        write_result(outcomes)
        if outcomes[-1].reason:
            print(f"run_files: {file.name!r} failed: {outcomes[-1].reason}", file=sys.stderr, flush=True)
    return outcomes


def main() -> int:
    """Do what RUN_FILES says; the exit code: 0, of a single failed file its command's own, of several 1."""
    try:
        files, environment = parse(os.environ.get("RUN_FILES", ""))
    except WrongRunFiles as error:
        print(f"run_files: {error}", file=sys.stderr)
        return WRONG_RUN_FILES
    os.environ.update(environment)
    command = Command()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, command.stop)
    try:
        outcomes = run_files(files, command)
    except OSError as error:
        print(f"run_files: the task's working directory cannot be used: {error}", file=sys.stderr)
        return UNUSABLE_DIRECTORY
    finally:
        command.guard.communicate()
    if command.stopped_by:
        return SIGNALLED + command.stopped_by
    if all(outcome.state == "succeeded" for outcome in outcomes):
        return 0
    return (len(outcomes) == 1 and outcomes[0].exit_code) or 1


if __name__ == "__main__":
    sys.exit(main())
