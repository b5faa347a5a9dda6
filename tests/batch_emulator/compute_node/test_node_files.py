"""Files of a node are shown, read and deleted, and nothing else."""

import os
import stat
from pathlib import Path

import pytest

from batch_emulator.compute_node.node_files import (
    DirectoryNotEmpty,
    FileNotFound,
    InvalidRange,
    delete,
    describe,
    list_files,
    read,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "wd" / "deep").mkdir(parents=True)
    (root / "stdout.txt").write_bytes(b"0123456789")
    (root / "wd" / "data.bin").write_bytes(b"\0")
    (root / "wd" / "deep" / "größe 1.txt").write_bytes(b"")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    (root / "wd" / "out").symlink_to(outside)
    (root / "wd" / "out.txt").symlink_to(outside / "secret.txt")
    (root / "wd" / "in.txt").symlink_to("../stdout.txt")
    (root / "wd" / "up").symlink_to("..")
    return root


def test_a_listing_shows_one_level_or_all(root: Path) -> None:
    assert [file.name for file in list_files(root, recursive=False)] == ["stdout.txt", "wd"]
    assert [file.name for file in list_files(root, recursive=True)] == [
        "stdout.txt", "wd", "wd/data.bin", "wd/deep", "wd/deep/größe 1.txt", "wd/in.txt", "wd/up",
    ]  # fmt: skip


def test_a_file_tells_its_size_time_mode_and_kind(root: Path) -> None:
    os.utime(root / "stdout.txt", (1, 1_700_000_000))
    (root / "stdout.txt").chmod(0o640)
    file = describe(root, "stdout.txt")
    assert (file.name, file.is_directory, file.size, file.modified) == (
        "stdout.txt",
        False,
        10,
        1_700_000_000,
    )
    assert oct(file.mode) == "0o100640"
    assert file.created > 0
    folder = describe(root, "wd")
    assert (folder.is_directory, folder.size) == (True, 0)


def test_text_is_told_from_the_rest_by_the_name(root: Path) -> None:
    assert describe(root, "stdout.txt").content_type == "text/plain"
    assert describe(root, "wd/data.bin").content_type == "application/octet-stream"


def test_a_missing_root_or_file_is_not_found(root: Path) -> None:
    with pytest.raises(FileNotFound):
        list_files(root / "nothing", recursive=False)
    with pytest.raises(FileNotFound):
        describe(root, "nothing")
    with pytest.raises(FileNotFound):
        read(root, "wd")
    with pytest.raises(FileNotFound):
        delete(root, "nothing/deep")
    with pytest.raises(FileNotFound):
        delete(root, "wd/nothing")


ESCAPES = [
    "../outside/secret.txt",
    "wd/../../outside/secret.txt",
    "wd/out/secret.txt",
    "wd/out.txt",
    "wd/up/../outside/secret.txt",
    "/etc/passwd",
    "",
    ".",
    "..",
    "a\0b",
]


@pytest.mark.parametrize("name", ESCAPES)
def test_no_name_leads_out_of_the_root(root: Path, name: str) -> None:
    with pytest.raises(FileNotFound):
        read(root, name)


@pytest.mark.parametrize("name", [name for name in ESCAPES if name != "wd/out.txt"])
def test_nothing_outside_of_the_root_is_deleted(root: Path, name: str) -> None:
    with pytest.raises(FileNotFound):
        delete(root, name, recursive=True)
    assert (root.parent / "outside" / "secret.txt").exists()
    assert root.exists()


@pytest.mark.parametrize(
    ("byte_range", "expected"),
    [
        (None, b"0123456789"),
        ("bytes=0-3", b"0123"),
        ("bytes=3-3", b"3"),
        ("bytes=8-100", b"89"),
        ("bytes=9-9", b"9"),
        ("bytes=4-", b"456789"),
        (" bytes=0-0 ", b"0"),
    ],
)
def test_a_range_gives_its_part(root: Path, byte_range: str | None, expected: bytes) -> None:
    content = read(root, "stdout.txt", byte_range)
    assert content.length == len(expected)
    assert content.file.size == 10
    assert b"".join(content.chunks()) == expected
    assert content.stream.closed


@pytest.mark.parametrize("byte_range", ["bytes=10-20", "bytes=5-4", "bytes=-5", "0-3", "bytes=a-b", ""])
def test_a_range_without_a_byte_is_refused(root: Path, byte_range: str) -> None:
    with pytest.raises(InvalidRange):
        read(root, "stdout.txt", byte_range)


def test_a_range_of_an_empty_file_is_refused_but_the_file_can_be_read(root: Path) -> None:
    name = "wd/deep/größe 1.txt"
    assert b"".join(read(root, name).chunks()) == b""
    with pytest.raises(InvalidRange):
        read(root, name, "bytes=0-0")


def test_a_link_that_stays_inside_is_read(root: Path) -> None:
    assert b"".join(read(root, "wd/in.txt").chunks()) == b"0123456789"
    assert b"".join(read(root, "wd/up/stdout.txt").chunks()) == b"0123456789"


def test_a_growing_file_gives_what_it_had_when_it_was_opened(root: Path) -> None:
    content = read(root, "stdout.txt")
    with (root / "stdout.txt").open("ab") as file:
        file.write(b"more")
    assert b"".join(content.chunks()) == b"0123456789"


def test_a_pipe_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(FileNotFound):
        read(root, "pipe")
    assert stat.S_ISFIFO((root / "pipe").stat().st_mode)


def test_deleting_a_directory_with_content_must_be_asked_for(root: Path) -> None:
    with pytest.raises(DirectoryNotEmpty):
        delete(root, "wd")
    delete(root, "wd/deep/größe 1.txt")
    delete(root, "wd/deep")
    delete(root, "wd", recursive=True)
    assert [path.name for path in root.iterdir()] == ["stdout.txt"]
    assert (root.parent / "outside" / "secret.txt").exists()


def test_deleting_a_link_leaves_what_it_leads_to(root: Path) -> None:
    delete(root, "wd/out.txt")
    delete(root, "wd/out")
    assert (root.parent / "outside" / "secret.txt").exists()
    assert not (root / "wd" / "out").is_symlink()
