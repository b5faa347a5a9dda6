"""Whatever ends a run in whatever stage: its clean-up completes, its state is right, nothing is left.

Each cell is a flow run of its own, stopped by holding one of its requests: it is where the table says when
the event comes, and what it waits for stays held until its clean-up is over. A worker started those that are
cancelled, as only a worker can cancel; the others are processes without one.
"""

import os
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.teardown import table
from tests.teardown.gate import Hold
from tests.teardown.scene import FINAL, Run, Scene
from tests.teardown.stages import hold_at
from tests.teardown.waiting import until

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
STAYS_BLOCKED = "UI cancel, and the call stays blocked"
BY_WORKER = (cancel, cancel_then_sigterm)
EVENTS: Mapping[str, tuple[Event, str]] = {
    "UI cancel": (cancel, "Cancelled"),
    STAYS_BLOCKED: (cancel, "Cancelled"),
    "SIGTERM": (sigterm, "Crashed"),
    "SIGINT": (sigint, "Crashed"),
    "stage fails": (nothing, "Failed"),
    "timeout": (nothing, "TimedOut"),
    "SIGTERM, then more": (sigterm_then_more, "Crashed"),
    "cancel, then SIGTERM": (cancel_then_sigterm, "Cancelled"),
}
MAIN_STAGES = ("upload", "provision", "poll", "download")
CELLS = [
    ("upload", "timeout"),
    ("poll", "timeout"),
    ("provision", STAYS_BLOCKED),
    *((stage, event) for event in ("UI cancel", "SIGTERM", "SIGINT", "stage fails") for stage in MAIN_STAGES),
    ("poll", "SIGTERM, then more"),
    ("poll", "cancel, then SIGTERM"),
]


def happen(scene: Scene, stage: str, event: str) -> Outcome:
    """One cell of the table."""
    act, _ = EVENTS[event]
    pool = "watched" if act in BY_WORKER else "by-hand"
    run = scene.create_run(pool, *([IMPATIENT] if event == "timeout" else []))
    held = hold_at(scene, stage, run.hex, refuse=event == "stage fails")
    if pool == "by-hand":
        run.start()
    run.comes_to(held)
    act(run, held)
    return outcome(run, held, to_the_end=event == STAYS_BLOCKED)


def outcome(run: Run, held: Hold, *, to_the_end: bool) -> Outcome:
    """How it ended. What blocks stays blocked until its clean-up is over, or until its process is."""
    # While tasks are polled a refusal is borne for five minutes.
    until(lambda: run.clean_up_state() == "COMPLETED" or run.state()["type"] in FINAL, "it cleans up", 420)
    if to_the_end:
        run.end()
    held.release()
    run.end()
    until(lambda: run.clean_up_state() == "COMPLETED", "the task run's last state arrives", 60)
    return Outcome(run.state_name(), run.clean_up_state(), frozenset(run.left()))


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, scene: Scene, threads: ThreadPoolExecutor
) -> Mapping[tuple[str, str], "Future[Outcome]"]:
    """The outcome of every cell that is asked for."""
    return {cell: threads.submit(happen, scene, *cell) for cell in table.asked_for(request, CELLS)}


@pytest.mark.parametrize(("stage", "event"), CELLS, ids=[f"{stage}-{event}" for stage, event in CELLS])
def test_a_run_cleans_up_whatever_ends_it(
    stage: str, event: str, outcomes: Mapping[tuple[str, str], "Future[Outcome]"]
) -> None:
    assert outcomes[stage, event].result() == Outcome(EVENTS[event][1], "COMPLETED", frozenset())


def test_a_failing_file_fails_the_run_and_nothing_is_left(scene: Scene) -> None:
    (scene.folder / "binary.txt").write_bytes(b"a\0b")
    inputs = [str(scene.folder / name) for name in ("texts", "binary.txt")]
    run = scene.create_run("by-hand", input_files=inputs)
    run.start()
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
