"""Options about time, work and faults that make no sense."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--time-scale", "0"], "above 0"),
        (["--time", "stepped", "--time-scale", "2"], "--time stepped"),
        (["--path-prefix", "account"], "/account"),
        (["--host", "0.0.0.0", "--allow-remote", "--oauth", "basic"], "loopback only"),
        (["--delays", "slow"], "slow cannot be read"),
        (["--simulate", "nowhere.json"], "nowhere.json"),
        (["--faults", "faults.json"], "earthquake"),
    ],
)
def test_they_are_refused_with_the_remedy(options: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text('{"faults": [{"fault": "earthquake"}]}')
    process = subprocess.run(
        [sys.executable, "-m", "batch_emulator", "--port", "0", *options],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=tmp_path,
    )
    assert process.returncode == 2
    assert said in process.stderr
    assert "Traceback" not in process.stderr
    assert process.stdout == ""
