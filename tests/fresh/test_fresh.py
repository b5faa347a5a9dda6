"""The committed state, set up from nothing: what a newcomer downloads, and what a package index has today."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.test_command_line_runs import counted, words_of
from tests.test_readme import ROOT

# Also prefect_server, so that `-m "not prefect_server"` leaves these out as well.
pytestmark = [pytest.mark.fresh, pytest.mark.prefect_server, pytest.mark.timeout(1800)]
OF_THIS_SHELL = ("PREFECT_", "AZURE_", "UV_", "XDG_", "MAKE", "MFLAGS", "VIRTUAL_ENV", "PYTEST_")


@pytest.fixture(autouse=True)
def _without_what_others_wrote(tmp_path: Path) -> Iterator[None]:
    """What the runs left is looked through for secrets at the end; packages and tests only look so."""
    yield
    for name in ("home", "venv", "clone/.venv", "clone/node_modules", "clone/.local", "clone/tests"):
        shutil.rmtree(tmp_path / name, ignore_errors=True)


def of_a_newcomer(home: Path) -> dict[str, str]:
    """An environment with an empty home, and with this Python as `python3`: one of a version manager may need
    the real home.
    """
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_THIS_SHELL)}
    python = Path(sys.base_prefix) / "bin"
    return {**kept, "HOME": str(home), "PATH": os.pathsep.join([str(python), os.environ["PATH"]])}


def run(*command: str | Path, cwd: Path, env: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_fresh_clone_in_an_empty_home_gives_the_words_of_every_file_twice(tmp_path: Path) -> None:
    env, clone = of_a_newcomer(tmp_path / "home"), tmp_path / "clone"
    run("git", "clone", "--quiet", ROOT, clone, cwd=tmp_path, env=env)
    for _ in range(2):
        assert "5 of 5 files succeeded" in run("make", "run", cwd=clone, env=env)
        for text in [*(clone / "examples" / "texts").iterdir(), clone / ".local" / "large.txt"]:
            output = clone / "output" / f"{text.stem}_OUTPUT{text.suffix}"
            assert counted(output) == words_of(text.read_text("utf-8-sig"), 3)
        shutil.rmtree(clone / "output")
    visible = [path.name for path in (tmp_path / "home").iterdir() if path.name[0] != "."]
    assert visible == [], "only caches may be outside the checkout"


def test_the_bounds_of_the_dependencies_hold_without_the_lock(tmp_path: Path) -> None:
    env, venv = of_a_newcomer(tmp_path / "home"), tmp_path / "venv"
    uv = shutil.which("uv") or ROOT / ".local" / "uv" / "bin" / "uv"
    run(uv, "venv", "--quiet", "--python", sys.executable, venv, cwd=tmp_path, env=env)
    python = venv / "bin" / "python"
    run(uv, "pip", "install", "--quiet", "--python", python, ROOT, cwd=tmp_path, env=env)
    run(python, "-c", "import prefect, prefect.server.api.server", cwd=tmp_path, env=env)
    assert "--merge" in run(venv / "bin" / "top-n-words", "--help", cwd=tmp_path, env=env)
    assert "--port" in run(venv / "bin" / "batch-emulator", "--help", cwd=tmp_path, env=env)
