"""Programs that the nodes of a local stack need: those of this machine, else those that came as PyPI wheels.

Nodes inherit the PATH of the emulator. A wheel's program is put behind everything that is on it already.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

FROM_WHEELS = {"ffmpeg": ("imageio_ffmpeg", "binaries/ffmpeg-*")}
"""The program, the package that ships it, and where in the package it is."""


@contextmanager
def with_programs(env: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The environment with a PATH that has the programs as far as they are to be had."""
    with TemporaryDirectory(prefix="programs-") as folder:
        for program in FROM_WHEELS:
            found = None if shutil.which(program, path=env.get("PATH")) else shipped(program)
            if found:
                Path(folder, program).symlink_to(found)
        yield {**env, "PATH": os.pathsep.join([env.get("PATH") or os.defpath, folder])}


def shipped(program: str) -> Path | None:
    """The program that an installed wheel ships, or None."""
    package, pattern = FROM_WHEELS[program]
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    found = sorted(Path(spec.origin).parent.glob(pattern))
    return next((path for path in found if os.access(path, os.X_OK)), None)
