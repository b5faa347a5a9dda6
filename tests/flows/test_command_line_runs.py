"""Whole runs from the command line, on real servers: what they print, what they leave, and how they end."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from string import punctuation
from typing import IO

import pytest

from batch_tasks.clients import batch_client, blob_service, signed_in
from batch_tasks.settings import Account
from flows.command_line import top_n_words
from tests.flows.processes import descendants_of, eventually, is_running

TEXTS = Path(__file__).parents[2] / "examples" / "texts"
AWKWARD = [
    "two words.txt",
    "it's.txt",
    'a "b".txt',
    "#1 100%.txt",
    "Erlkönig 日本.txt",
    "-n.txt",
    "$HOME;ls.txt",
]


def left_in(account: Account) -> list[str]:
    """Every pool, job and container that is there and not being deleted."""
    with signed_in(account):
        names = [pool.id for pool in batch_client().list_pools() if pool.state != "deleting"]
        names += [job.id for job in batch_client().list_jobs() if job.state != "deleting"]
        names += [str(container.name) for container in blob_service().list_containers()]
    return [name for name in names if name.startswith("top-n-words-")]


@pytest.fixture
def account(account_in_environment: Account) -> Iterator[Account]:
    """An account that a run uses, and must leave as it was."""
    assert left_in(account_in_environment) == []
    yield account_in_environment
    assert left_in(account_in_environment) == []


def words_of(text: str, n: int) -> list[tuple[str, int]]:
    return Counter(word for raw in text.split() if (word := raw.strip(punctuation))).most_common(n)


def counted(output: Path) -> list[tuple[str, int]]:
    return [
        (word, int(count)) for word, count in re.findall(r"^(.*):\t(\d+)$", output.read_text("utf-8"), re.M)
    ]


def test_the_example_texts_give_their_most_frequent_words(
    account: Account, prefect_server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert top_n_words([str(TEXTS), "--n", "5", "--output-dir", str(tmp_path / "out")]) == 0
    texts = sorted(TEXTS.iterdir())
    assert len(list((tmp_path / "out").glob("*_OUTPUT*"))) == len(texts)
    shown = capsys.readouterr().out
    for text in texts:
        output = tmp_path / "out" / f"{text.stem}_OUTPUT{text.suffix}"
        assert counted(output) == words_of(text.read_text("utf-8-sig"), 5)
        assert output.read_text("utf-8") in shown + "\n"
    assert f"{len(texts)} of {len(texts)} files succeeded" in shown


def test_names_that_shells_and_urls_dislike_and_equal_names_come_back_as_they_are(
    account: Account, prefect_server: str, tmp_path: Path
) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.txt").write_text(f"{folder} {folder}", "utf-8")
    for name in AWKWARD:
        (tmp_path / "one" / name).write_text(f"x {name.split('.')[0]}", "utf-8")
    files = [str(tmp_path / "one"), str(tmp_path / "two" / "same.txt"), "--slots", "4"]
    assert top_n_words([*files, "--n", "1", "--output-dir", str(tmp_path / "out")]) == 0
    outputs = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.txt")}
    assert {f"{Path(name).stem}_OUTPUT.txt" for name in AWKWARD} <= outputs
    same = {path.parent.name: counted(path) for path in (tmp_path / "out").rglob("same_OUTPUT.txt")}
    assert same == {"one": [("one", 2)], "two": [("two", 2)]}


def test_a_failing_file_fails_the_run_alone_and_is_told_with_its_reason(
    account: Account, prefect_server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "good.txt").write_text("good good")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "binary.txt").write_bytes(b"\0\1\2\3")
    assert top_n_words([str(tmp_path / "*.txt"), "--output-dir", str(tmp_path / "out")]) == 1
    captured = capsys.readouterr()
    assert "1 of 3 files succeeded" in captured.out
    assert counted(tmp_path / "out" / "good_OUTPUT.txt") == [("good", 2)]
    assert re.search(r"empty\.txt: failed, exit code \d+:\n.*'empty\.txt' is empty", captured.err)
    assert re.search(r"binary\.txt: failed, exit code \d+:\n.*'binary\.txt' is binary", captured.err)
    assert captured.err.count("2 of 3 files failed") == 1
    assert "Traceback" not in captured.err


def test_a_check_says_what_a_run_can_cost_and_makes_nothing(
    account: Account, prefect_server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text("word")
    assert top_n_words([str(tmp_path / "a.txt"), "--check", "--output-dir", str(tmp_path / "out")]) == 0
    captured = capsys.readouterr()
    assert "only checked: nothing was made" in captured.out
    assert re.search(r"^Estimated cost of nodes: .* by prices of .*\.$", captured.err, re.M)
    assert re.search(r"^Quotas were not compared\. .*\.$", captured.err, re.M)
    assert not (tmp_path / "out").exists()


def test_two_hundred_files_at_once(account: Account, prefect_server: str, tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"{number}.txt").write_text(f"{number} {number} word")
    assert top_n_words([f"{tmp_path}/*.txt", "--slots", "4", "--output-dir", str(tmp_path / "out")]) == 0
    for number in range(200):
        assert counted(tmp_path / "out" / f"{number}_OUTPUT.txt") == [(str(number), 2), ("word", 1)]


def test_the_same_command_may_run_twice_where_its_outputs_are_among_its_inputs(
    account: Account,
    prefect_server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "a.txt").write_text("a")
    monkeypatch.chdir(tmp_path)
    for again in (False, True):
        assert top_n_words([".", "--output-dir", "output"]) == 0
        told = capsys.readouterr()
        assert "1 of 1 files succeeded" in told.out
        # The output, results.json and report.html.
        assert ("3 files in the output folder 'output' are taken for outputs" in told.err) is again


def test_texts_in_another_encoding(account: Account, prefect_server: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("日本 Ü 日本", "utf-16")
    command = [str(tmp_path), "--encoding", "UTF 16", "--merge", "--output-dir", str(tmp_path / "out")]
    assert top_n_words(command) == 0
    assert counted(tmp_path / "out" / "a_OUTPUT.txt") == [("日本", 2), ("Ü", 1)]
    assert counted(tmp_path / "out" / "TOP_WORDS.txt") == [("日本", 2), ("Ü", 1)]


COMMAND = [
    sys.executable,
    "-c",
    "import sys; from flows.command_line import top_n_words; sys.exit(top_n_words())",
]


def started(folder: Path, env: dict[str, str]) -> subprocess.Popen[str]:
    """The command on more files than one node does soon, as the leader of a group, as in a terminal."""
    for number in range(300):
        (folder / f"{number}.txt").write_text("word")
    return subprocess.Popen(
        [*COMMAND, str(folder), "--nodes", "1", "--output-dir", str(folder / "out"), "--verbose"],
        env={name: value for name, value in env.items() if not name.startswith("PREFECT_LOGGING_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_until_tasks_run(command: subprocess.Popen[str]) -> None:
    assert command.stderr is not None
    told = []
    for line in command.stderr:
        told.append(line)
        if "holds 300 tasks" in line:
            return
    raise AssertionError("".join(told))


@pytest.mark.parametrize(
    ("ending", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_run_that_is_interrupted_cleans_up_after_itself(
    ending: signal.Signals, code: int, account: Account, prefect_server: str, tmp_path: Path
) -> None:
    with started(tmp_path, {**os.environ, "PREFECT_API_URL": prefect_server}) as command:
        wait_until_tasks_run(command)
        command.send_signal(ending)
        command.communicate()
    assert command.returncode == code


@pytest.mark.parametrize("on_terminal", [True, False])
def test_progress_shows_on_a_terminal_and_nowhere_else(
    on_terminal: bool, account: Account, prefect_server: str, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("word")
    terminal, its_end = pty.openpty()
    reader, writer = os.pipe()
    with os.fdopen(terminal if on_terminal else reader, "rb", buffering=0) as told:
        command = subprocess.Popen(
            [*COMMAND, str(tmp_path / "a.txt"), "--output-dir", str(tmp_path / "out")],
            env={**os.environ, "PREFECT_API_URL": prefect_server, "TERM": "xterm", "COLUMNS": "100"},
            stdout=subprocess.DEVNULL,
            stderr=its_end if on_terminal else writer,
        )
        for end in (its_end, writer, *([reader] if on_terminal else [terminal])):
            os.close(end)
        shown = all_of(told)
    assert command.wait() == 0
    assert "Running on" in shown
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert bool(re.search(r"poll-tasks +━+ 1/1 ", text)) is on_terminal, text
    assert (text != shown) is on_terminal


def all_of(stream: IO[bytes]) -> str:
    """All that is written to a pipe or a terminal until nobody holds its other end."""
    read = b""
    with contextlib.suppress(OSError):  # so Linux says that a terminal is closed
        while data := stream.read(1 << 16):
            read += data
    return read.decode()


@pytest.mark.prefect_server
def test_ctrl_c_in_a_terminal_ends_everything_that_the_command_started(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != "PREFECT_SERVER_EPHEMERAL_ENABLED"}
    with started(tmp_path, {**env, "TMPDIR": str(tmp_path)}) as command:
        wait_until_tasks_run(command)
        processes = descendants_of(command.pid)
        assert len(processes) >= 3  # Azurite, the emulator, the Prefect server
        os.killpg(command.pid, signal.SIGINT)
        _, told = command.communicate()
    assert command.returncode == 130, told
    assert "Interrupted" in told
    eventually(lambda: not any(map(is_running, processes)), "every process ends")
    assert not [path.name for path in tmp_path.iterdir() if path.is_dir() and path.name != "out"]
