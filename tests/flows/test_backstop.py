"""The hook that Prefect runs after a run: what it deletes, what it leaves, and what it tells."""

from collections.abc import Iterator
from typing import Any

import pytest
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import AwaitingRetry, Cancelled, Cancelling, Crashed, Running

from batch_tasks.errors import CleanUpFailed
from batch_tasks.settings import Account
from flows import run_events
from flows.backstop import delete_what_is_left
from tests.flows.dead_runs import came_to, dead_run, left, left_behind, names_of
from tests.flows.events import events_of
from tests.teardown.gate import gate_before

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def run(account_in_environment: Account) -> Iterator[FlowRun]:
    with dead_run(account_in_environment) as run:
        yield run


def test_of_a_run_that_crashed_what_a_retry_needs_stays(run: FlowRun) -> None:
    delete_what_is_left(left_behind, run, came_to(run, Crashed()))
    assert left(run) == {"inputs", "outputs"}
    (told,) = events_of(run.id, run_events.CLEANED_UP)
    assert told["by"] == "hook"
    assert told["deleted"] == [f"job {names_of(run).job_id}"]


@pytest.mark.parametrize("states", [(Cancelling(),), (Cancelling(), Cancelled())])
def test_of_a_run_that_was_cancelled_nothing_stays(run: FlowRun, states: tuple[State[Any], ...]) -> None:
    delete_what_is_left(left_behind, run, came_to(run, *states))
    assert left(run) == set()


def test_what_the_hook_cannot_delete_it_tells(
    run: FlowRun, account_in_environment: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashed = came_to(run, Crashed())
    with gate_before(account_in_environment.batch_endpoint) as gate:
        gate.hold(lambda request: request.method == "DELETE", "refuse")
        monkeypatch.setenv("AZURE_BATCH_ENDPOINT", gate.url)
        with pytest.raises(CleanUpFailed, match="Forbidden"):
            delete_what_is_left(left_behind, run, crashed)
    (told,) = events_of(run.id, run_events.CLEAN_UP_FAILED)
    assert told["by"] == "hook"


@pytest.mark.parametrize("states", [(AwaitingRetry(),), (AwaitingRetry(), Running())])
def test_what_a_run_left_that_was_retried_since_is_left_to_it(
    run: FlowRun, states: tuple[State[Any], ...]
) -> None:
    crashed = came_to(run, Crashed())
    came_to(run, *states)
    delete_what_is_left(left_behind, run, crashed)
    assert left(run) == {"job", "inputs", "outputs"}
    assert events_of(run.id, run_events.CLEANED_UP, at_once=True) == []


def test_a_local_run_took_everything_with_it(run: FlowRun) -> None:
    local = run.model_copy(update={"parameters": {"account": "local"}})
    delete_what_is_left(left_behind, local, came_to(run, Crashed()))
    assert left(run) == {"job", "inputs", "outputs"}
