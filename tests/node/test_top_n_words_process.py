"""The node script as the node runs it: its table, exit codes, processes and memory."""

from __future__ import annotations

import json
import os
import random
import string
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from node import top_n_words as script
from node.top_n_words import ExitCode

PROJECT = Path(__file__).parents[2]
SCRIPT = str(PROJECT / "node" / "top_n_words.py")
BATCH = {"NODE": "tvm-1", "TASK": "task 1", "JOB": "jöb-1", "POOL": "pool-1"}
DRIVER = """
import json, sys
from pathlib import Path
sys.path.insert(0, str(Path(sys.argv[1]).parent))
import top_n_words as script
script.BLOCK_BYTES, script.STRETCH_BYTES, script.MOST_TOKENS_HELD = 7, 40, 5
for path in sys.argv[2:]:
    try:
        print(json.dumps(list(script.count_words(script.open_text(Path(path), "utf-8"), 3).items())))
    except script.Refused as refused:
        print(json.dumps([refused.exit_code, refused.message]))
"""
LOSE_A_PROCESS = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, str(Path(sys.argv[1]).parent))
import top_n_words as script
script.STRETCH_BYTES = 5
script.count_stretch = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
script.cores = lambda: 2
sys.exit(script.main(sys.argv[2:]))
"""
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **environment}
    )


def test_the_table_has_the_tutorials_form(node_python: list[str], tmp_path: Path) -> None:
    text = tmp_path / "a b.txt"
    text.write_text("the end, The end. (the) “the” -- end", encoding="utf-8-sig")
    done = run(
        *node_python, SCRIPT, str(text), "--n", "2", **{f"AZ_BATCH_{k}_ID": v for k, v in BATCH.items()}
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "a b_OUTPUT.txt").read_bytes().decode() == (
        "Word\tCount\n"
        "------------------------------\n"
        "end:\t3\n"
        "the:\t2\n"
        "------------------------------\n"
        "Node: tvm-1\n"
        "Task: task 1\n"
        "Job:  jöb-1\n"
        "Pool: pool-1\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a b.txt", "a b_OUTPUT.txt"]


def test_several_processes_count_as_a_plain_counter_does(node_python: list[str], tmp_path: Path) -> None:
    dice = random.Random(1)
    texts = []
    for number in range(25):
        pool = ["a", "b,", "(c)", "\u2003", "\u3000", "\u0085", "é", "文", "👩", "--", " ", "\n", "Wort."]
        texts.append("x" + "".join(dice.choices(pool, k=dice.randrange(200))) + " " * (number % 2))
        (tmp_path / str(number)).write_text(texts[-1], encoding="utf-8", newline="")
    paths = [str(tmp_path / str(number)) for number in range(len(texts))]
    done = run(*node_python, "-c", DRIVER, SCRIPT, *paths)
    assert (done.returncode, done.stderr) == (0, "")
    for text, line in zip(texts, done.stdout.splitlines(), strict=True):
        words = (token.strip(string.punctuation) for token in text.split())
        assert json.loads(line) == [list(item) for item in Counter(filter(None, words)).items()]


def test_the_first_fault_of_a_file_is_told_whichever_process_meets_it(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"word " * 30 + b"\xff" + b" word" * 30 + b"\0")
    second.write_bytes(b"word " * 30 + b"\0" + b" word" * 30 + b"\xff")
    done = run(sys.executable, "-c", DRIVER, SCRIPT, str(first), str(second))
    codes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [code for code, _ in codes] == [ExitCode.UNDECODABLE, ExitCode.BINARY]
    assert "at byte 150:" in codes[0][1]
    assert "byte 150 is zero" in codes[1][1]


def test_a_lost_process_ends_the_task(node_python: list[str], tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("some words " * 10)
    done = run(*node_python, "-c", LOSE_A_PROCESS, SCRIPT, str(text))
    assert done.returncode == ExitCode.PROCESS_LOST
    assert "short of memory" in done.stderr
    assert list(tmp_path.iterdir()) == [text]


def prepare(folder: Path) -> None:
    (folder / "text.txt").write_text("b a\u00a0b, “c”\n")
    (folder / "empty.txt").touch()
    (folder / "blank.txt").write_text(" \n\u3000 -- ...\n")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    (folder / "utf-16.txt").write_text("b a b", encoding="utf-16")
    (folder / "no mark.txt").write_text("b a b", encoding="utf-16-le")
    (folder / "nul.txt").write_text("a\0b", encoding="utf-16")
    (folder / "latin.txt").write_text("ab é c", encoding="latin-1")
    (folder / "cut.txt").write_bytes("ab é".encode()[:-1])
    (folder / "closed").symlink_to("closed")
    os.mkfifo(folder / "pipe")


@pytest.mark.parametrize(
    ("command_line", "code", "message"),
    [
        (["text.txt"], 0, ""),
        (["blank.txt"], 0, ""),
        (["utf-16.txt", "--encoding", "UTF16"], 0, ""),
        (["latin.txt", "--encoding", "latin1"], 0, ""),
        ([], 2, "required: input"),
        (["text.txt", "--n", "many"], 2, "--n: invalid int value"),
        (["text.txt", "--encoding", "klingon"], 2, "'klingon' is no text encoding"),
        (["text.txt", "--encoding", "base64"], 2, "'base64' is no text encoding"),
        (["text.txt", "--output", "./text.txt"], 2, "must be different files"),
        (["text.txt", "--output", "o", "--counts", "o"], 2, "must be different files"),
        (["text.txt", "--n", "0"], 3, "--n is 0; it must be at least 1"),
        (["text.txt", "--n", "-1"], 3, "--n is -1"),
        (["missing.txt"], 4, "'missing.txt' does not exist"),
        (["."], 5, "'.' is a directory"),
        (["pipe"], 5, "'pipe' is not a regular file"),
        (["empty.txt"], 6, "'empty.txt' is empty"),
        (["picture.png"], 7, "'picture.png' is binary: byte 8 is zero"),
        (["utf-16.txt"], 7, "say so by --encoding"),
        (["nul.txt", "--encoding", "utf-16"], 7, "'nul.txt' is binary"),
        (["latin.txt"], 8, "'latin.txt' is not utf-8 at byte 3: invalid continuation byte"),
        (["cut.txt"], 8, "'cut.txt' is not utf-8 at byte 3: unexpected end of data"),
        (["no mark.txt", "--encoding", "utf-16"], 8, "'no mark.txt' is not utf-16 at byte 0: "),
        (["long.txt"], 9, "'long.txt' holds more than 4,194,304 characters"),
        (["closed"], 10, "'closed' cannot be read: Too many levels of symbolic links"),
        (["text.txt", "--output", "missing/o"], 11, "'missing/o' cannot be written: No such file"),
        (["text.txt", "--output", "x" * 255], 11, "cannot be written: File name too long"),
    ],
)
def test_each_outcome_has_its_exit_code_and_message(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command_line: list[str],
    code: int,
    message: str,
) -> None:
    prepare(tmp_path)
    if "long.txt" in command_line:
        (tmp_path / "long.txt").write_text("x" * (script.LONGEST_WORD + 1))
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    try:
        ended = script.main(command_line)
    except SystemExit as wrong_command_line:
        ended = int(wrong_command_line.code or 0)
    assert ended == code
    error = capsys.readouterr().err
    assert message in error
    assert (code == 0) == (error == "")
    made = set(tmp_path.iterdir()) - set(before)
    assert [path.name.partition("_OUTPUT")[1] for path in made] == (["_OUTPUT"] if code == 0 else [])


def test_every_exit_code_is_distinct() -> None:
    assert len({int(code) for code in ExitCode} | {1}) == len(ExitCode.__members__) + 1


def test_a_file_of_blanks_and_punctuation_has_an_empty_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path)
    for name in BATCH:
        monkeypatch.delenv(f"AZ_BATCH_{name}_ID", raising=False)
    assert script.main([str(tmp_path / "blank.txt")]) == 0
    rule = "-" * 30
    table = f"Word\tCount\n{rule}\n{rule}\nNode: \nTask: \nJob:  \nPool: \n"
    assert (tmp_path / "blank_OUTPUT.txt").read_text() == table


def test_all_counts_are_written_in_order_of_first_appearance(tmp_path: Path) -> None:
    prepare(tmp_path)
    counts = tmp_path / "counts"
    assert script.main([str(tmp_path / "text.txt"), "--n", "1", "--counts", str(counts)]) == 0
    assert counts.read_bytes().decode() == "b\t2\na\t1\n“c”\t1\n"


def test_what_an_earlier_try_wrote_is_replaced(tmp_path: Path) -> None:
    prepare(tmp_path)
    output = tmp_path / "text_OUTPUT.txt"
    output.write_text("old")
    (tmp_path / "text_OUTPUT.txt.partial").write_text("older")
    assert script.main([str(tmp_path / "text.txt")]) == 0
    assert "b:\t2\n" in output.read_text()
    assert not list(tmp_path.glob("*.partial"))


def test_memory_stays_flat_for_a_large_file_of_many_words(tmp_path: Path) -> None:
    text, table = tmp_path / "large.txt", tmp_path / "table.txt"
    made = run(sys.executable, str(PROJECT / "examples" / "make_large_text.py"), "4", str(text))
    assert (made.returncode, made.stderr) == (0, "")
    rare = "".join(f"rare{number}\n" for number in range(200_000))
    text.write_bytes((text.read_bytes() + rare.encode()) * 10)
    assert text.stat().st_size > 60_000_000
    counts = tmp_path / "counts"
    command = [sys.executable, "-I", "-S", SCRIPT, str(text), "--output", str(table), "--counts", str(counts)]
    done = run(sys.executable, "-c", PEAK, *command)
    assert (done.returncode, done.stderr) == (0, "")
    kilobytes = int(done.stdout) // (1024 if sys.platform == "darwin" else 1)
    assert kilobytes < 100_000
    text.unlink()  # at the end of the session all files are looked through for secrets
    with counts.open() as lines:
        assert sum(1 for _ in lines) > 200_000
