"""A flow run that was killed and is retried goes on where it was: nothing is missing, or computed twice."""

import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.teardown import table
from tests.teardown.scene import Run, Scene
from tests.teardown.stages import STAGES, held_under_a_worker, killed
from tests.teardown.waiting import until

pytestmark = [pytest.mark.prefect_server, pytest.mark.matrix, pytest.mark.timeout(600)]

WORKER_IS_DONE = 20.0
"""Seconds after the hook's last deletion; it took 5 on a busy machine."""
UNDER_A_WORKER = ("poll", "download")
CELLS = [*((stage, "none") for stage in STAGES), *((stage, "lives") for stage in UNDER_A_WORKER)]


def retried(scene: Scene, stage: str, worker: str) -> Run:
    """A run whose process was killed in the stage, and which was then retried to its end."""
    return retried_by_a_worker(scene, stage) if worker == "lives" else retried_by_hand(scene, stage)


def retried_by_hand(scene: Scene, stage: str) -> Run:
    """Nobody has deleted anything meanwhile: the retry finds pool and job as they were."""
    run = killed(scene, stage)
    run.set_state("CRASHED", force=True)
    run.set_state("SCHEDULED", "AwaitingRetry")  # as the button Retry does
    run.start()
    run.end(within=240)
    return run


def retried_by_a_worker(scene: Scene, stage: str) -> Run:
    """All tasks were done, then the hook deleted pool and job: the retry finds only the containers.

    The worker reports the crash once more when the hook is over, and would mark a retry by it (seen with
    Prefect 3.8.8); of a run that nobody retries that leaves no trace to wait for.
    """
    run, held = held_under_a_worker(scene, stage)
    until(lambda: len(run.results_written()) == 4, "all tasks are done")
    run.kill()
    held.drop()
    assert run.end() == "CRASHED"
    containers = {f"container top-n-words-{run.hex}-{which}" for which in ("inputs", "outputs")}
    until(lambda: run.left() == containers, "the hook deletes pool and job")
    time.sleep(WORKER_IS_DONE)
    run.set_state("SCHEDULED", "AwaitingRetry")
    run.end(within=240)
    return run


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, scene: Scene, threads: ThreadPoolExecutor
) -> Mapping[tuple[str, str], "Future[Run]"]:
    """A retried run for each cell that is asked for; those that take longer first."""
    cells = reversed(table.asked_for(request, CELLS))
    return {cell: threads.submit(retried, scene, *cell) for cell in cells}


@pytest.fixture(scope="module")
def undisturbed(scene: Scene) -> Run:
    run = scene.create_run("by-hand")
    run.start()
    assert run.end() == "COMPLETED"
    return run


@pytest.mark.parametrize(("stage", "worker"), CELLS, ids=[f"{stage}-{worker}" for stage, worker in CELLS])
def test_a_run_killed_and_retried_gives_what_an_undisturbed_one_does_and_computes_it_once(
    stage: str, worker: str, runs: Mapping[tuple[str, str], "Future[Run]"], undisturbed: Run
) -> None:
    run = runs[stage, worker].result()
    assert run.state_name() == "Completed"
    assert len(run.outputs()) == 4
    assert run.outputs() == undisturbed.outputs()
    assert set(Counter(run.results_written()).values()) == {1}
    assert len(run.results_written()) == 4
    until(run.left_nothing, "nothing is left")


def test_the_matrix_of_retries(
    runs: Mapping[tuple[str, str], "Future[Run]"], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {
        f"{stage}, worker {worker}": (
            run.state_name(),
            str(len(run.outputs())),
            str(len(run.results_written())),
            str(len(run.left())),
        )
        for stage, worker in reversed(list(runs))
        for run in [runs[stage, worker].result()]
    }
    heads = ("killed in", "after its retry", "outputs", "tasks run in all", "left")
    table.show(capsys, "How a killed run ends that is retried", heads, rows)
