"""Every parameter of every flow is explained, in Prefect's form and on the command line, and checked."""

import argparse
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow
from prefect.utilities.callables import parameter_schema

from batch_tasks.templates import PART, PLACEHOLDERS
from flows import command_line
from flows.run_command import run_command
from flows.top_n_words import top_n_words
from flows.transcode_media import transcode_media

FLOWS: list[Flow[..., Any]] = [top_n_words, transcode_media, run_command]
Command = Callable[[list[str]], int]
COMMANDS: list[Command] = [command_line.top_n_words, command_line.transcode_media, command_line.run_command]
NAMES = [flow.name for flow in FLOWS]
GROUPS = {"pool", "clean_up", "retry"}


def every_field(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    groups = schema["definitions"].items()
    inner = {f"{name}.{key}": field for name, group in groups for key, field in group["properties"].items()}
    return {**schema["properties"], **inner}


@pytest.mark.parametrize("flow", FLOWS, ids=NAMES)
def test_the_form_explains_each_parameter(flow: Flow[..., Any]) -> None:
    fields = every_field(parameter_schema(flow).model_dump())
    assert len(fields) > 12
    assert [name for name, field in fields.items() if not field.get("title")] == []
    assert [name for name, field in fields.items() if len(field.get("description", "")) < 10] == []


@pytest.mark.parametrize("flow", FLOWS, ids=NAMES)
def test_the_form_shows_the_defaults_that_the_flow_has(flow: Flow[..., Any]) -> None:
    schema = parameter_schema(flow).model_dump()
    for group in GROUPS:
        name = schema["properties"][group]["$ref"].rpartition("/")[2]
        fields = schema["definitions"][name]["properties"]
        assert schema["properties"][group]["default"] == {
            key: field["default"] for key, field in fields.items()
        }


def options_of(command: Command, monkeypatch: pytest.MonkeyPatch) -> dict[str, argparse.Action]:
    """The options of a command by the names of what they set."""
    parsers: list[argparse.ArgumentParser] = []

    def keep(parser: argparse.ArgumentParser, *_: object) -> argparse.Namespace:
        parsers.append(parser)
        raise SystemExit(0)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", keep)
    with pytest.raises(SystemExit):
        command([])
    return {action.dest: action for action in parsers[0]._actions}


@pytest.mark.parametrize(("command", "flow"), list(zip(COMMANDS, FLOWS, strict=True)), ids=NAMES)
def test_the_help_explains_each_parameter(
    command: Command, flow: Flow[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    actions = options_of(command, monkeypatch)
    assert [name for name, action in actions.items() if not action.help] == []
    renamed = {"input_files": "files"}
    asked = {renamed.get(name, name) for name in flow.parameters.properties} - GROUPS
    assert asked <= set(actions)


def test_form_and_help_name_every_placeholder(monkeypatch: pytest.MonkeyPatch) -> None:
    form = parameter_schema(run_command).model_dump()["properties"]["command"]["description"]
    for text in (form, str(options_of(command_line.run_command, monkeypatch)["command"].help)):
        named = set(re.findall(r"(?<!\{)\{(\w+)\}", text)) - {"word"}
        assert named == set(PLACEHOLDERS) - {PART}
        assert "{{word}} is a literal {word}" in text


@pytest.mark.parametrize("name", ["top-n-words", "transcode-media", "run-command"])
def test_every_command_is_installed(name: str) -> None:
    scripts = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert f'\n{name} = "flows.command_line:{name.replace("-", "_")}"\n' in scripts


def refusal(command: Command, words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert command(words) == 2
    return capsys.readouterr().err


def test_wrong_values_of_transcode_media_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [
        "nowhere.mp4",
        "--audio-format",
        "doc",
        "--bit-rate",
        "9999",
        "--files-per-task",
        "0",
        "--no-download",
    ]
    told = refusal(command_line.transcode_media, [*words, "--delete", "outputs"], capsys)
    for part in (
        "'nowhere.mp4'",
        "--audio-format doc",
        "--bit-rate 9999",
        "--files-per-task 0",
        "would be lost",
    ):
        assert part in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("encoding", ["klingon", "base64", "a\0b", ""])
def test_an_encoding_that_python_does_not_know_is_refused(
    encoding: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refusal(command_line.top_n_words, ["nowhere.txt", "--encoding", encoding], capsys)
    assert "is no text encoding that Python knows" in told
    assert "'nowhere.txt'" in told


def test_wrong_values_of_run_command_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["*.none", "--command", "x {what} '{input}'", "--output", "../{stem}", "--ship", "no.py"]
    told = refusal(command_line.run_command, [*words, "--env", "1=2", "--output-dir", "/dev/null/x"], capsys)
    assert told.startswith("7 problems")
    for part in (
        "{what}",
        "quotes around {input}",
        "'../{stem}'",
        "'no.py'",
        "'1' must",
        "'*.none'",
        "/dev/null",
    ):
        assert part in told


def test_an_empty_command_is_refused_beside_other_problems(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["nowhere", "--command", "", "--output", "x", "--retries", "-1"]
    told = refusal(command_line.run_command, words, capsys)
    assert "--command" in told
    assert "--retries -1" in told


def test_a_setting_without_a_value_is_a_wrong_command_line() -> None:
    words = ["a", "--command", "x", "--output", "y", "--env", "NAME"]
    code = f"from flows.command_line import run_command; run_command({words!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "'NAME' is not NAME=VALUE" in done.stderr
