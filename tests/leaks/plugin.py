"""The scan at the end of a session of pytest: it fails the session if a secret of it can be read anywhere.

Looked into are the captured output and logs of all tests, the databases and results in the session's Prefect
homes, all files that tests left in their temporary folders (logs, outputs, reports), and the process list.
With pytest-xdist each worker scans what is its own, and the controller fails.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from tests.leaks.finder import Finder, Leak
from tests.leaks.processes import ProcessList

_FOUND = "leaks"
_LONGEST_LIST = 30


class SecretsScan:
    """The plugin: one in each process that runs tests."""

    def __init__(self, config: pytest.Config, finder: Finder) -> None:
        self.finder = finder
        self._config = config
        self._processes = ProcessList()
        self._captured: list[tuple[str, bytes]] = []
        self._told: list[str] = []

    @property
    def _controls(self) -> bool:
        """Whether this process runs no tests itself: workers do."""
        return self._config.pluginmanager.hasplugin("dsession")

    def pytest_sessionstart(self) -> None:
        if not self._controls:
            self._processes.start()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """What a test printed and logged is looked through at the end, when all keys are known."""
        if not self._controls:
            for name, text in report.sections:
                self._captured.append((f"{name} of {report.nodeid}", text.encode("utf-8", "replace")))

    @pytest.hookimpl(trylast=True)  # servers have ended
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._processes.stop()
        if not self._controls:
            self._told += [str(leak) for leak in self.leaks()]
        output: dict[str, Any] | None = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_FOUND] = self._told
        elif self._told:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker of pytest-xdist ended."""
        self._told += getattr(node, "workeroutput", {}).get(_FOUND, [])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._told:
            terminalreporter.section("secrets that can be read", red=True, bold=True)
            for line in self._told[:_LONGEST_LIST]:
                terminalreporter.write_line(line)
            if len(self._told) > _LONGEST_LIST:
                terminalreporter.write_line(f"... and {len(self._told) - _LONGEST_LIST} more")

    def leaks(self) -> list[Leak]:
        """All that can be found now."""
        homes = {os.environ.get("PREFECT_HOME", "")}
        for setting in self._processes.environments:
            name, _, value = setting.decode("utf-8", "replace").partition("=")
            if name == "PREFECT_HOME":
                homes.add(value)
            else:
                self.finder.knows(value.rpartition(":")[2], f"a key that was in {name}")
        lines = ((f"the process list: {_program(line)}", line) for line in self._processes.command_lines)
        files = chain.from_iterable(map(contents, folders(filter(None, homes), self._temporary())))
        places = chain(self._captured, lines, files)
        return sorted(
            {leak for place, content in places for leak in self.finder.look(place, content)}, key=str
        )

    def _temporary(self) -> Path | None:
        """The folder of `tmp_path`, if any test asked for it."""
        factory: pytest.TempPathFactory | None = getattr(self._config, "_tmp_path_factory", None)
        return factory._basetemp if factory else None


def folders(homes: Iterable[str], temporary: Path | None) -> set[Path]:
    """What belongs to the session: of the homes those that are temporary. None is within another."""
    root = Path(tempfile.gettempdir()).resolve()
    ours = {home for home in (Path(home).resolve() for home in homes) if root in home.parents}
    ours |= {temporary.resolve()} if temporary else set()
    return {folder for folder in ours if not ours & set(folder.parents)}


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """All files below the folder; of a database also each row, as a long text is in pieces in the file."""
    for parent, _, names in os.walk(folder):
        for name in names:
            file = Path(parent, name)
            if file.is_symlink() or not file.is_file():
                continue
            try:
                content = file.read_bytes()
            except OSError:
                continue  # gone meanwhile, or made unreadable by a test
            yield str(file), content
            if content.startswith(b"SQLite format 3\0"):
                yield from _rows(file)


def _rows(file: Path) -> Iterator[tuple[str, bytes]]:
    with closing(sqlite3.connect(file)) as database:
        database.text_factory = bytes
        try:
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                rows = database.execute(f'SELECT * FROM "{table.decode()}"')
                texts = [value for row in rows for value in row if isinstance(value, bytes)]
                yield f"{file}, table {table.decode()}", b"\n".join(texts)
        except sqlite3.DatabaseError:
            return  # left half-written by a server that a test killed; the file itself was looked through


def _program(command_line: bytes) -> str:
    """Only what runs: the rest may be the secret."""
    return command_line.partition(b" ")[0].decode("utf-8", "replace")
