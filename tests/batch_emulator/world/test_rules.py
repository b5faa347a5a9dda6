"""When a fault strikes, and what of it is kept."""

import pytest

from batch_emulator import faults
from batch_emulator.faults import Rules, kinds
from batch_emulator.faults.kinds import FAULTS, Fault

REQUIRED: dict[str, dict[str, float]] = {
    "slow": {"seconds": 1.5},
    "partial_add": {"added": 3},
    "task_exit": {"exit_code": 1},
    "start_task_exit": {"exit_code": 1},
    "task_killed": {"after": 2.0},
    "quota": {"pools": 1},
    "clock_skew": {"seconds": -3.0},
}


def strikes(rules: Rules, times: int) -> list[int]:
    """In which of so many times some fault strikes, counted from 1."""
    return [time for time in range(1, times + 1) if list(rules.struck(Fault, lambda _: True))]


@pytest.mark.parametrize(
    ("often", "wanted"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"next": 2}, [1, 2]),
        ({"every": 3}, [3, 6]),
        ({"probability": 0.0}, []),
        ({"probability": 1.0}, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_a_fault_strikes_as_often_as_it_says(often: dict[str, float], wanted: list[int]) -> None:
    rules = Rules("seed")
    rules.add(kinds.InternalError(**often))  # type: ignore[arg-type]
    assert strikes(rules, 6) == wanted


def test_the_same_seed_draws_the_same_whatever_else_is_in_force() -> None:
    def drawn(seed: str) -> list[int]:
        rules = Rules(seed)
        rules.add(kinds.InternalError(probability=0.3))
        return strikes(rules, 100)

    alone = drawn("a")
    assert alone == drawn("a") != drawn("b")
    assert 10 < len(alone) < 50
    rules = Rules("a")
    rules.add(kinds.InternalError(probability=0.3))
    rules.add(kinds.DiskFull(probability=0.9))
    together = [
        time
        for time in range(1, 101)
        if kinds.InternalError in [type(fault) for fault in rules.struck(Fault, lambda _: True)]
    ]
    assert together == alone


def test_a_fault_that_is_removed_strikes_no_more_and_its_number_is_not_given_again() -> None:
    rules = Rules()
    first = rules.add(kinds.ServerBusy())
    assert rules.remove(first.number)
    assert not rules.remove(first.number)
    assert strikes(rules, 3) == []
    assert rules.add(kinds.ServerBusy()).number == first.number + 1


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_can_be_written_read_and_written_again(name: str) -> None:
    body = {"fault": name, **REQUIRED.get(name, {})}
    (fault,) = faults.parse(body, ["create_pool"])
    assert type(fault) is FAULTS[name]
    written = faults.document(fault)
    assert written.items() >= body.items()
    assert faults.parse(written, ["create_pool"]) == [fault]


def test_every_fault_that_needs_a_member_says_so() -> None:
    for name in REQUIRED:
        with pytest.raises(ValueError, match=f"{name}"):
            faults.parse({"fault": name}, [])
