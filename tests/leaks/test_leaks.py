"""The scan at the end of a session finds what is planted, wherever that is, and nothing else."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.leaks.finder import Finder
from tests.leaks.plugin import contents, folders
from tests.leaks.processes import PROC, ProcessList
from tests.leaks.session import FAKE_HEADER, FAKE_KEY, FAKE_SIGNATURE, FAKE_TOKEN, FINDER

ROOT = Path(__file__).parents[2]
PLANTED = [
    (f"key: {FAKE_KEY}", "an account key"),
    (f"https://a.blob.core.windows.net/c/b?se=1&{FAKE_SIGNATURE}&sp=r", "a SAS signature"),
    (quote(f"https://a/b?{FAKE_SIGNATURE}"), "a SAS signature"),
    (f"https://a/b?se=1&{FAKE_SIGNATURE[:30]}…", "a SAS signature"),
    (f"token={FAKE_TOKEN}", "a bearer token"),
    (f"Authorization: {FAKE_HEADER}", "a header with a bearer token"),
]
HARMLESS = [
    "https://a/b?se=1&sig=SIGNATURE",  # of Prefect's examples
    "https://a/b?sig=...",
    "https://a/b?sig=secret",
    "Authorization: Bearer abc",
    f'"integrity": "sha512-{FAKE_KEY}"',
    f"data:image/svg+xml;base64,{FAKE_KEY[:-2] * 3}==",
    "=" * 200,
]


def found(finder: Finder, content: bytes) -> list[str]:
    return [leak.what for leak in finder.look("here", content)]


@pytest.mark.parametrize(("text", "what"), PLANTED, ids=range(len(PLANTED)))
def test_each_shape_of_secret_is_found_and_not_repeated(text: str, what: str) -> None:
    leaks = list(Finder().look("here", f"words before\n{text}\nwords after".encode()))
    assert [leak.what for leak in leaks] == [what]
    told = str(leaks[0])
    assert told.startswith(f"{what} in here, after '")
    assert "before" in told
    assert not [
        fake for fake in (FAKE_KEY, FAKE_SIGNATURE[4:24], FAKE_TOKEN, FAKE_HEADER[7:]) if fake in told
    ]


@pytest.mark.parametrize("text", HARMLESS, ids=range(len(HARMLESS)))
def test_what_only_resembles_a_secret_is_none(text: str) -> None:
    assert found(Finder(), text.encode()) == []


def test_a_secret_that_is_known_is_found_in_any_form() -> None:
    finder = Finder()
    secret = "no shape/of its own + but long=="
    for text in (secret, quote(secret, safe=""), json.dumps({"a": secret}), secret.replace("/", "\\/")):
        assert found(finder, text.encode()) == []
    finder.knows(secret, "what was told")
    for text in (secret, quote(secret, safe=""), json.dumps({"a": secret}), secret.replace("/", "\\/")):
        assert found(finder, text.encode()) == ["what was told"]


def test_only_the_very_fakes_of_the_tests_are_let_through() -> None:
    fakes = f"{FAKE_KEY} {FAKE_SIGNATURE} {FAKE_TOKEN}"
    assert found(FINDER, fakes.encode()) == []
    assert found(FINDER, fakes.replace("Tm8g", "Tm9g").encode()) == ["an account key"]


def test_a_secret_that_a_test_put_into_a_file_is_a_leak_anywhere_else() -> None:
    finder = Finder()
    finder.knows_input("/t/list")
    assert list(finder.look("/t/list", FAKE_SIGNATURE.encode())) == []
    assert [leak.place for leak in finder.look("/t/list.log", FAKE_SIGNATURE.encode())] == ["/t/list.log"]


def test_files_and_rows_of_databases_are_looked_through(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "worker.log").write_text(FAKE_SIGNATURE)
    with closing(sqlite3.connect(tmp_path / "prefect.db")) as database, database:
        database.execute("CREATE TABLE log (id INTEGER, message TEXT)")
        # Longer than a page: in the file it is in pieces, and this piece begins a new one.
        database.execute("INSERT INTO log VALUES (1, ?)", ["x" * 4_000 + f" {FAKE_TOKEN} " * 200])
    leaks = {leak for place, content in contents(tmp_path) for leak in Finder().look(place, content)}
    assert {(leak.place.removeprefix(str(tmp_path)), leak.what) for leak in leaks} >= {
        ("/logs/worker.log", "a SAS signature"),
        ("/prefect.db, table log", "a bearer token"),
    }


def test_no_folder_of_anybody_else_is_looked_into(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert folders([str(home), "/home/somebody/.prefect", "/tmp"], None) == {home.resolve()}
    assert folders([str(home)], tmp_path) == {tmp_path.resolve()}


@pytest.mark.skipif(not (PROC / "self").exists(), reason="only Linux has /proc")
def test_the_process_list_is_read_down_to_grandchildren() -> None:
    starts = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    command = [sys.executable, "-c", starts, "sh", "-c", f"sleep 60; : {FAKE_SIGNATURE}"]
    env = {**os.environ, "AZURE_STORAGE_KEY": "a fake"}
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            processes = ProcessList()
            while not any(line.startswith(b"sh -c") for line in processes.command_lines):
                assert process.poll() is None
                processes.look()
        finally:
            os.killpg(process.pid, 9)
    assert b"AZURE_STORAGE_KEY=a fake" in processes.environments
    [shell] = (line for line in processes.command_lines if line.startswith(b"sh -c"))
    assert found(Finder(), shell) == ["a SAS signature"]


CONFTEST = """
import pytest
from tests.leaks.finder import Finder
from tests.leaks.plugin import SecretsScan

def pytest_configure(config):
    config.pluginmanager.register(SecretsScan(config, Finder()))
"""


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("(tmp_path / 'results.json').write_text(SECRET)", "a SAS signature in "),
        ("print(SECRET)", "a SAS signature in Captured stdout call of "),
        (
            "import logging; logging.getLogger('x').warning(SECRET)",
            "a SAS signature in Captured log call of ",
        ),
        ("pass", None),
    ],
)
def test_a_session_that_leaks_fails_and_says_where(body: str, told: str | None, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(f"SECRET = '{FAKE_SIGNATURE}'\ndef test_it(tmp_path):\n    {body}\n")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-c",
            "/dev/null",
            "--rootdir",
            ".",
            "--basetemp",
            "temporary",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert "1 passed" in done.stdout, done.stdout
    assert done.returncode == (1 if told else 0), done.stdout
    assert ("secrets that can be read" in done.stdout) == bool(told)
    assert told is None or f"\n{told}" in done.stdout
    assert FAKE_SIGNATURE[4:] not in done.stdout
