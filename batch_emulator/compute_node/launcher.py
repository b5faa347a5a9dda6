"""Starts, watches and ends the processes of tasks: a small program of its own beside the emulator.

Standing apart buys four things. A spawn never halts the emulator's event loop. This program has one thread,
so it may change its directory before a spawn, which lets it use the fastest one (`posix_spawn`). On Linux it
adopts every process that a task left behind (`PR_SET_CHILD_SUBREAPER`), so none escapes by forking twice. And
when the emulator is gone, however it died, the socket on descriptor 0 ends and every process is killed.

It speaks lines of JSON over that socket. To it: `{"id", "argv", "env", "cwd", "stdout", "stderr", "makes"}`
starts a process, with `makes` in a directory that is made first, with the one above it; `{"id", "signal"}`
signals its group. From it: `{"id", "pid"}`, or `{"id", "program_found", "reason"}`, or `{"id", "errno"}` when
the directory cannot be made; after a pid `{"id", "exit_code"}` once the process and all that it left behind
are gone.

Run with `python -I -S`; it uses the standard library only.
"""

import contextlib
import ctypes
import errno
import json
import os
import selectors
import signal
import socket
import sys
from functools import cache
from pathlib import Path
from typing import Any

LINUX = sys.platform == "linux"
PR_SET_CHILD_SUBREAPER = 36
MARK = b"AZ_BATCH_TASK_WORKING_DIR="
IGNORED = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
# Python ignores the two last ones; a task must find all of them as a shell would give them.
RESET = [*IGNORED, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ]
SECONDS_TO_END = 10
READ_AT_ONCE = 1 << 16  # bytes; a larger buffer would be mapped and unmapped for each read


class Run:
    """One process that was asked for, and the directory by which its leftovers are known."""

    def __init__(self, run_id: int, pid: int, directory: str) -> None:
        """Remember a process that has just been started."""
        self.id = run_id
        self.pid = pid
        self.directory = os.fsencode(directory)
        self.exit_code = 0
        self.strays: set[int] = set()


class Launcher:
    """All processes started and not yet reported as ended."""

    def __init__(self, connection: socket.socket) -> None:
        """Serve `connection` until it ends."""
        self.connection = connection
        self.running: dict[int, Run] = {}
        self.ending: list[Run] = []
        self.pids: dict[int, int] = {}
        self.out: list[bytes] = []
        self.null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def serve(self) -> None:
        """Do what is asked and tell what ended, until the other side is gone; then kill what is left."""
        try:
            self.talk()
        except ConnectionError:
            pass  # the emulator was killed with a line half said
        finally:
            self.end()

    def talk(self) -> None:
        """Answer orders and report ends until the emulator closes its side."""
        selector = selectors.DefaultSelector()
        selector.register(self.connection, selectors.EVENT_READ)
        selector.register(_child_signals(), selectors.EVENT_READ)
        partial = b""
        while True:
            for key, _ in selector.select():
                data = os.read(key.fd, READ_AT_ONCE)
                if key.fileobj is self.connection:
                    if not data:
                        return
                    *lines, partial = (partial + data).split(b"\n")
                    for line in lines:
                        self.obey(json.loads(line))
            self.reap()
            if self.out:
                self.connection.sendall(b"".join(self.out))
                self.out.clear()

    def tell(self, **event: object) -> None:
        """Queue one line for the emulator."""
        self.out.append(json.dumps(event).encode() + b"\n")

    def obey(self, order: dict[str, Any]) -> None:
        """Start a process, or signal the group of one that still runs."""
        if "signal" in order:
            if (pid := self.pids.get(order["id"])) is not None:
                _signal_group(pid, order["signal"])
            return
        try:
            if order["makes"]:
                _make(order["cwd"])
            pid = self.spawn(order)
        except NotMade as error:
            self.tell(id=order["id"], errno=error.errno)
        except (OSError, ValueError) as error:
            found = not isinstance(error, ProgramNotFound)
            reason = getattr(error, "strerror", None) or str(error)
            self.tell(id=order["id"], program_found=found, reason=reason)
        else:
            self.running[pid] = Run(order["id"], pid, order["cwd"])
            self.pids[order["id"]] = pid
            self.tell(id=order["id"], pid=pid)

    def spawn(self, order: dict[str, Any]) -> int:
        """The pid of the new process, which leads its own group."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        opened: list[int] = []
        os.chdir(order["cwd"])
        try:
            program = _find(order["argv"][0], order["env"])
            opened.extend(os.open(order[name], flags, 0o644) for name in ("stdout", "stderr"))
            streams = [(os.POSIX_SPAWN_DUP2, fd, target) for target, fd in enumerate([self.null, *opened])]
            # Not a session of its own: Linux shares out the processor by session, and on a busy machine a
            # spawn then takes twice as long (measured). None has a terminal here anyway.
            return os.posix_spawn(
                program, order["argv"], order["env"], file_actions=streams, setpgroup=0, setsigdef=RESET
            )
        finally:
            for fd in opened:
                os.close(fd)

    def reap(self) -> None:
        """Collect every child that has ended, kill what it left behind, report what is complete."""
        ended = False
        while (child := self.collect()) is not None:
            ended = True
            pid, status = child
            run = self.running.pop(pid, None)
            if run is None:
                for waiting in self.ending:
                    waiting.strays.discard(pid)
                continue
            del self.pids[run.id]
            run.exit_code = os.waitstatus_to_exitcode(status)
            self.ending.append(run)
        if ended:
            self.sweep()
            self.report()

    def collect(self) -> tuple[int, int] | None:
        """Pid and status of a child that has ended; nothing of its process group outlives it."""
        try:
            if not LINUX:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid in self.running:
                    _signal_group(pid, signal.SIGKILL)
                return (pid, status) if pid else None
            child = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return None
        if child is None:
            return None
        if child.si_pid in self.running:
            # Before the pid is given back, for after that the group could be another's.
            _signal_group(child.si_pid, signal.SIGKILL)
        return os.waitpid(child.si_pid, 0)

    def sweep(self) -> None:
        """Kill adopted processes whose run has ended."""
        for pid in _children():
            if pid in self.running:
                continue
            place, marked = _belongs_to(pid)
            if any(_within(place, run.directory) for run in self.running.values()):
                continue
            owners = [run for run in self.ending if _within(place, run.directory)]
            if owners or marked:
                _kill(pid)
                for run in owners:
                    run.strays.add(pid)

    def report(self) -> None:
        """Tell of each ended process that has nothing left behind."""
        for run in [run for run in self.ending if not run.strays]:
            self.ending.remove(run)
            self.tell(id=run.id, exit_code=run.exit_code)

    def end(self) -> None:
        """Kill every process there is and wait until none is left."""
        signal.alarm(SECONDS_TO_END)  # a process that cannot be killed shall not keep this one
        for pid in self.running:
            _signal_group(pid, signal.SIGKILL)
        while True:
            for pid in _children():
                _kill(pid)
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return


class NotMade(Exception):
    """The directory of a process cannot be made, or is there already."""

    def __init__(self, number: int | None) -> None:
        """Say why."""
        super().__init__(number)
        self.errno = number


def _make(directory: str) -> None:
    """Make a directory and the one above, neither of which may be there."""
    above = os.path.dirname(directory)  # noqa: PTH120 (a string is quicker)
    try:
        try:
            os.mkdir(above)  # noqa: PTH102
        except FileNotFoundError:
            os.makedirs(above)  # noqa: PTH103
        os.mkdir(directory)  # noqa: PTH102
    except OSError as error:
        raise NotMade(error.errno) from None


class ProgramNotFound(FileNotFoundError):
    """There is no program of this name."""


def _find(name: str, env: dict[str, str]) -> str:
    """The path of a program, looked up as exec does: by the task's PATH, or from its directory."""
    if "/" in name:
        if not Path(name).exists():
            raise ProgramNotFound
        return name
    paths = [f"{folder or '.'}/{name}" for folder in env.get("PATH", os.defpath).split(":") if name]
    for path in paths:
        if os.access(path, os.X_OK) and Path(path).is_file():
            return path
    if any(Path(path).is_file() for path in paths):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    raise ProgramNotFound


def _children() -> list[int]:
    """Own and adopted children; none are known where the system does not tell."""
    try:
        fd = _children_file()
    except FileNotFoundError:
        return []
    told = b""
    while piece := os.pread(fd, READ_AT_ONCE, len(told)):
        told += piece
    return [int(word) for word in told.split()]


@cache
def _children_file() -> int:
    """A descriptor that is read anew each time: opening it would take longer."""
    pid = os.getpid()
    return os.open(f"/proc/{pid}/task/{pid}/children", os.O_RDONLY | os.O_CLOEXEC)


def _belongs_to(pid: int) -> tuple[bytes, bool]:
    """The working directory of the run that a process came from, and whether its environment said so."""
    try:
        for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            if entry.startswith(MARK):
                return entry[len(MARK) :], True
        return os.fsencode(Path(f"/proc/{pid}/cwd").readlink()), False
    except OSError:
        return b"", False


def _within(place: bytes, directory: bytes) -> bool:
    return place == directory or place.startswith(directory + b"/")


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses a group of zombies
        os.killpg(pid, number)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it ended, or it runs as somebody else
        os.kill(pid, signal.SIGKILL)


def _child_signals() -> int:
    """A descriptor that can be read whenever a child has ended."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading


def main() -> None:
    """Serve the socket on descriptor 0."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)  # the emulator alone says when this ends
    if LINUX:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    Launcher(socket.socket(fileno=0)).serve()


if __name__ == "__main__":
    main()
