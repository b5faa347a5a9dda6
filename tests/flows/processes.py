"""Looking at processes from outside, as `ps` shows them."""

import subprocess
import time
from collections.abc import Callable


def is_running(pid: int) -> bool:
    """Whether the process is there and not just waiting to be reaped."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return state.stdout.strip()[:1] not in ("", "Z")


def descendants_of(pid: int) -> set[int]:
    """The children of a process, and theirs."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = [line.split() for line in listed.stdout.splitlines()]
    found = {pid}
    while more := {int(child) for child, parent in pairs if int(parent) in found} - found:
        found |= more
    return found - {pid}


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Wait until it holds; fail after 30 s."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, f"not within 30 s: {what}"
        time.sleep(0.02)
