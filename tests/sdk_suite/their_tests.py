"""Microsoft's own tests of azure-batch, fetched from PyPI as uv.lock pins them, run in their own process.

They are in the source distribution, are kept under .local/ and never become part of this repository.
"""

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flows.local_stack.emulator import BatchAccount, Emulator
from flows.local_stack.service import Service
from tests.tokens import certificate

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
CACHE = PROJECT / ".local" / "sdk_suite"
LONGEST_RUN = 280
"""Seconds."""
ALLOCATION = 0.3
"""Seconds. One test stops a resize that it has just begun, which must not be over by then."""


@dataclass(frozen=True)
class Run:
    """What came of their tests."""

    outcomes: list[dict[str, Any]]
    """`test`, `passed` and `text` of each."""
    answers: list[dict[str, Any]]
    """`method`, `path`, `status` and `body` of everything the emulator answered meanwhile."""
    output: str


def pinned() -> tuple[str, str]:
    """URL and SHA-256 of the source distribution, from the lock file."""
    lock = tomllib.loads((PROJECT / "uv.lock").read_text(encoding="utf-8"))
    package = next(one for one in lock["package"] if one["name"] == "azure-batch")
    return package["sdist"]["url"], package["sdist"]["hash"].removeprefix("sha256:")


def fetch() -> Path:
    """The folder of their tests, downloaded on first use.

    Raises:
        OSError: it cannot be downloaded.
        ValueError: what was downloaded is not what the lock file pins.
    """
    url, digest = pinned()
    folder = CACHE / digest[:16]
    if not folder.is_dir():
        with urllib.request.urlopen(url, timeout=60) as response:
            content = response.read()
        if hashlib.sha256(content).hexdigest() != digest:
            raise ValueError(f"{url} is not the file that uv.lock pins")
        _unpack(content, folder)
    return folder


def _unpack(content: bytes, folder: Path) -> None:
    unfinished = folder.with_suffix(f".{os.getpid()}")
    unfinished.mkdir(parents=True)
    with tarfile.open(fileobj=BytesIO(content)) as archive:
        for member in archive:
            path = Path(member.name)
            if member.isfile() and path.parent.name == "tests" and len(path.parts) == 3:
                file = archive.extractfile(member)
                assert file is not None
                (unfinished / path.name).write_bytes(file.read())
    unfinished.rename(folder)


@contextmanager
def _emulator(folder: Path, chain: Path, private: Path) -> Iterator[BatchAccount]:
    command = [sys.executable, "-m", "tests.sdk_suite.recording_emulator", str(folder / "answers.jsonl")]
    command += ["--port", "0", "--exit-with-stdin", "--tls-cert", str(chain), "--tls-key", str(private)]
    delays = folder / "delays.json"
    delays.write_text(json.dumps({"allocation": ALLOCATION}), encoding="utf-8")
    command += ["--delays", str(delays)]
    env = {**os.environ, "PATH": f"{HERE / 'node_path'}:{os.environ['PATH']}", "PYTHONPATH": str(PROJECT)}
    with Service("The recording emulator", command, env=env) as service:
        yield Emulator(service).account()


def run(tests: Path, folder: Path, *options: str) -> Run:
    """Run their tests against an emulator of their own; `folder` takes what both write."""
    chain, private = certificate(folder)  # their tests insist on https
    report = folder / "report.jsonl"
    with _emulator(folder, chain, private) as account:
        env = {
            **os.environ,
            "PYTHONPATH": str(HERE / "stand_in"),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "REQUESTS_CA_BUNDLE": str(chain),
            "SSL_CERT_FILE": str(chain),
            "SUITE_ACCOUNT": account.name,
            "SUITE_KEY": account.key,
            "SUITE_ADDRESS": urlsplit(account.endpoint).netloc,
            "SUITE_REPORT": str(report),
        }
        command = [sys.executable, "-m", "pytest", "-p", "suite_plugin", "-p", "no:cacheprovider"]
        command += ["-c", os.devnull, "--rootdir", str(tests), "--tb=short", "-q", *options, str(tests)]
        ended = subprocess.run(
            command, check=False, env=env, cwd=folder, capture_output=True, text=True, timeout=LONGEST_RUN
        )
    return Run(_lines(report), _lines(folder / "answers.jsonl"), ended.stdout + ended.stderr)


def _lines(file: Path) -> list[dict[str, Any]]:
    return (
        [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []
    )
