"""Runs processes without a thread for each and without stopping the event loop.

The work is done by `launcher.py`, one small program per emulator; here is its other end. A process leads its
own group, is ended with everything it started, and is never left as a zombie. When the emulator dies, even by
SIGKILL, the launcher sees its socket close and kills all that runs. What cannot be caught, on Linux: a
process that has left its group and session, replaced its environment and left the task's directory; it ends
with the emulator. On macOS whatever leaves the process group is not followed.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from batch_emulator.compute_node.environment import INHERITED
from batch_emulator.outcomes import Failure

KILL_GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL (assumed; the service documents none)."""


class LaunchFailed(Exception):
    """The process could not be started; `failure` says why, with the service's code."""

    def __init__(self, failure: Failure) -> None:
        """Carry `failure`."""
        super().__init__(failure.message)
        self.failure = failure


class DirectoryNotMade(Exception):
    """The directory that a process was to have cannot be made; `errno` says why (EEXIST: it is there)."""

    def __init__(self, errno: int) -> None:
        """Carry `errno`."""
        super().__init__(os.strerror(errno))
        self.errno = errno


class Running:
    """A process that has been started."""

    def __init__(self, launcher: "Launcher", run_id: int, pid: int, ended: asyncio.Future[int]) -> None:
        """Made by `Launcher.start`."""
        self.pid = pid
        self._launcher = launcher
        self._id = run_id
        self._ended = ended

    async def wait(self) -> int:
        """Exit code, once the process and all that it left behind are gone.

        A process ended by signal n has 128 + n, as a shell tells it; the service documents nothing for Linux.

        Raises:
            LaunchFailed: the launcher is gone, so nobody knows.
        """
        code = await asyncio.shield(self._ended)
        return code if code >= 0 else 128 - code

    async def kill(self, grace: float = KILL_GRACE) -> int:
        """End the whole process group: SIGTERM, then SIGKILL after `grace` seconds; its exit code."""
        if grace > 0:
            self._launcher.signal(self._id, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(self.wait(), grace)
        self._launcher.signal(self._id, signal.SIGKILL)
        return await self.wait()


class Launcher:
    """Starts processes; one for the whole emulator. Use `async with Launcher() as launcher`."""

    def __init__(self) -> None:
        """Nothing is started yet."""
        self._program: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._gone: asyncio.Future[None] | None = None
        self._last_id = 0
        self._starting: dict[int, asyncio.Future[Running]] = {}
        self._ended: dict[int, asyncio.Future[int]] = {}
        self._pids: dict[int, int] = {}

    async def __aenter__(self) -> Self:
        """Start the program that starts the others."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with theirs:
            self._program = _run_launcher(theirs)
        self._gone = loop.create_future()
        self._transport, _ = await loop.create_unix_connection(
            lambda: _Lines(self._told, self._lost), sock=ours
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Kill every process and wait until all are gone."""
        assert self._transport is not None
        assert self._gone is not None
        assert self._program is not None
        if not self._transport.is_closing():
            self._transport.write_eof()
        await self._gone
        await asyncio.to_thread(self._program.wait)

    def begin(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | str,
        stdout: Path | str,
        stderr: Path | str,
        makes_directory: bool = False,
    ) -> "asyncio.Future[Running]":
        """Start a process: no shell, exactly this environment, standard input empty, outputs overwritten.

        The program is looked up in the PATH of `env`; a name with a slash is relative to `cwd`. With
        `makes_directory` neither `cwd` nor the directory above is there yet: they are made.

        Raises:
            DirectoryNotMade: they cannot be made (in the future).
            LaunchFailed: CommandProgramNotFound, or CommandLaunchFailed for any other reason (in the future).
        """
        starting: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
        if self._transport is None or self._transport.is_closing():
            _refuse(starting, LaunchFailed(_LAUNCHER_GONE))
            return starting
        self._last_id += 1
        run_id = self._last_id
        self._ended[run_id] = asyncio.get_running_loop().create_future()
        self._starting[run_id] = starting
        self._say(
            id=run_id,
            argv=list(argv),
            env=dict(env),
            cwd=str(cwd),
            stdout=str(stdout),
            stderr=str(stderr),
            makes=makes_directory,
        )
        return starting

    async def start(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, stdout: Path, stderr: Path
    ) -> Running:
        """What `begin` starts, once it has; cancelled, it is ended.

        Raises:
            LaunchFailed: as there.
        """
        starting = self.begin(argv, env=env, cwd=cwd, stdout=stdout, stderr=stderr)
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            with contextlib.suppress(LaunchFailed):
                await (await starting).kill(0)
            raise

    def signal(self, run_id: int, number: int) -> None:
        """Signal the process group of a run, if it still runs."""
        if self._transport is not None and not self._transport.is_closing():
            self._say(id=run_id, signal=int(number))

    def _say(self, **order: object) -> None:
        assert self._transport is not None
        self._transport.write(json.dumps(order).encode() + b"\n")

    def _told(self, event: dict[str, Any]) -> None:
        run_id = event["id"]
        if "pid" in event:
            self._pids[run_id] = event["pid"]
            running = Running(self, run_id, event["pid"], self._ended[run_id])
            self._starting.pop(run_id).set_result(running)
        elif "exit_code" in event:
            del self._pids[run_id]
            self._ended.pop(run_id).set_result(event["exit_code"])
        else:
            del self._ended[run_id]
            not_made = DirectoryNotMade(event["errno"]) if "errno" in event else None
            _refuse(self._starting.pop(run_id), not_made or LaunchFailed(_launch_failure(event)))

    def _lost(self) -> None:
        """The launcher has ended, by our wish or not: nothing of it may run on."""
        for pid in self._pids.values():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        waiting: list[asyncio.Future[Any]] = [*self._starting.values(), *self._ended.values()]
        for future in waiting:
            _refuse(future, LaunchFailed(_LAUNCHER_GONE))
        self._starting.clear()
        self._ended.clear()
        self._pids.clear()
        if self._gone is not None:
            self._gone.set_result(None)


class _Lines(asyncio.Protocol):
    """Cuts what the launcher says into lines."""

    def __init__(self, told: Callable[[dict[str, Any]], None], lost: Callable[[], None]) -> None:
        self._told = told
        self._lost = lost
        self._partial = b""

    def data_received(self, data: bytes) -> None:
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self._told(json.loads(line))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        self._lost()


_LAUNCHER_GONE = Failure(
    "ServerError",
    "Unknown",
    "The program that runs the emulator's processes has ended; start the emulator again.",
)


def _launch_failure(event: Mapping[str, Any]) -> Failure:
    if not event["program_found"]:
        return Failure("UserError", "CommandProgramNotFound", "The specified command program is not found.")
    reason = (("Message", event["reason"]),)
    return Failure("UserError", "CommandLaunchFailed", "The command could not be launched.", reason)


def _refuse(waiting: "asyncio.Future[Any]", error: Exception) -> None:
    waiting.set_exception(error)
    waiting.exception()  # nobody may be waiting any more; that is no error of its own


def _run_launcher(connection: socket.socket) -> "subprocess.Popen[bytes]":
    program = Path(__file__).with_name("launcher.py")
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(program)],
        stdin=connection.fileno(),
        stdout=subprocess.DEVNULL,
        cwd="/",
        env={name: os.environ[name] for name in INHERITED if name in os.environ},  # the key may stand in ours
        start_new_session=True,  # Ctrl-C in a terminal is for the emulator, which then ends this in order
    )
