"""Install uv into the folder given, with what this Python has: venv, else pip, else a pip fetched from PyPI.

Distributions split venv and pip off Python; neither is needed. Standard library only.
"""
# ruff: noqa: INP001, S310 - not a package; both addresses are https, and what comes is compared with its hash

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from urllib.parse import urljoin

UV = "uv>=0.9,<1"
INDEX = "https://pypi.org/pypi/pip/json"


def with_venv(folder: Path) -> None:
    """A virtual environment that holds uv."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
    subprocess.run([str(folder / "bin" / "python"), "-m", "pip", "install", "-qq", UV], check=True)


def with_pip(folder: Path) -> None:
    """Only uv's own files; pip allows this where the distribution manages Python's packages, too."""
    install = ["install", "-qq", "--target", str(folder), UV]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True, capture_output=True)


def with_fetched_pip(folder: Path) -> None:
    """As `with_pip`; pip's wheel runs from the archive it is."""
    with urllib.request.urlopen(INDEX, timeout=60) as answer:
        files = json.load(answer)["urls"]
    wheel = next(file for file in files if file["packagetype"] == "bdist_wheel")
    with urllib.request.urlopen(urljoin(INDEX, wheel["url"]), timeout=60) as answer:
        content = answer.read()
    if hashlib.sha256(content).hexdigest() != wheel["digests"]["sha256"]:
        raise ValueError("the pip that was fetched is not the one that PyPI names")
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch, wheel["filename"])
        archive.write_bytes(content)
        install = ["install", "-qq", "--target", str(folder), UV]
        subprocess.run([sys.executable, str(archive / "pip"), *install], check=True)


def main() -> int:
    """Try one way after the other; 1 when none works."""
    folder = Path(sys.argv[1])
    for way in (with_venv, with_pip, with_fetched_pip):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            way(folder)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            print(f"{way.__name__.replace('_', ' ')}: {error}", file=sys.stderr)
        else:
            return 0
    print("uv could not be installed. Install it yourself: https://docs.astral.sh/uv", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
