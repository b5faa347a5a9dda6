"""Options about time, work and faults that make no sense."""

from pathlib import Path

import pytest

from tests.conformance.own_emulator import ended


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
    code, stdout, stderr = ended(*options, folder=tmp_path)
    assert code == 2
    assert said in stderr
    assert "Traceback" not in stderr
    assert stdout == ""
