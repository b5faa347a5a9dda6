"""The arrows between the packages, and to what others wrote, point one way; no part grows beyond reading."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
OURS = {
    "flows": {"batch_tasks"},
    "batch_tasks": set(),
    "node": set(),
    "batch_emulator": set(),
    "benchmarks": {"flows", "batch_tasks", "batch_emulator"},
}
"""Each package, and the others of ours that it may import."""

MAY_IMPORT = {
    "azure": ("batch_tasks/", "benchmarks/"),
    "azure.identity": ("batch_tasks/clients.py",),
    "azure.mgmt": ("batch_tasks/clients.py",),
    "azure.core.credentials": ("batch_tasks/clients.py", "benchmarks/"),
    "prefect": ("flows/", "batch_tasks/"),
    "pydantic": ("flows/", "batch_tasks/"),
    "pydantic_settings": ("batch_tasks/settings.py",),
    "rich": ("flows/command_line/",),
    "h11": ("batch_emulator/server.py",),
    "starlette": ("batch_emulator/app.py", "batch_emulator/server.py"),
    "uvicorn": ("batch_emulator/server.py", "flows/local_stack/serve_prefect.py"),
    "httpx": ("batch_emulator/compute_node/", "benchmarks/"),
}
"""What others wrote, and the only places that may import it."""

DECIDES = ("batch_emulator/scheduler/", "batch_emulator/lifecycle.py", "batch_emulator/resources.py")
ACTS = {"asyncio", "os", "pathlib", "random", "signal", "socket", "subprocess", "threading", "time"}
LONGEST_MODULE = 350
LONGEST_FUNCTION = 40
VAGUE = {"utils", "util", "common", "base", "core", "helpers", "helper", "manager", "misc", "tools"}


class Import(NamedTuple):
    """A module that a file imports, wherever in the file that is."""

    file: str
    module: str

    def is_of(self, package: str) -> bool:
        return self.module == package or self.module.startswith(f"{package}.")


def imports_in(file: str, tree: ast.Module) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(file, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively: name the package"
            yield from (Import(file, f"{node.module}.{alias.name}") for alias in node.names)


@cache
def sources() -> dict[str, str]:
    files = [path for package in OURS for path in sorted((ROOT / package).rglob("*.py"))]
    return {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in files}


@cache
def trees() -> dict[str, ast.Module]:
    return {file: ast.parse(source) for file, source in sources().items()}


@cache
def imports() -> tuple[Import, ...]:
    return tuple(found for file, tree in trees().items() for found in imports_in(file, tree))


def test_imports_are_seen_wherever_they_stand() -> None:
    source = "import os.path\ndef f():\n    from a.b import c\n    if x:\n        import d as e\n"
    assert [found.module for found in imports_in("file", ast.parse(source))] == ["os.path", "a.b.c", "d"]


@pytest.mark.parametrize("package", OURS)
def test_our_packages_know_only_those_below_them(package: str) -> None:
    others = {*OURS, "tests", "examples"} - OURS[package] - {package}
    wrong = [
        found for found in imports() if found.file.startswith(f"{package}/") and any(map(found.is_of, others))
    ]
    assert wrong == []


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_what_others_wrote_is_used_only_where_it_belongs(package: str) -> None:
    wrong = [
        found
        for found in imports()
        if found.is_of(package) and not found.file.startswith(MAY_IMPORT[package])
    ]
    assert wrong == []


def test_nothing_is_imported_that_has_no_place_named_here() -> None:
    known = {*sys.stdlib_module_names, *OURS, *MAY_IMPORT}
    assert [found for found in imports() if found.module.split(".")[0] not in known] == []


def test_what_runs_on_nodes_needs_python_alone() -> None:
    allowed = {*sys.stdlib_module_names}
    on_nodes = [found for found in imports() if found.file.startswith("node/")]
    assert on_nodes != []
    assert [found for found in on_nodes if found.module.split(".")[0] not in allowed] == []


def test_what_decides_does_not_act() -> None:
    deciding = [found for found in imports() if found.file.startswith(DECIDES)]
    assert deciding != []
    assert [found for found in deciding if found.module.split(".")[0] in ACTS] == []


def test_modules_stay_readable() -> None:
    long = {file: len(source.splitlines()) for file, source in sources().items()}
    assert {file: lines for file, lines in long.items() if lines > LONGEST_MODULE} == {}


def test_functions_stay_readable() -> None:
    long = [
        (file, node.name)
        for file, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
    ]
    assert long == []


def test_file_names_say_what_is_in_them() -> None:
    names = {file: Path(file).parts for file in sources()}
    assert [
        file for file, parts in names.items() if VAGUE & {part.removesuffix(".py") for part in parts}
    ] == []


def test_every_module_says_what_it_is_about() -> None:
    silent = [file for file, tree in trees().items() if tree.body and not ast.get_docstring(tree)]
    assert silent == []
