"""What people write in files: delays, and what simulated commands do."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from batch_emulator import delays
from batch_emulator.scheduler import Delays
from batch_emulator.simulation.work import Profile, profile
from batch_emulator.tables import Mistake, read_table


def test_a_profile_is_known_by_its_name_and_a_file_can_change_it(tmp_path: Path) -> None:
    assert delays.delays("none") == Delays()
    assert delays.delays("azure").allocation == 52.0
    assert all(getattr(delays.AZURE, field.name) > 0 for field in fields(Delays)), "each state can be seen"
    file = tmp_path / "mine.toml"
    file.write_text('profile = "azure"\nallocation = 3\n')
    mine = delays.delays(str(file))
    assert (mine.allocation, mine.starting) == (3.0, delays.AZURE.starting)
    other = tmp_path / "mine.json"
    other.write_text('{"leaving": 0.5}')
    assert delays.delays(str(other)) == Delays(leaving=0.5)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"profile": "aws"}, "aws"),
        ({"alocation": 1}, "alocation"),
        ({"allocation": -1}, "allocation"),
        ({"allocation": "1 s"}, "allocation"),
        ({"allocation": True}, "allocation"),
        ({"allocation": float("nan")}, "allocation"),
    ],
)
def test_a_delay_that_makes_no_sense_is_refused_by_name(table: dict[str, Any], said: str) -> None:
    with pytest.raises(Mistake, match=said):
        delays.from_table(table)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [("a.json", "[1]", "table"), ("a.json", "{", "JSON"), ("a.toml", "a", "TOML"), ("a.json", None, "read")],
)
def test_a_file_that_holds_no_table_is_refused_by_name(
    tmp_path: Path, name: str, text: str | None, said: str
) -> None:
    file = tmp_path / name
    if text is not None:
        file.write_text(text)
    with pytest.raises(Mistake, match=said) as refused:
        read_table(file)
    assert name in str(refused.value)


@pytest.mark.parametrize(
    ("command", "setting", "wanted"),
    [
        ("simulate 5s exit 1", None, (5.0, 1)),
        ("simulate 250ms", None, (0.25, 0)),
        ("simulate 2h", None, (7200.0, 0)),
        ("simulate 1.5", None, (1.5, 0)),
        ("simulate exit 3", None, (0.0, 3)),
        ("python3 x.py", "2m exit 4", (120.0, 4)),
        ("simulate", None, (9.0, 0)),
        ("simulate something else", None, (9.0, 0)),
        ("python3 x.py", "soon", (9.0, 0)),
        ("simulated 5s", None, (9.0, 0)),
    ],
)
def test_a_command_can_say_what_it_does_and_else_the_profile_is_asked(
    command: str, setting: str | None, wanted: tuple[float, int]
) -> None:
    document: dict[str, Any] = {"commandLine": command}
    if setting is not None:
        document["environmentSettings"] = [{"name": "SIMULATE", "value": setting}]
    assert profile({"seconds": 9}).draw(document, "name") == wanted


def test_the_first_kind_that_matches_counts() -> None:
    drawn = profile(
        {
            "seconds": 1,
            "commands": [
                {"match": "*convert*", "seconds": 2},
                {"match": "*", "seconds": 3, "exit_codes": {"9": 1}},
            ],
        }
    )
    assert drawn.draw({"commandLine": "convert a"}, "x") == (2.0, 0)
    assert drawn.draw({"commandLine": "other"}, "x") == (3.0, 9)


def test_what_is_drawn_depends_on_the_name_alone() -> None:
    drawn = profile({"seconds": [1, 100], "exit_codes": {"0": 0.5, "1": 0.5}})
    command = {"commandLine": "x"}
    names = [f"task-{number}" for number in range(200)]
    one = [drawn.draw(command, name) for name in names]
    other = [drawn.draw(command, name) for name in reversed(names)]
    assert one == other[::-1]
    assert {code for _, code in one} == {0, 1}
    assert all(1 <= seconds <= 100 for seconds, _ in one)
    assert len({seconds for seconds, _ in one}) == 200


def test_log_normal_durations_lie_around_their_median() -> None:
    drawn = profile({"seconds": {"median": 30, "sigma": 0.5}})
    seconds = sorted(drawn.draw({"commandLine": "x"}, str(number))[0] for number in range(1001))
    assert 27 < seconds[500] < 33
    assert seconds[0] < 15 < 60 < seconds[-1]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"second": 1}, "second"),
        ({"match": "x"}, "match"),
        ({"seconds": -1}, "seconds|number"),
        ({"seconds": [3, 1]}, "seconds"),
        ({"seconds": "1"}, "seconds"),
        ({"seconds": {"sigma": 1}}, "seconds"),
        ({"exit_codes": {}}, "exit_codes"),
        ({"exit_codes": {"0": 0}}, "exit_codes"),
        ({"exit_codes": {"256": 1}}, "0 to 255"),
        ({"exit_codes": {"one": 1}}, "one"),
        ({"exit_codes": 3}, "int"),
        ({"commands": [{"match": 3}]}, r"commands\[0\]"),
        ({"commands": {"match": "x"}}, "list"),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused_by_name(table: dict[str, Any], said: str) -> None:
    with pytest.raises(Mistake, match=said):
        profile(json.loads(json.dumps(table)))


def test_without_a_profile_a_command_takes_a_second_and_succeeds() -> None:
    assert Profile().draw({"commandLine": "x"}, "name") == (1.0, 0)
