"""Which files a pattern means."""

import os
from pathlib import Path

import pytest

from batch_emulator.compute_node.file_patterns import FilePattern

FILES = [
    "stdout.txt",
    "stderr.txt",
    "wd/a.txt",
    "wd/b.txt",
    "wd/c.log",
    "wd/.hidden.txt",
    "wd/a*.txt",
    "wd/[x].txt",
    "wd/two words.txt",
    "wd/größe.txt",
    "wd/sub/a.txt",
    "wd/sub/deep/a.txt",
    "wd/sub/deep/z.log",
    "wd/.git/a.txt",
]


@pytest.fixture
def task(tmp_path: Path) -> Path:
    task = tmp_path / "a [strange] root*" / "task"
    for name in FILES:
        (task / name).parent.mkdir(parents=True, exist_ok=True)
        (task / name).write_text(name)
    return task


def names(pattern: str, task: Path, **environment: str) -> list[str]:
    parsed = FilePattern.parse(pattern, task / "wd", {"AZ_BATCH_TASK_DIR": str(task), **environment})
    return [found.name for found in parsed.files(task)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a.txt", ["a.txt"]),
        ("./a.txt", ["a.txt"]),
        ("two words.txt", ["two words.txt"]),
        ("sub/a.txt", ["a.txt"]),
        ("nothing.txt", []),
        ("sub", []),
        ("?.txt", ["a.txt", "b.txt"]),
        ("[ab].txt", ["a.txt", "b.txt"]),
        ("[a-b].txt", ["a.txt", "b.txt"]),
        ("[!a].txt", ["b.txt"]),
        ("[!a-c].txt", []),
        ("*.log", ["c.log"]),
        ("gr*.txt", ["größe.txt"]),
        ("a[*].txt", ["a*.txt"]),
        ("[[]x].txt", ["[x].txt"]),
        (".*.txt", [".hidden.txt"]),
        (".hidden.txt", [".hidden.txt"]),
        ("*/a.txt", ["sub/a.txt"]),
        ("sub/*/a.txt", ["deep/a.txt"]),
        ("**/*.log", ["c.log", "sub/deep/z.log"]),
        ("**/a.txt", ["a.txt", "sub/a.txt", "sub/deep/a.txt"]),
        ("sub/**/a.txt", ["a.txt", "deep/a.txt"]),
        ("sub/**", ["a.txt", "deep/a.txt", "deep/z.log"]),
        ("**/**/**/z.log", ["sub/deep/z.log"]),
        ("**/deep/*", ["sub/deep/a.txt", "sub/deep/z.log"]),
        (".git/*", ["a.txt"]),
        ("../std*.txt", ["stderr.txt", "stdout.txt"]),
        ("../stdout.txt", ["stdout.txt"]),
        ("$AZ_BATCH_TASK_DIR/*.txt", ["stderr.txt", "stdout.txt"]),
        ("${AZ_BATCH_TASK_DIR}/wd/sub/*", ["a.txt"]),
        ("$KIND", ["c.log"]),
        ("$UNKNOWN/*", []),
    ],
)
def test_a_pattern_means_these_files(task: Path, pattern: str, expected: list[str]) -> None:
    assert names(pattern, task, KIND="*.log") == expected


def test_a_star_does_not_match_names_with_a_leading_dot(task: Path) -> None:
    assert names("*.txt", task) == ["[x].txt", "a*.txt", "a.txt", "b.txt", "größe.txt", "two words.txt"]


@pytest.mark.parametrize(
    ("pattern", "literal"),
    [("a.txt", True), ("a[*].txt", True), ("*.txt", False), ("**/a", False), ("[ab]", False), ("a[b", True)],
)
def test_a_pattern_without_wildcard_names_one_file(task: Path, pattern: str, literal: bool) -> None:
    assert FilePattern.parse(pattern, task / "wd", {}).literal is literal


@pytest.mark.parametrize("pattern", ["", ".", "/", "a\0b", "$NOTHING"])
def test_a_pattern_that_can_name_no_file_is_refused(task: Path, pattern: str) -> None:
    with pytest.raises(ValueError, match="names no file"):
        FilePattern.parse(pattern, task / "wd", {"NOTHING": ""})


def test_links_within_the_task_are_followed_and_those_out_of_it_are_not(task: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    (task / "wd" / "l1.txt").symlink_to(task / "stdout.txt")
    (task / "wd" / "l2.txt").symlink_to(outside / "secret.txt")
    (task / "wd" / "l3.txt").symlink_to(task / "nowhere")
    (task / "wd" / "folder").symlink_to(outside)
    (task / "wd" / "loop").symlink_to(task / "wd")
    assert names("l*.txt", task) == ["l1.txt"]
    assert names("l2.txt", task) == []
    assert names("folder/secret.txt", task) == []
    assert names("*/secret.txt", task) == []
    assert names("**/secret.txt", task) == []
    assert names("**/z.log", task) == ["sub/deep/z.log"]
    assert names("*/c.log", task) == ["loop/c.log"]


def test_only_regular_files_are_found(task: Path) -> None:
    os.mkfifo(task / "wd" / "pipe.txt")
    assert "pipe.txt" not in names("*.txt", task)
    assert names("pipe.txt", task) == []


def test_an_absolute_pattern_may_name_files_elsewhere(task: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "x.log").touch()
    (shared / "y.log").symlink_to(task / "stdout.txt")
    assert names("$AZ_BATCH_NODE_SHARED_DIR/*.log", task, AZ_BATCH_NODE_SHARED_DIR=str(shared)) == ["x.log"]
