"""A flow run that was killed and is retried goes on where it was: nothing is missing, or computed twice."""

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.teardown import table
from tests.teardown.scene import Run, Scene, engine, until
from tests.teardown.stages import AT_ONCE, STAGES, killed

pytestmark = [pytest.mark.prefect_server, pytest.mark.matrix, pytest.mark.timeout(600)]


def retried(scene: Scene, stage: str) -> Run:
    """A run whose process was killed in the stage, and which was then retried to its end."""
    run = killed(scene, stage)
    run.set_state("CRASHED", force=True)  # as the automation does
    run.set_state("SCHEDULED", "AwaitingRetry")  # as the button Retry does
    process = engine(run)
    try:
        run.end(within=240)
    finally:
        process.kill()
        process.wait()
    return run


@pytest.fixture(scope="module")
def runs(scene: Scene) -> Iterator[Mapping[str, "Future[Run]"]]:
    """A retried run for each stage, all begun at once."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield {stage: threads.submit(retried, scene, stage) for stage in STAGES}


@pytest.fixture(scope="module")
def undisturbed(scene: Scene) -> Run:
    run = scene.create_run("watched")
    assert run.end() == "COMPLETED"
    return run


@pytest.mark.parametrize("stage", STAGES)
def test_a_run_killed_and_retried_gives_what_an_undisturbed_one_does_and_computes_it_once(
    stage: str, runs: Mapping[str, "Future[Run]"], undisturbed: Run
) -> None:
    run = runs[stage].result()
    assert run.state_name() == "Completed"
    assert len(run.outputs()) == 4
    assert run.outputs() == undisturbed.outputs()
    assert set(Counter(run.results_written()).values()) == {1}
    assert len(run.results_written()) == 4
    until(run.left_nothing, "nothing is left")


def test_the_matrix_of_retries(runs: Mapping[str, "Future[Run]"], capsys: pytest.CaptureFixture[str]) -> None:
    rows = {
        stage: (run.state_name(), str(len(run.outputs())), str(len(run.results_written())))
        for stage, future in runs.items()
        for run in [future.result()]
    }
    heads = ("killed in", "after its retry", "outputs", "tasks run in all")
    table.show(capsys, "How a killed run ends that is retried", heads, rows)
