"""One server as a child process that announces itself on stdout and cannot outlive us.

The child's stdin is a pipe nobody writes to. When our process ends in any way, SIGKILL included, the pipe
closes and the child ends itself. That is portable, and unlike Linux' parent-death signal it does not fire
when merely the thread that started the child ends, which threads of a flow do.
"""

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Self, TypeVar

T = TypeVar("T")

LAST_LINES = 12
READY_WITHIN_SECONDS = 60.0
STOP_WITHIN_SECONDS = 10.0


class ServiceError(RuntimeError):
    """A server of the local stack did not start."""


class Service:
    """A server that runs from `Service(...)` until `stop()`, or for a `with` block."""

    def __init__(self, name: str, command: Sequence[str], *, env: Mapping[str, str]) -> None:
        """Start `command`; it must end itself when its stdin closes.

        It leads a session of its own: Ctrl-C in the terminal reaches everything in the foreground, and the
        servers are still needed while a cancelled run cleans up.
        """
        self.name = name
        self._process = subprocess.Popen(
            command,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self._stdout: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._stderr: deque[str] = deque(maxlen=LAST_LINES)
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        # Both pipes are read until they close: a server whose pipe is full stands still.
        self._readers = [
            threading.Thread(target=self._hand_on_stdout, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._stderr.extend, args=(self._process.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the server, which also leads its process group."""
        return self._process.pid

    def announced(self, found: Callable[[str], T | None], *, within: float = READY_WITHIN_SECONDS) -> T:
        """Read what the server prints on stdout until `found` makes something of a line, and return that.

        Raises:
            ServiceError: the server ended or `within` seconds have passed. The text holds the last lines of
                stderr, never those of stdout, which may carry keys.
        """
        deadline = time.monotonic() + within
        while True:
            try:
                line = self._stdout.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise ServiceError(self._failure(f"was not ready within {within:g} s")) from None
            if line is None:
                raise ServiceError(self._failure("ended before it was ready"))
            if (result := found(line)) is not None:
                return result

    def stop(self, *, within: float = STOP_WITHIN_SECONDS) -> None:
        """Ask the server to end (SIGTERM); kill its process group when it has not after `within` seconds."""
        try:
            self._process.terminate()
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            pass
        finally:  # also when a second Ctrl-C interrupts the waiting
            if self._process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._close_pipes()

    def _hand_on_stdout(self, stdout: IO[str]) -> None:
        for line in stdout:
            self._stdout.put(line.rstrip("\n"))
        self._stdout.put(None)

    def _failure(self, what: str) -> str:
        self.stop(within=2.0)
        said = "\n".join(f"  {line.rstrip()}" for line in self._stderr) or "  (nothing)"
        return f"{self.name} {what} (exit code {self._process.returncode}). Its last words on stderr:\n{said}"

    def _close_pipes(self) -> None:
        for reader in self._readers:
            reader.join(timeout=1.0)  # a grandchild may still hold the pipe
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None and not any(reader.is_alive() for reader in self._readers):
                pipe.close()
