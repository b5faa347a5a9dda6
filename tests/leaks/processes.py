"""What the process list showed of this process and its descendants during a session. Linux only."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
EVERY = 1.0  # seconds


class ProcessList:
    """Reads command lines and environments now and then, in a thread of its own."""

    def __init__(self, proc: Path = PROC) -> None:
        self.command_lines: set[bytes] = set()
        self.environments: set[bytes] = set()
        """`NAME=value` for the names in `NAMES`; whoever sees our processes' environments is ourselves."""
        self._proc = proc
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="process list", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        if (self._proc / "self").exists():
            self._thread.start()

    def stop(self) -> None:
        """Look once more, and end."""
        if self._thread.is_alive():
            self._ended.set()
            self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(EVERY):
            self.look()
        self.look()

    def look(self) -> None:
        """Add what is there now."""
        for pid in descendants(self._proc):
            self.command_lines.add(_read(self._proc / str(pid) / "cmdline").replace(b"\0", b" "))
            settings = _read(self._proc / str(pid) / "environ").split(b"\0")
            self.environments.update(setting for setting in settings if setting.startswith(NAMES))


NAMES = (b"AZURITE_ACCOUNTS=", b"AZURE_BATCH_ACCESS_KEY=", b"AZURE_STORAGE_KEY=", b"PREFECT_HOME=")


def descendants(proc: Path = PROC) -> Iterator[int]:
    """The ids of this process and of all that it started, and they."""
    children: dict[int, list[int]] = {}
    for folder in proc.iterdir():
        if folder.name.isdecimal():
            after_name = _read(folder / "stat").rpartition(b")")[2].split()
            if len(after_name) > 1:
                children.setdefault(int(after_name[1]), []).append(int(folder.name))
    waiting = [os.getpid()]
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children.get(pid, ())


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # the process ended meanwhile, or is none of ours
        return b""
