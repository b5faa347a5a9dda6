"""The command line refuses what cannot work before it starts anything, and shows results plainly."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from batch_tasks.options import CleanUpPolicy, PoolOptions
from batch_tasks.report import FileReport, Output, RunReport
from flows.command_line import top_n_words
from flows.command_line.arguments import KEEP, POOL, flow_parameters, option_for, run_parser
from flows.command_line.terminal import conclude, printable, short_outputs, table


def parsed(*words: str) -> argparse.Namespace:
    return run_parser("command", "").parse_args(words)


def succeeded(key: str, *outputs: Output) -> FileReport:
    return FileReport(key, "succeeded", "task", seconds=0.5, outputs=outputs)


def failed(key: str) -> FileReport:
    return FileReport(key, "failed", "task", exit_code=3, reason="exit code 3")


def report(folder: Path, *files: FileReport) -> RunReport:
    return RunReport("top-n-words", "id", str(folder), files)


def test_options_not_given_are_left_to_the_flow() -> None:
    assert flow_parameters(parsed("a.txt"), {"n": None}) == {"input_files": ["a.txt"]}


def test_options_become_parameters_of_the_flow() -> None:
    options = parsed("a", "b", "--output-dir", "o", "--account", "local", "--nodes", "3", "--keep", "outputs")
    assert flow_parameters(options, {"n": "5"}) == {
        "input_files": ["a", "b"],
        "output_dir": "o",
        "account": "local",
        "n": "5",
        "pool": {"dedicated_nodes": "3"},
        "clean_up": {"output_container": False},
    }


def test_keeping_all_leaves_nothing_to_the_clean_up() -> None:
    parameters = flow_parameters(parsed("a", "--keep", "all"), {})
    assert parameters["clean_up"] == dict.fromkeys(CleanUpPolicy.model_fields, False)


def test_every_setting_of_pool_and_clean_up_has_an_option() -> None:
    assert set(POOL) == set(PoolOptions.model_fields)
    assert set(KEEP.values()) == set(CleanUpPolicy.model_fields)


def test_the_help_names_the_default_that_the_flow_has(capsys: pytest.CaptureFixture[str]) -> None:
    from flows.top_n_words import top_n_words as flow

    with pytest.raises(SystemExit, match="0"):
        top_n_words(["--help"])
    assert f"how many words of each file (default: {flow.parameters.properties['n']['default']})" in (
        capsys.readouterr().out
    )


def test_help_and_misspelt_options_do_not_wait_for_prefect() -> None:
    code = """
import sys
from flows.command_line import top_n_words
for words in (["--help"], ["a.txt", "--nods", "1"]):
    try:
        top_n_words(words)
    except SystemExit:
        assert not {"prefect", "azure.batch"} & set(sys.modules), words
    else:
        raise AssertionError(words)
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("parameter", "option"),
    [
        ("n", "--n"),
        ("pool.task_slots_per_node", "--slots"),
        ("pool", "--nodes, --spot-nodes"),
        ("input_files.0", "FILES"),
        ("output_dir", "--output-dir"),
    ],
)
def test_problems_are_told_in_the_words_of_the_command_line(parameter: str, option: str) -> None:
    assert option_for(parameter) == option


def refusal(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says when it refuses; it must have started nothing."""
    assert top_n_words(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Starting" not in captured.err
    return captured.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nowhere.txt"], "There is no file or folder 'nowhere.txt'"),
        (["*.none"], "No file matches '*.none'"),
        (["empty"], "The folder 'empty' holds no files"),
        (["a.txt", "--n", "0"], "--n 0: Input should be greater than or equal to 1"),
        (["a.txt", "--n", "three"], "--n three: Input should be a valid integer"),
        (["a.txt", "--slots", "999"], "--slots 999: Input should be less than or equal to 256"),
        (["a.txt", "--nodes", "0"], "both 0: nothing could run"),
        (["a.txt", "--output-dir", "a.txt"], "The output folder 'a.txt' cannot be made"),
        (["a.txt", "--account", "environment"], "The environment names no Azure account"),
    ],
)
def test_what_cannot_work_is_refused(
    words: list[str],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("a")
    Path("empty").mkdir()
    assert reason in refusal(words, capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "empty"]


def test_all_problems_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("a")
    told = refusal(["nowhere", "*.none", "--n", "0", "--nodes", "-1", "--output-dir", "a.txt/b"], capsys)
    assert told.startswith("5 problems")
    for part in ("'nowhere'", "'*.none'", "--n 0", "--nodes -1", "'a.txt/b'"):
        assert part in told


def test_half_an_account_in_the_environment_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AZURE_BATCH_ACCOUNT", "batch1")
    Path("a.txt").write_text("a")
    assert "AZURE_BATCH_ENDPOINT" in refusal(["a.txt"], capsys)


def test_more_names_than_prefect_takes_are_refused_with_another_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    long = "a" * 200
    Path(long).write_text("a")
    told = refusal([long] * 3000, capsys)
    assert "3000 file names are more than Prefect takes" in told
    assert "name their folder" in told


def test_the_table_has_a_line_for_each_file_and_says_why_one_failed() -> None:
    files = [succeeded("a.txt", Output("a_OUTPUT.txt", "blob", 1, "md5")), failed("日本.txt")]
    assert table(files, "output") == [
        "File      State      Seconds  Output",
        "a.txt     succeeded  0.50     output/a_OUTPUT.txt",
        "日本.txt  failed              exit code 3",
    ]


def test_a_long_table_shows_failures_first_and_counts_the_rest() -> None:
    files = [*(succeeded(f"{number}.txt") for number in range(99)), failed("bad.txt")]
    lines = table(files, "output")
    assert len(lines) == 32
    assert lines[1].startswith("bad.txt")
    assert lines[-1] == "... and 70 more"


def test_short_outputs_are_shown_and_others_are_not(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfwords")
    (tmp_path / "b").write_bytes(b"\xff\xfe")
    few = succeeded("a.txt", Output("a", "blob", 8, "md5"))
    binary = succeeded("b.txt", Output("b", "blob", 2, "md5"))
    large = succeeded("c.txt", Output("c", "blob", 1_000_000, "md5"))
    assert short_outputs(report(tmp_path, few)) == [("a", "words")]
    assert short_outputs(report(tmp_path, few, binary)) == []
    assert short_outputs(report(tmp_path, few, large)) == []
    assert short_outputs(report(tmp_path, *[few] * 9)) == []


def test_the_exit_code_is_0_only_when_every_file_succeeded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert conclude(report(tmp_path, succeeded("a.txt"))) == 0
    assert conclude(report(tmp_path, succeeded("a.txt"), failed("b.txt"))) == 1
    assert "1 of 2 files succeeded" in capsys.readouterr().out


def test_names_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[2Jb\udcff\r日本\n") == "a\\x1b[2Jb\\udcff\\r日本\n"
