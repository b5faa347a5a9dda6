"""The README tells the truth: its commands run, their output is as shown, its links and names exist.

A block marked `sh` is run as it stands, line by line. One marked `sh azure` is run with the account that its
`export` lines name exchanged for a local one; `sh videos` where there is a folder of videos; `sh emulator`
until Ctrl-C; `sh prefect` by the tests of the deployments. A block marked `text` behind a command is what it
prints, where `...` leaves lines out, and ids and times may differ.
"""

import os
import re
import shlex
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.identity._constants import EnvironmentVariables

from batch_tasks.settings import Account
from tests.test_architecture import OURS
from tests.workloads.media import durations, make_video, needs_ffmpeg

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
RUNS_THIS_TEST = "make test"


class Block(NamedTuple):
    """A fenced block: the words behind its fence, its lines, and the block that follows it."""

    tags: tuple[str, ...]
    lines: tuple[str, ...]
    next: "Block | None" = None


def blocks(text: str) -> list[Block]:
    found: list[Block] = []
    for tags, body in reversed(re.findall(r"^```(.*)\n((?:.*\n)*?)```$", text, re.M)):
        found.insert(0, Block(tuple(tags.split()), tuple(body.splitlines()), found[0] if found else None))
    return found


COMMANDS = [
    pytest.param(line, block, id=line)
    for block in blocks(README)
    if block.tags == ("sh",)
    for line in block.lines
    if line != RUNS_THIS_TEST
]


def tagged(tag: str) -> list[Block]:
    """The blocks of commands that need something of their own."""
    return [block for block in blocks(README) if block.tags == ("sh", tag)]


def test_every_block_of_commands_is_run_by_some_test() -> None:
    assert {block.tags for block in blocks(README) if block.tags[:1] == ("sh",)} == {
        ("sh",),
        *(("sh", tag) for tag in ("azure", "prefect", "videos", "emulator")),
    }


def environment() -> dict[str, str]:
    """As a newcomer has it: without what the tests set for themselves, but for Prefect's home."""
    return {
        name: value for name, value in os.environ.items() if name[:8] != "PREFECT_" or name == "PREFECT_HOME"
    }


def run(command: str, env: dict[str, str], folder: Path = ROOT) -> str:
    done = subprocess.run(
        ["sh", "-c", command],
        check=False,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def without_what_varies(text: str) -> str:
    """The text with ids and times exchanged for words."""
    text = re.sub(r"\b[0-9a-f]{32}\b", "ID", text)
    text = re.sub(r"tvmps_[0-9a-f]+_[dp]", "NODE", text)
    return re.sub(r"\b\d+\.\d\d\b", "SECONDS", text)


def test_what_varies_is_ignored_and_nothing_else() -> None:
    assert without_what_varies("0.17 tvmps_ab12_d the: 14") == "SECONDS NODE the: 14"


@pytest.mark.prefect_server
@pytest.mark.parametrize(("command", "block"), COMMANDS)
def test_a_command_of_the_readme_works_and_prints_what_is_shown(command: str, block: Block) -> None:
    printed = without_what_varies(run(command, environment()))
    if block.next is None or block.next.tags != ("text",) or block.lines != (command,):
        return
    for part in "\n".join(block.next.lines).split("\n...\n"):
        assert without_what_varies(part.removesuffix("\n...")) in printed


@pytest.mark.parametrize("block", tagged("azure"))
def test_the_commands_for_azure_work_on_the_account_of_the_environment(
    block: Block, account_in_environment: Account, prefect_server: str
) -> None:
    exports = {
        line.removeprefix("export ").partition("=")[0] for line in block.lines if line.startswith("export ")
    }
    assert exports == {"AZURE_BATCH_ACCOUNT", "AZURE_BATCH_ENDPOINT", "AZURE_STORAGE_ACCOUNT"}
    commands = [line for line in block.lines if not line.startswith("export ")]
    assert commands != []
    for command in commands:
        printed = run(command, {**environment(), "PREFECT_API_URL": prefect_server})
        assert f" Batch account {account_in_environment.batch_account!r}" in printed


@pytest.mark.prefect_server
@needs_ffmpeg
def test_the_commands_for_videos_make_sounds_of_those_in_the_folder(tmp_path: Path) -> None:
    (block,) = tagged("videos")
    for entry in ROOT.iterdir():
        if entry.name not in {"output", "videos"}:
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / "videos").mkdir()
    make_video(tmp_path / "videos" / "clip.mp4")
    for command in block.lines:
        run(command, environment(), tmp_path)
    assert durations(tmp_path / "output" / "clip.mp3") == [pytest.approx(1.0, abs=0.1)]


def test_the_emulator_signs_in_who_has_the_settings_it_prints_until_ctrl_c() -> None:
    (block,) = tagged("emulator")
    (command,) = block.lines
    with subprocess.Popen(
        command.split(),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        settings: dict[str, str] = {}
        while (
            not {"AZURE_BATCH_ACCOUNT", "AZURE_BATCH_ACCESS_KEY", "AZURE_BATCH_ENDPOINT"} <= settings.keys()
        ):
            line = process.stdout.readline()
            assert line, "the emulator ended"
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                settings[name] = "".join(shlex.split(value))
        key = AzureNamedKeyCredential(settings["AZURE_BATCH_ACCOUNT"], settings["AZURE_BATCH_ACCESS_KEY"])
        with BatchClient(settings["AZURE_BATCH_ENDPOINT"], key) as client:
            assert list(client.list_pools()) == []
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)


def test_every_page_of_the_documentation_is_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    new = {ROOT / "README.md"}
    while new:
        reached |= new
        linked = {(page.parent / link).resolve() for page in new for link in links_of(page)}
        pages = {page for link in linked for page in (link.glob("*.md") if link.is_dir() else [link])}
        new = {page for page in pages if page.suffix == ".md"} - reached
    assert set(PAGES) - reached == set()


def test_make_test_is_what_continuous_integration_runs() -> None:
    assert any(RUNS_THIS_TEST in block.lines for block in blocks(README))
    assert RUNS_THIS_TEST in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_verbs_of_make_that_are_mentioned_exist() -> None:
    verbs = {verb for page in PAGES for verb in re.findall(r"`make ([a-z]+)`", page.read_text("utf-8"))}
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert verbs != set()
    assert verbs <= targets


def links_of(page: Path) -> list[str]:
    """What the page links to in this project."""
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8"))
    return [link for link in links if "://" not in link]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert [link for link in links_of(page) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_and_folders_that_are_named_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    named = re.findall(r"`((?:flows|batch_tasks|node|batch_emulator|tests|docs|examples)/[^`\s]*)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_tree_shows_every_package() -> None:
    tree = next(block for block in blocks(README) if any(line.startswith("flows/ ") for line in block.lines))
    named = {line.split("/")[0] for line in tree.lines if not line.startswith(" ")}
    assert named == {*OURS, "docs", "examples", "tests"}


def test_variables_of_azure_that_are_named_are_read() -> None:
    settings = (ROOT / "batch_tasks" / "settings.py").read_text("utf-8").upper()
    named = {name for page in PAGES for name in re.findall(r"\bAZURE_[A-Z_]+\b", page.read_text("utf-8"))}
    assert named != set()
    by_us = {name for name in named if f"{name}:" in settings}
    assert named - by_us <= set(vars(EnvironmentVariables)), "neither we nor azure-identity read it"
