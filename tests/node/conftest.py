"""The Pythons that nodes may have, as far as they are on this machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

SUPPORTED = ("3.10", "3.11", "3.12", "3.13")
PLACES = (".pyenv/versions/{version}*/bin/python3", ".local/share/uv/python/cpython-{version}*/bin/python3")


@cache
def find_python(version: str) -> str | None:
    """A working interpreter of that version: this one, or from the PATH, pyenv or uv."""
    candidates = [sys.executable, shutil.which(f"python{version}")]
    for place in PLACES:
        candidates += map(str, sorted(Path.home().glob(place.format(version=version))))
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    for candidate in filter(None, candidates):
        answer = subprocess.run(
            [candidate, "-I", "-S", "-c", ask], capture_output=True, text=True, check=False
        )
        if answer.returncode == 0 and answer.stdout.strip() == version:
            return candidate
    return None


@pytest.fixture(params=SUPPORTED)
def node_python(request: pytest.FixtureRequest) -> list[str]:
    """The start of a command line that runs a script without anything but the standard library."""
    found = find_python(request.param)
    if found is None:
        pytest.skip(f"Python {request.param} is not on this machine")
    return [found, "-I", "-S", "-W", "error"]
