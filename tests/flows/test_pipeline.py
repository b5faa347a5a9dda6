"""Whole flow runs: what is left afterwards is the outputs, and nothing in the account."""

import os
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from azure.core.exceptions import ResourceNotFoundError
from prefect import Task, flow, get_client, runtime, task_engine
from prefect._internal.concurrency.cancellation import CancelledError
from prefect.client.schemas.objects import State
from prefect.client.schemas.responses import SetStateStatus
from prefect.concurrency._leases import maintain_concurrency_lease
from prefect.exceptions import TerminationSignal
from prefect.states import AwaitingRetry, Crashed, Pending, Running

from batch_tasks import clean_up
from batch_tasks.clean_up import delete_resources
from batch_tasks.clients import batch_client, blob_service, signed_in
from batch_tasks.errors import CleanUpFailed, InputError
from batch_tasks.naming import RunNames
from batch_tasks.options import CleanUpPolicy, PoolOptions, RunOptions
from batch_tasks.patience import CLEANING
from batch_tasks.progress import Progress, watching
from batch_tasks.report import RunReport
from batch_tasks.settings import Account
from batch_tasks.submit_tasks import submit_tasks
from batch_tasks.unfinished import TasksFailed
from batch_tasks.workload import Workload
from flows import attempt, run_events, sender
from flows.interruptions import interruptions_come_through
from flows.pipeline import SEND_WITHIN, WAIT_FOR_POOL_REQUEST, run_workload
from flows.top_n_words import top_n_words
from tests.flows.events import events_of
from tests.teardown.gate import gate_before

PREFECT_GRANTS = 30.0
"""Seconds from the first SIGTERM to the SIGKILL, for a run that is cancelled (measured)."""
COPY = Workload(name="copy", command="cp {input} {output}", outputs=("{stem}.copy",))

pytestmark = pytest.mark.usefixtures("prefect_server", "account_in_environment")


@pytest.fixture
def left_behind(account: Account) -> Iterator[Callable[[str], list[str]]]:
    """What the account still holds of a workload's runs; what is being deleted does not count."""

    def names(workload: str) -> list[str]:
        pools = [pool.id for pool in batch_client().list_pools() if pool.state != "deleting"]
        jobs = [job.id for job in batch_client().list_jobs() if job.state != "deleting"]
        containers = [container.name for container in blob_service().list_containers()]
        return [name for name in (*pools, *jobs, *containers) if name.startswith(f"{workload}-")]

    with signed_in(account):
        yield names


@flow
def run_it(workload: Workload, files: list[str], options: RunOptions) -> RunReport:
    return run_workload(workload, files, options)


def files_in(folder: Path, contents: dict[str, str]) -> list[str]:
    folder.mkdir()
    for name, text in contents.items():
        (folder / name).write_text(text)
    return [str(folder)]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_words_are_counted_and_nothing_is_left(
    tmp_path: Path, left_behind: Callable[[str], list[str]]
) -> None:
    inputs = files_in(tmp_path / "in", {"a b.txt": "to be or not to be", "c.txt": "one two one"})
    report = top_n_words(inputs, n=1, output_dir=str(tmp_path / "out"))
    assert [file.key for file in report.succeeded] == ["a b.txt", "c.txt"]
    assert "to:\t2\n" in (tmp_path / "out" / "a b_OUTPUT.txt").read_text()
    assert "one:\t2\n" in (tmp_path / "out" / "c_OUTPUT.txt").read_text()
    assert left_behind("top-n-words") == []


def test_a_failed_file_fails_the_flow_keeps_the_others_and_leaves_nothing(
    tmp_path: Path, left_behind: Callable[[str], list[str]]
) -> None:
    inputs = files_in(tmp_path / "in", {"good.txt": "word", "empty.txt": "", "binary.txt": "a\0b"})
    with pytest.raises(TasksFailed) as failed:
        top_n_words(inputs, output_dir=str(tmp_path / "out"))
    assert [file.key for file in failed.value.report.failed] == ["binary.txt", "empty.txt"]
    assert "empty.txt: failed, exit code" in str(failed.value)
    assert names_in(tmp_path / "out") == [".runs", "good_OUTPUT.txt", "report.html", "results.json"]
    assert left_behind("top-n-words") == []


def test_an_attempt_that_prefect_makes_again_finds_what_the_one_before_did(
    tmp_path: Path, left_behind: Callable[[str], list[str]]
) -> None:
    """The attempt that fails leaves its containers, and only those, for the next; the last leaves nothing."""
    stone, computed = tmp_path / "stone", tmp_path / "computed"
    stone.touch()
    fails = f"[ {{name}} = b.txt -a -e {stone} ]"
    command = f"echo {{name}} >> {computed}; {fails} && exit 7; cp {{input}} {{output}}"
    workload = Workload(name="again", command=command, outputs=("{stem}.copy",))
    inputs = files_in(tmp_path / "in", {"a.txt": "x", "b.txt": "y"})
    left: list[list[str]] = []

    @flow(retries=1)
    def twice(options: RunOptions) -> RunReport:
        left.append(left_behind("again"))
        if len(left) == 2:
            stone.unlink()
            shutil.rmtree(tmp_path / "out")  # so that only what is in storage counts
        return run_workload(workload, inputs, options)

    report = twice(RunOptions(output_dir=str(tmp_path / "out")))
    assert [file.key for file in report.succeeded] == ["a.txt", "b.txt"]
    assert sorted(computed.read_text().split()) == ["a.txt", "b.txt", "b.txt"]
    names = RunNames.of("again", report.flow_run_id)
    assert left == [[], [names.input_container, names.output_container]]
    assert left_behind("again") == []


def test_a_run_that_was_retried_elsewhere_deletes_nothing_of_the_new_attempt(
    tmp_path: Path, left_behind: Callable[[str], list[str]]
) -> None:
    """Given up for dead and retried while it lives: both attempts have the same names."""
    inputs = files_in(tmp_path / "in", {"a.txt": "x"})
    workload = Workload(name="twins", command="cp {input} {output}", outputs=("{stem}.copy",))
    ids: list[str] = []
    states: list[State[Any]] = [Crashed(), AwaitingRetry(), Pending(), Running()]

    def retried(progress: Progress) -> None:
        if progress.phase == "poll-tasks" and not ids:
            ids.append(runtime.flow_run.id)
            with get_client(sync_client=True) as client:
                for state in states:
                    answer = client.set_flow_run_state(UUID(ids[0]), state, force=True)
                    assert answer.status == SetStateStatus.ACCEPT

    with watching(retried):
        run_it(workload, inputs, RunOptions(output_dir=str(tmp_path / "out")))
    names = RunNames.of("twins", ids[0])
    assert sorted(left_behind("twins")) == sorted(
        [names.pool_id, names.job_id, names.input_container, names.output_container]
    )
    delete_resources(names, CleanUpPolicy())


def test_a_run_that_prefect_ends_as_it_lost_its_slot_cleans_up(
    tmp_path: Path, left_behind: Callable[[str], list[str]]
) -> None:
    """As it does where the deployment has a limit, when the server has forgotten who holds the slots."""
    inputs = files_in(tmp_path / "in", {"a.txt": "x"})
    workload = Workload(name="slotless", command="sleep 120", outputs=("{stem}.copy",))

    @flow
    def limited(options: RunOptions) -> None:
        with maintain_concurrency_lease(uuid4(), 300, raise_on_lease_renewal_failure=True):
            run_workload(workload, inputs, options)

    with pytest.raises(CancelledError):
        limited(RunOptions(output_dir=str(tmp_path / "out")))
    assert left_behind("slotless") == []


def test_a_clean_up_that_fails_fails_the_run_and_tells_automations(
    tmp_path: Path, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = files_in(tmp_path / "in", {"a.txt": "x"})
    workload = Workload(name="stuck", command="cp {input} {output}", outputs=("{stem}.copy",))
    with gate_before(account.batch_endpoint) as gate:
        gate.hold(lambda request: request.method == "DELETE", "refuse")
        monkeypatch.setenv("AZURE_BATCH_ENDPOINT", gate.url)
        with pytest.raises(CleanUpFailed, match=r"pool stuck-[0-9a-f]{32}: Forbidden") as failed:
            run_it(workload, inputs, RunOptions(output_dir=str(tmp_path / "out")))
    names = RunNames.parse(re.findall("stuck-[0-9a-f]{32}", str(failed.value))[0])
    assert names is not None
    (told,) = events_of(names.flow_run_id, run_events.CLEAN_UP_FAILED)
    assert (told["by"], told["problem"]) == ("run", str(failed.value))
    with signed_in(account):
        delete_resources(names, CleanUpPolicy())


def test_all_that_the_end_of_a_cancelled_run_waits_for_fits_the_seconds_that_prefect_grants() -> None:
    waiting = WAIT_FOR_POOL_REQUEST + attempt.ANSWER_WITHIN_SECONDS
    deleting = CLEANING.budget + clean_up.CONNECT_WITHIN + clean_up.ANSWER_WITHIN
    in_all = waiting + deleting + SEND_WITHIN + sender.IN_A_HURRY_WITHIN
    assert in_all <= 25 < PREFECT_GRANTS


def test_refused_input_makes_nothing(tmp_path: Path, left_behind: Callable[[str], list[str]]) -> None:
    with pytest.raises(InputError, match="missing"):
        top_n_words([str(tmp_path / "missing")], output_dir=str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    assert left_behind("top-n-words") == []


def test_what_the_policy_keeps_is_there_afterwards(tmp_path: Path, account: Account) -> None:
    inputs = files_in(tmp_path / "in", {"a.txt": "x"})
    options = RunOptions(
        output_dir=str(tmp_path / "out"), clean_up=CleanUpPolicy(output_container=False, job=False)
    )
    report: RunReport = run_it(COPY, inputs, options)
    names = RunNames.of("copy", report.flow_run_id)
    with signed_in(account):
        kept = [
            blob.name for blob in blob_service().get_container_client(names.output_container).list_blobs()
        ]
        assert "outputs/a.copy" in kept
        assert batch_client().get_job(names.job_id).state in {"completed", "terminating"}
        blob_service().delete_container(names.output_container)
        batch_client().begin_delete_job(names.job_id, polling_interval=0).wait()
        with pytest.raises(ResourceNotFoundError):
            blob_service().get_container_client(names.input_container).get_container_properties()


@pytest.mark.parametrize("phase", ["upload-inputs", "submit-tasks", "poll-tasks", "retrieve-outputs"])
def test_ctrl_c_in_any_stage_leaves_nothing(
    phase: str, tmp_path: Path, left_behind: Callable[[str], list[str]]
) -> None:
    inputs = files_in(tmp_path / "in", {f"{number}.txt": "x" for number in range(20)})
    command = "sleep 60" if phase == "poll-tasks" else "true"
    workload = Workload(
        name="interrupted", command=f"cp {{input}} {{output}}; {command}", outputs=("{stem}.copy",)
    )
    interrupted = threading.Event()

    def interrupt(progress: Progress) -> None:
        if progress.phase == phase and not interrupted.is_set():
            interrupted.set()
            os.kill(os.getpid(), signal.SIGINT)

    options: dict[str, Any] = {
        "output_dir": str(tmp_path / "out"),
        "pool": PoolOptions(task_slots_per_node=4),
    }
    with watching(interrupt), pytest.raises(KeyboardInterrupt):
        run_it(workload, inputs, RunOptions(**options))
    assert interrupted.is_set()
    assert left_behind("interrupted") == []


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_a_signal_while_prefect_begins_a_task_run_ends_the_run_as_any_other(
    kind: type[BaseException],
    tmp_path: Path,
    left_behind: Callable[[str], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Prefect then fails for want of that task run."""
    begins = task_engine._create_task_run_locally

    def signal_comes(task: Task[..., Any], **more: Any) -> Any:
        if task.name == submit_tasks.name:
            raise kind
        return begins(task, **more)

    monkeypatch.setattr(task_engine, "_create_task_run_locally", signal_comes)
    workload = Workload(name="interrupted", command="cp {input} {output}", outputs=("{stem}.copy",))
    inputs = files_in(tmp_path / "in", {"a.txt": "x"})
    with pytest.raises(kind):
        run_it(workload, inputs, RunOptions(output_dir=str(tmp_path / "out")))
    assert left_behind("interrupted") == []


@pytest.mark.parametrize("signalled", [KeyboardInterrupt(), SystemExit(143), TerminationSignal(15)])
def test_what_breaks_because_of_a_signal_gives_way_to_it(signalled: BaseException) -> None:
    broken, told = ValueError("Task run is not set"), RuntimeError("cannot go on")
    broken.__context__, told.__context__ = signalled, broken
    with pytest.raises(type(signalled)) as raised, interruptions_come_through():
        raise told
    assert raised.value is signalled


def test_what_breaks_by_itself_is_no_interruption() -> None:
    error = ValueError("wrong")
    error.__context__ = OSError()
    with pytest.raises(ValueError, match="wrong"), interruptions_come_through():
        raise error
