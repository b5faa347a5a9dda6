"""The README tells the truth: its commands run, their output is as shown, its links and names exist.

A block marked `sh` is run as it stands, line by line. One marked `sh azure` is run with the account that its
`export` lines name exchanged for a local one. A block marked `text` behind a command is what it prints, where
`...` leaves lines out, and ids and times may differ.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from azure.identity._constants import EnvironmentVariables

from batch_tasks.settings import Account
from tests.test_architecture import OURS

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
AZURE = [block for block in blocks(README) if block.tags == ("sh", "azure")]


def environment() -> dict[str, str]:
    """As a newcomer has it: without what the tests set for themselves, but for Prefect's home."""
    return {
        name: value for name, value in os.environ.items() if name[:8] != "PREFECT_" or name == "PREFECT_HOME"
    }


def run(command: str, env: dict[str, str]) -> str:
    done = subprocess.run(
        ["sh", "-c", command],
        check=False,
        cwd=ROOT,
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


@pytest.mark.parametrize("block", AZURE)
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
        assert f"Running on Batch account {account_in_environment.batch_account!r}" in printed


def test_make_test_is_what_continuous_integration_runs() -> None:
    assert any(RUNS_THIS_TEST in block.lines for block in blocks(README))
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith(f"exec {RUNS_THIS_TEST}")


def test_the_verbs_of_make_that_are_mentioned_exist() -> None:
    verbs = {verb for page in PAGES for verb in re.findall(r"`make ([a-z]+)`", page.read_text("utf-8"))}
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert verbs != set()
    assert verbs <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


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
