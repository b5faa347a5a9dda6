"""Counts of many texts become one count, exactly; what lacks is named."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.merge_counts import ExitCode, add_up, main, parts_in

SCRIPT = str(Path(__file__).parents[2] / "node" / "merge_counts.py")
WORDS = st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=3)


def put(folder: Path, counts: list[dict[str, int] | None]) -> Path:
    """The list of the parts; a text that left none has None."""
    entries = []
    for index, words in enumerate(counts):
        entries.append({"file": f"{index}.txt", "part": f"parts/{index}"})
        if words is not None:
            (folder / "parts").mkdir(exist_ok=True)
            lines = "".join(f"{word}\t{count}\n" for word, count in words.items())
            (folder / "parts" / str(index)).write_text(lines, "utf-8")
    path = folder / "list"
    path.write_text(json.dumps(entries))
    return path


def merged(folder: Path, *counts: dict[str, int] | None, n: int = 3) -> tuple[int, str]:
    listed = put(folder, list(counts))
    code = main([str(listed), "--n", str(n), "--output", str(folder / "out")])
    return code, (folder / "out").read_text("utf-8") if code == 0 else ""


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASK_FILES_DIR", str(tmp_path))
    monkeypatch.setenv("AZ_BATCH_NODE_ID", "node-1")


def test_counts_are_added_and_ties_keep_the_order_of_first_appearance(tmp_path: Path) -> None:
    code, text = merged(tmp_path, {"b": 1, "a": 2}, {"c": 2, "b": 1, "a": 1}, n=3)
    assert code == 0
    assert text.startswith("Word\tCount\n------------------------------\na:\t3\nb:\t2\nc:\t2\n")
    assert "\nFiles: 2 of 2\nNode: node-1\n" in text


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.lists(WORDS, max_size=12), min_size=1, max_size=6))
def test_the_merge_is_one_counter_over_everything(
    texts: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("merge")
    listed = put(folder, [dict(Counter(words)) for words in texts])
    total, lacking = add_up(parts_in(listed, folder))
    assert lacking == []
    assert list(total.items()) == list(Counter(word for words in texts for word in words).items())


def test_what_lacks_is_said_in_the_result_and_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = merged(tmp_path, {"a": 1}, None)
    assert code == 0
    assert "Files: 1 of 2\nLacks: '1.txt'\n" in text
    assert capsys.readouterr().err == "merge_counts: 1 of 2 texts lack: '1.txt'\n"


def test_without_any_counts_there_is_no_result(tmp_path: Path) -> None:
    assert merged(tmp_path, None, None)[0] == ExitCode.NO_PARTS
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["word", "word\tmany\n", "a\tb\t1\n"])
def test_counts_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    listed = put(tmp_path, [{"a": 1}])
    (tmp_path / "parts" / "0").write_text(text)
    assert main([str(listed), "--output", str(tmp_path / "out")]) == ExitCode.WRONG_PART


@pytest.mark.parametrize("text", ["", "{}x", "[1]", '[{"file": "a"}]'])
def test_a_list_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "list").write_text(text)
    assert main([str(tmp_path / "list"), "--output", str(tmp_path / "out")]) == ExitCode.WRONG_LIST


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = put(tmp_path, [{"a": 1}])
    assert main([str(listed), "--output", str(tmp_path / "no" / "out")]) == ExitCode.UNWRITABLE
    assert "cannot be written" in capsys.readouterr().err


def test_it_runs_on_every_python_of_nodes(node_python: list[str], tmp_path: Path) -> None:
    listed = put(tmp_path, [{"a": 1}, {"b": 2}])
    command = [*node_python, SCRIPT, "--n", "1", "--output", str(tmp_path / "out"), "--", str(listed)]
    subprocess.run(command, check=True, capture_output=True)
    assert "\nb:\t2\n" in (tmp_path / "out").read_text()
