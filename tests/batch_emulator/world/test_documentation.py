"""What docs/emulator.md says, held against the code."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from batch_emulator import faults
from batch_emulator.delays import from_table
from batch_emulator.faults.kinds import FAULTS
from batch_emulator.operations import OPERATIONS
from batch_emulator.options import parse
from batch_emulator.scheduler import Delays
from batch_emulator.simulation.work import profile

TEXT = (Path(__file__).parents[3] / "docs" / "emulator.md").read_text(encoding="utf-8")
TABLES = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)


def test_every_fault_and_no_other_is_named() -> None:
    rows = [row for row in TEXT.split("## Faults")[1].splitlines() if row.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == set(FAULTS)


def test_every_option_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    options = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert options <= set(re.findall(r"--[a-z][a-z-]+", TEXT))


def test_the_examples_are_what_the_emulator_reads() -> None:
    import tomllib

    timing, work, trouble = map(tomllib.loads, TABLES)
    from_table(timing)
    assert set(timing) == {"profile", *(field.name for field in fields(Delays))}
    assert profile(work).kinds[0].match == "*convert*"
    parsed = faults.parse(trouble, [operation.name for operation in OPERATIONS])
    assert len(parsed) == 3
