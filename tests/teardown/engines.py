"""Processes of flow runs that no worker started: what `python -m prefect.engine` is, at less cost."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.teardown.waiting import ROOT, until


@dataclass(frozen=True)
class Engine:
    """The process of one flow run."""

    pid: int

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        until(lambda: not self.lives(), f"process {self.pid} is gone")

    def lives(self) -> bool:
        """Whether the process is there."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True


class Engines:
    """Starts them."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server
        self._asking = threading.Lock()
        self._started: list[Engine] = []

    def start(self, run_id: str) -> Engine:
        """The process that a worker would start for the run."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        with self._asking:
            self._server.stdin.write(f"{run_id}\n")
            self._server.stdin.flush()
            engine = Engine(int(self._server.stdout.readline()))
            self._started.append(engine)
        return engine

    def kill_all(self) -> None:
        """End what a test left."""
        for engine in self._started:
            engine.kill()


@contextmanager
def engines(env: Mapping[str, str], log: Path) -> Iterator[Engines]:
    """The process that starts them, for the length of the block."""
    command = [sys.executable, "-m", "tests.teardown.forked_engines"]
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as server,
    ):
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n", log.read_text()
        started = Engines(server)
        try:
            yield started
        finally:
            started.kill_all()
            server.kill()
