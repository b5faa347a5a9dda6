"""After a run with every log at DEBUG, no key, token or signature is anywhere that it could be read."""

import logging
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from batch_tasks.progress import Progress, watching
from batch_tasks.settings import Account
from flows.top_n_words import top_n_words
from tests.signing import environment_of
from tests.tokens import UnsignedTokens

SIGNATURE = re.compile(r"(?i)\bsig=(?!\.\.\.)[A-Za-z0-9%+/]{16,}")
"""What a signed URL ends in; `sig=...` is one that was blotted out."""
pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def debug_log(tmp_path: Path) -> Iterator[Path]:
    """Everything that anything in this process logs, from DEBUG on."""
    file = tmp_path / "debug.log"
    handler = logging.FileHandler(file)
    root = logging.getLogger()
    before = {name: logging.getLogger(name).level for name in ("", "azure", "prefect", "httpx", "urllib3")}
    for name in before:
        logging.getLogger(name).setLevel(logging.DEBUG)
    root.addHandler(handler)
    logging.getLogger("prefect").addHandler(handler)
    try:
        yield file
    finally:
        logging.getLogger("prefect").removeHandler(handler)
        root.removeHandler(handler)
        handler.close()
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


@pytest.fixture
def without_keys(
    token_account: Account, signed_in_by_token: UnsignedTokens, monkeypatch: pytest.MonkeyPatch
) -> UnsignedTokens:
    """The environment's account lets in by tokens alone."""
    for name, value in environment_of(token_account).items():
        monkeypatch.setenv(name, value)
    return signed_in_by_token


def command_lines() -> str:
    """What the process list of this machine shows to everybody."""
    return subprocess.run(["ps", "-eo", "args", "-ww"], check=True, capture_output=True, text=True).stdout


def found_in(text: str, secrets: list[str]) -> list[str]:
    """Where the text has one of the secrets, or any signature; a few letters before it and none of it."""
    places = [
        text[max(0, text.find(secret) - 60) : text.find(secret)] for secret in secrets if secret in text
    ]
    return places + [text[max(0, hit.start() - 60) : hit.start()] for hit in SIGNATURE.finditer(text)]


def run(inputs: Path, output: Path) -> str:
    """A run; gives the command lines that were there while its tasks ran."""
    seen: list[str] = []

    def look(progress: Progress) -> None:
        if progress.phase == "poll-tasks":
            seen.append(command_lines())

    with watching(look):
        top_n_words([str(inputs)], n=1, output_dir=str(output))
    assert seen
    return "\n".join(seen)


@pytest.mark.parametrize("sign_in", ["account_in_environment", "without_keys"])
def test_no_secret_is_in_debug_logs_outputs_or_process_lists(
    sign_in: str, request: pytest.FixtureRequest, debug_log: Path, tmp_path: Path
) -> None:
    signed_in_as = request.getfixturevalue(sign_in)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("one two one")
    shown = {"process list": run(tmp_path / "in", tmp_path / "out"), "log": debug_log.read_text()}
    shown |= {file.name: file.read_text() for file in (tmp_path / "out").rglob("*") if file.is_file()}
    if isinstance(signed_in_as, Account):
        keys = (signed_in_as.batch_key, signed_in_as.storage_key)
        secrets = [key.get_secret_value() for key in keys if key]
    else:
        secrets = list(signed_in_as.issued)
    assert len(secrets) >= 2
    assert "urllib3" in shown["log"] or "HTTP/1.1" in shown["log"]
    assert {place: hits for place, text in shown.items() if (hits := found_in(text, secrets))} == {}


def test_what_looks_for_secrets_finds_them() -> None:
    assert found_in("GET https://a/b?se=1&sig=AbCdEfGhIjKlMnOpQrSt%3D HTTP", []) == ["GET https://a/b?se=1&"]
    assert found_in("Authorization: key1", ["key1"]) == ["Authorization: "]
    assert found_in("sig=...&x", ["key1"]) == []
