"""Programs that the nodes of a local stack need: those of this machine, else those that came as PyPI wheels.

Nodes inherit the emulator's PATH. A wheel's program bears a name of its own; so it is linked to under the
usual one, in a folder of the user's cache, behind everything that is on the PATH already.
"""

import os
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

FROM_WHEELS = {"ffmpeg": ("imageio_ffmpeg", "binaries/ffmpeg-*")}
"""The program, the package that ships it, and where in the package it is."""


def with_programs(env: Mapping[str, str]) -> dict[str, str]:
    """The environment with a PATH that has the programs, as far as they are to be had."""
    path = env.get("PATH") or os.defpath
    found = {name: shipped(name) for name in FROM_WHEELS if not shutil.which(name, path=path)}
    wanted = {name: program for name, program in found.items() if program}
    if not wanted:
        return dict(env)
    folder = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "prefect-azure-batch"
    for name, program in wanted.items():
        _link(folder / name, program)
    return {**env, "PATH": os.pathsep.join([path, str(folder)])}


def shipped(program: str) -> Path | None:
    """The program that an installed wheel ships, or None."""
    package, pattern = FROM_WHEELS[program]
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    found = sorted(Path(spec.origin).parent.glob(pattern))
    return next((path for path in found if os.access(path, os.X_OK)), None)


def _link(link: Path, program: Path) -> None:
    """Let the link lead to the program; another process may do the same at the same time."""
    link.parent.mkdir(parents=True, exist_ok=True)
    beside = link.with_name(f"{link.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    beside.symlink_to(program)
    beside.replace(link)
