"""Whatever ends a run in whatever stage: its clean-up completes, its state is right, nothing is left.

All cells run at once, each a flow run of its own that a worker started; each is stopped by holding one of its
requests, so it is where the table says when the event comes.
"""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.teardown import table
from tests.teardown.gate import Hold
from tests.teardown.scene import FINAL, Run, Scene, until
from tests.teardown.stages import hold_at

pytestmark = [pytest.mark.prefect_server, pytest.mark.matrix, pytest.mark.timeout(600)]

IMPATIENT = "tests/teardown/impatient.py:impatient"


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its state, the clean-up task's, and what the account still holds."""

    state: str
    clean_up: str
    left: frozenset[str]


def cancel(run: Run, _held: Hold) -> None:
    run.set_state("CANCELLING")


def sigterm(run: Run, _held: Hold) -> None:
    os.kill(run.pid(), signal.SIGTERM)


def sigint(run: Run, _held: Hold) -> None:
    os.kill(run.pid(), signal.SIGINT)


def nothing(_run: Run, _held: Hold) -> None:
    """The event comes by itself."""


def sigterm_then_more(run: Run, _held: Hold) -> None:
    """The second and third signal come while the clean-up waits for an answer."""
    cleaning = hold_at(run.scene, "clean-up", run.hex)
    pid = run.pid()
    os.kill(pid, signal.SIGTERM)
    assert cleaning.came.wait(60)
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGINT)
    cleaning.release()


def cancel_then_sigterm(run: Run, _held: Hold) -> None:
    cleaning = hold_at(run.scene, "clean-up", run.hex)
    pid = run.pid()
    run.set_state("CANCELLING")
    assert cleaning.came.wait(60)
    os.kill(pid, signal.SIGTERM)
    cleaning.release()


Event = Callable[[Run, Hold], None]
EVENTS: Mapping[str, tuple[Event, str]] = {
    "UI cancel": (cancel, "Cancelled"),
    "SIGTERM": (sigterm, "Crashed"),
    "SIGINT": (sigint, "Crashed"),
    "stage fails": (nothing, "Failed"),
    "timeout": (nothing, "TimedOut"),
    "SIGTERM, then more": (sigterm_then_more, "Crashed"),
    "cancel, then SIGTERM": (cancel_then_sigterm, "Cancelled"),
}
MAIN_STAGES = ("upload", "provision", "poll", "download")
CELLS = [
    *((stage, event) for event in ("UI cancel", "SIGTERM", "SIGINT", "stage fails") for stage in MAIN_STAGES),
    ("upload", "timeout"),
    ("poll", "timeout"),
    ("poll", "SIGTERM, then more"),
    ("poll", "cancel, then SIGTERM"),
]


def happen(scene: Scene, stage: str, event: str) -> Outcome:
    """One cell of the table."""
    act, _ = EVENTS[event]
    run = scene.create_run("watched", *([IMPATIENT] if event == "timeout" else []))
    held = hold_at(scene, stage, run.hex, refuse=event == "stage fails")
    run.comes_to(held)
    act(run, held)
    if stage == "provision":
        held.release()  # its thread cannot be interrupted; the clean-up waits for it
    return outcome(run, held)


def outcome(run: Run, held: Hold) -> Outcome:
    """How it ended. What blocks stays blocked until the account is empty."""
    until(lambda: run.clean_up_state() == "COMPLETED" or run.state()["type"] in FINAL, "it cleans up", 120)
    held.release()
    run.end()
    until(lambda: run.clean_up_state() in {"", "COMPLETED"}, "the task run's last state arrives", 60)
    return Outcome(run.state_name(), run.clean_up_state(), frozenset(run.left()))


@pytest.fixture(scope="module")
def outcomes(scene: Scene) -> Iterator[Mapping[tuple[str, str], "Future[Outcome]"]]:
    """Every cell's outcome, all begun at once."""
    with ThreadPoolExecutor(len(CELLS)) as threads:
        yield {cell: threads.submit(happen, scene, *cell) for cell in CELLS}


@pytest.mark.parametrize(("stage", "event"), CELLS, ids=[f"{stage}-{event}" for stage, event in CELLS])
def test_a_run_cleans_up_whatever_ends_it(
    stage: str, event: str, outcomes: Mapping[tuple[str, str], "Future[Outcome]"]
) -> None:
    assert outcomes[stage, event].result() == Outcome(EVENTS[event][1], "COMPLETED", frozenset())


def test_a_failing_file_fails_the_run_and_nothing_is_left(scene: Scene) -> None:
    (scene.folder / "binary.txt").write_bytes(b"a\0b")
    inputs = [str(scene.folder / name) for name in ("texts", "binary.txt")]
    run = scene.create_run("watched", input_files=inputs)
    assert run.end() == "FAILED"
    until(lambda: run.clean_up_state() == "COMPLETED", "the task run's last state arrives")
    assert run.left() == set()
    assert len(run.outputs()) == 4


def test_the_matrix(
    outcomes: Mapping[tuple[str, str], "Future[Outcome]"], capsys: pytest.CaptureFixture[str]
) -> None:
    def cell(stage: str, event: str) -> str:
        if (stage, event) not in outcomes:
            return "-"
        found = outcomes[stage, event].result()
        return f"{found.state}, clean-up {found.clean_up.lower()}, {len(found.left)} left"

    rows = {event: tuple(cell(stage, event) for stage in MAIN_STAGES) for event in EVENTS}
    table.show(capsys, "How a run ends", ("event", *MAIN_STAGES), rows)
