"""The emulator needs neither Prefect nor the Azure SDKs: only what its own package declares."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
BLOCKED = """
import importlib.abc, pathlib, pkgutil, sys

class OnlyDeclared(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in allowed and top not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"{name} is not declared")

allowed = set(sys.argv[1].split())
sys.meta_path.insert(0, OnlyDeclared())
import batch_emulator
for module in pkgutil.walk_packages(batch_emulator.__path__, "batch_emulator."):
    if not module.name.endswith(("__main__", ".launcher")):
        __import__(module.name)
from batch_emulator.__main__ import main
main(["--port", "0", "--exit-with-stdin"])
"""
"""Imports every module, then runs the server until its standard input ends."""


def declared(file: Path) -> list[str]:
    """The dependencies of a project file, as they are written there."""
    project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    return list(project["dependencies"])


def installed_with(dependencies: list[str]) -> set[str]:
    """The modules of these packages and of all that they need; each is named as its package is."""
    found: set[str] = set()
    waiting = [*dependencies]
    while waiting:
        requirement = waiting.pop()
        match = re.match(r"[\w.-]+", requirement)
        assert match is not None
        name = match[0].lower().replace("-", "_")
        if "extra ==" not in requirement and name not in found:
            found.add(name)
            waiting += _needs(name)
    return found


def _needs(name: str) -> list[str]:
    try:
        return requires(name) or []
    except ModuleNotFoundError:
        return []  # for another Python or system, and not installed here


def test_it_imports_and_serves_with_nothing_but_what_it_declares() -> None:
    allowed = installed_with(declared(PROJECT / "batch_emulator" / "pyproject.toml"))
    assert not allowed & {"prefect", "azure", "azure_batch", "pydantic", "fastapi"}
    ended = subprocess.run(
        [sys.executable, "-c", BLOCKED, " ".join({*allowed, "batch_emulator"})],
        cwd=PROJECT,
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "AZURE_BATCH_ENDPOINT" in ended.stdout


def test_its_own_package_asks_for_what_the_whole_project_asks_for() -> None:
    alone = declared(PROJECT / "batch_emulator" / "pyproject.toml")
    assert set(alone) <= set(declared(PROJECT / "pyproject.toml"))


def test_what_is_slow_to_import_is_not_imported_at_the_start() -> None:
    program = "import sys, batch_emulator.app, batch_emulator.server; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0
