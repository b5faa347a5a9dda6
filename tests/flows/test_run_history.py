"""What a run leaves in a real Prefect server: enough to say what happened to a file, small, and no secret."""

import contextvars
import json
import logging
import os
import re
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from prefect import flow, get_client, runtime
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterTags,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import Artifact, FlowRun, TaskRun
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.serializers import PickleSerializer

from batch_tasks.options import CleanUpPolicy, PoolOptions, RunOptions
from batch_tasks.progress import Progress, watching
from batch_tasks.report import FileReport, FinishedTask, RunReport
from batch_tasks.settings import Account
from batch_tasks.unfinished import TasksFailed, TimedOut
from batch_tasks.workload import Workload
from flows.pipeline import run_workload
from flows.run_history import run_name
from flows.sender import Sender
from tests.flows.processes import eventually
from tests.leaks.session import FAKE_TOKEN
from tests.signing import environment_of

PREFECTS_OWN = ("Beginning flow run", "View at", "Finished in state")
COPY = Workload(
    name="copy",
    command="if grep -q bad {input}; then echo it is bad >&2; exit 7; fi; cp {input} {output}",
    outputs=("{stem}.copy",),
)


@flow(name="copies", flow_run_name=run_name)
def copies(workload: Workload, input_files: list[str], options: RunOptions) -> RunReport:
    return run_workload(workload, input_files, options)


@dataclass(frozen=True)
class History:
    """What the server says of a flow run once everything has arrived there."""

    run: FlowRun
    tasks: list[TaskRun]
    artifacts: dict[str, Artifact]
    logs: list[str]


def history_of(run_id: str) -> History:
    APILogWorker.drain_all(timeout=10)
    EventsWorker.drain_all(timeout=10)
    this = UUID(run_id)
    only = FlowRunFilter(id=FlowRunFilterId(any_=[this]))
    with get_client(sync_client=True) as client:

        def recorded() -> list[TaskRun]:
            return client.read_task_runs(flow_run_filter=only, limit=200)

        eventually(
            lambda: all(run.state and run.state.is_final() for run in recorded()), "task runs are recorded"
        )
        logs = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[this])), limit=200)
        artifacts = client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[this]))
        )
        return History(
            client.read_flow_run(this),
            recorded(),
            {artifact.key.removeprefix("copy-"): artifact for artifact in artifacts if artifact.key},
            [entry.message for entry in logs],
        )


def events_of(run_id: str) -> dict[str, Any]:
    """Each of our events about this run, by its name."""
    body = {"filter": {"resource": {"id": [f"prefect-azure-batch.run.{run_id}"]}}, "limit": 50}
    with get_client(sync_client=True) as client:
        found = client.request("POST", "/events/filter", json=body).json()["events"]
    return {event["event"]: event for event in found}


def folder_of(folder: Path, contents: dict[str, str]) -> str:
    folder.mkdir()
    for name, text in contents.items():
        (folder / name).write_text(text)
    return str(folder)


def options_for(tmp_path: Path, **more: Any) -> RunOptions:
    return RunOptions(output_dir=str(tmp_path / "out"), pool=PoolOptions(task_slots_per_node=4), **more)


@pytest.fixture(scope="module")
def failed_run(
    account: Account, prefect_server: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TasksFailed, History]:
    """A run of three files, one of them bad."""
    folder = tmp_path_factory.mktemp("failed-run")
    inputs = folder_of(folder / "in", {"a.txt": "good", "b.txt": "bad", "c.txt": "good"})
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment_of(account).items():
            patch.setenv(name, value)
        with pytest.raises(TasksFailed) as failed:
            copies(COPY, [inputs], options_for(folder))
    return failed.value, history_of(failed.value.report.flow_run_id)


def test_a_run_is_found_by_workload_number_of_files_and_outcome(
    failed_run: tuple[TasksFailed, History],
) -> None:
    run = failed_run[1].run
    assert run.name == "copies of in (3 files)"
    assert set(run.tags) == {"copy", "files:3", "failed-files:1", "outcome:failed"}
    searched = FlowRunFilter(tags=FlowRunFilterTags(all_=["copy", "failed-files:1"]))
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(flow_run_filter=searched)
    assert [one.id for one in found] == [run.id]


def test_each_stage_is_one_task_run_with_a_telling_name(failed_run: tuple[TasksFailed, History]) -> None:
    names = [task.name for task in failed_run[1].tasks]
    assert len(names) == len(set(names)) <= 12
    assert set(names) >= {
        "clean-up",
        "create-containers",
        "create-job",
        "poll 3 tasks",
        "provision-pool",
        "retrieve outputs of 3 files",
        "submit 3 tasks",
        "upload 3 files",
    }


def test_the_artifacts_say_what_happened_to_a_file(failed_run: tuple[TasksFailed, History]) -> None:
    artifacts = failed_run[1].artifacts
    assert set(artifacts) == {"progress", "now", "report", "files"}
    rows = json.loads(str(artifacts["files"].data))
    assert [(row["File"], row["State"]) for row in rows] == [
        ("b.txt", "failed"),
        ("a.txt", "succeeded"),
        ("c.txt", "succeeded"),
    ]
    assert (rows[0]["Exit code"], rows[0]["Reason"]) == (7, "exit code 7")
    assert rows[0]["Node"]
    report = str(artifacts["report"].data)
    assert "# 1 of 3 files failed" in report
    assert "it is bad" in report
    assert "results.json" in report


def test_the_progress_shown_last_is_the_end(failed_run: tuple[TasksFailed, History]) -> None:
    artifacts = failed_run[1].artifacts
    assert float(str(artifacts["progress"].data)) == 100.0
    assert "retrieve-outputs" in str(artifacts["now"].data)


def test_results_and_page_stand_beside_the_outputs(failed_run: tuple[TasksFailed, History]) -> None:
    report = failed_run[0].report
    results = json.loads(Path(report.output_dir, "results.json").read_text())
    assert [(one["input"], one["state"], one["exit_code"], one["attempts"]) for one in results["files"]] == [
        ("a.txt", "succeeded", 0, 1),
        ("b.txt", "failed", 7, 1),
        ("c.txt", "succeeded", 0, 1),
    ]
    assert all(task["created"] <= task["started"] <= task["ended"] for task in results["tasks"])
    page = Path(report.output_dir, "report.html").read_text()
    assert page.count('class="bar ok"') == 2
    assert page.count('class="bar bad"') == 1


def test_the_log_is_a_short_story_that_ends_with_the_reason(failed_run: tuple[TasksFailed, History]) -> None:
    failed, history = failed_run
    *story, last = [text for text in history.logs if not text.startswith(PREFECTS_OWN)]
    assert len(story) < 10, "\n".join(story)
    assert not [text for text in story if "http" in text.lower() and "GET" in text]
    assert "All 3 tasks ended, 1 failed" in "\n".join(story)
    assert last == f"Failed: {failed}"
    assert "Traceback" not in "\n".join(history.logs)
    assert history.logs[-1] == "Finished in state Failed"


def test_the_state_of_a_failed_run_says_what_failed(failed_run: tuple[TasksFailed, History]) -> None:
    state = failed_run[1].run.state
    assert state is not None
    in_one_paragraph = " ".join(str(state.message).split())
    assert in_one_paragraph == (
        "Flow run encountered an exception: TasksFailed: 1 of 3 files failed. "
        "(1) b.txt: failed, exit code 7: | it is bad"
    )


def test_what_prefect_keeps_of_the_error_does_not_grow_with_the_files() -> None:
    files = [FileReport(f"{number}", "failed", "t", stderr_tail="bad" * 600) for number in range(2000)]
    tasks = [FinishedTask(f"{number}", succeeded=False) for number in range(2000)]
    report = RunReport("copy", "id", "/out", tuple(files), tuple(tasks))
    error = TasksFailed(report, TimedOut("Its time is over.", tasks))
    error.add_note("The pool could not be deleted.")
    store = PickleSerializer()
    kept = store.dumps(error)
    assert len(kept) < 40_000
    read = store.loads(kept)
    assert (type(read), str(read), read.__notes__) == (TasksFailed, str(error), error.__notes__)
    assert len(store.dumps(error.stopped)) < 1000
    assert error.report is report


@pytest.mark.usefixtures("prefect_server")
def test_a_run_that_is_refused_or_only_checked_is_found_as_such(
    account_in_environment: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = folder_of(tmp_path / "in", {"a.txt": "good"})
    impossible = options_for(tmp_path).model_copy(update={"pool": PoolOptions(task_slots_per_node=200)})
    assert ended_as([str(tmp_path / "none")], options_for(tmp_path)) == {"copy", "outcome:refused"}
    assert ended_as([inputs], impossible) == {"copy", "files:1", "outcome:refused"}
    checked = options_for(tmp_path, check_only=True)
    assert ended_as([inputs], checked) == {"copy", "files:1", "outcome:checked"}
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT")
    assert ended_as([inputs], options_for(tmp_path)) == {"copy", "outcome:refused"}


def ended_as(input_files: list[str], options: RunOptions) -> set[str]:
    """The tags of a run that makes nothing."""
    state = copies(COPY, input_files, options, return_state=True)
    run_id = state.state_details.flow_run_id
    assert run_id is not None
    with get_client(sync_client=True) as client:
        return set(client.read_flow_run(run_id).tags)


@pytest.mark.usefixtures("prefect_server")
def test_the_progress_moves_while_batch_works(account_in_environment: Account, tmp_path: Path) -> None:
    """Its tasks wait for stones to be taken away, one stone each: nothing depends on how fast we look."""
    inputs = folder_of(tmp_path / "in", {f"{number}.txt": "good" for number in range(4)})
    for number in range(4):
        (tmp_path / f"{number}.stone").touch()
    wait = f"while [ -e {tmp_path}/{{stem}}.stone ]; do sleep 0.1; done; cp {{input}} {{output}}"
    held = Workload(name="copy", command=wait, outputs=("{stem}.copy",))
    ids: list[str] = []

    def began(progress: Progress) -> None:
        ids.append(str(runtime.flow_run.id))

    def comes_to(percent: float) -> None:
        eventually(lambda: shown(ids[0]) == (percent, True), f"{percent:g} % are done, and nodes are shown")

    with ThreadPoolExecutor(1) as thread, watching(began):
        context = contextvars.copy_context()
        run = thread.submit(context.run, copies, held, [inputs], options_for(tmp_path))
        try:
            eventually(lambda: bool(ids), "the run begins")
            comes_to(0.0)
            for number, percent in ((0, 25.0), (1, 50.0)):
                (tmp_path / f"{number}.stone").unlink()
                comes_to(percent)
        finally:
            for stone in tmp_path.glob("*.stone"):
                stone.unlink()
        assert len(run.result().succeeded) == 4


def shown(run_id: str) -> tuple[float, bool] | None:
    """The percent that the progress artifact shows while Batch works; whether it counts nodes by state."""
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(run_id)]))
        )
    artifacts = {artifact.key: artifact for artifact in found}
    if not {"copy-progress", "copy-now"} <= artifacts.keys():
        return None
    bar, now = artifacts["copy-progress"], artifacts["copy-now"]
    if not str(bar.description).startswith("poll-tasks"):
        return None
    return float(str(bar.data)), re.search(r"\| Nodes \| \d+ \w+", str(now.data)) is not None


def test_events_tell_automations_what_happened(failed_run: tuple[TasksFailed, History]) -> None:
    run_id = failed_run[0].report.flow_run_id
    eventually(lambda: len(events_of(run_id)) == 3, "three events are there")
    events = events_of(run_id)
    assert set(events) == {
        "prefect-azure-batch.run.started",
        "prefect-azure-batch.tasks.failed",
        "prefect-azure-batch.cleaned-up",
    }
    failed = events["prefect-azure-batch.tasks.failed"]
    assert failed["payload"]["some"] == [{"file": "b.txt", "reason": "exit code 7"}]
    assert f"prefect.flow-run.{run_id}" in [one["prefect.resource.id"] for one in failed["related"]]
    assert len(events["prefect-azure-batch.cleaned-up"]["payload"]["deleted"]) == 4


def test_no_secret_is_in_logs_artifacts_parameters_results_or_database(
    failed_run: tuple[TasksFailed, History], account: Account
) -> None:
    failed, history = failed_run
    keys = [key.get_secret_value() for key in (account.batch_key, account.storage_key) if key]
    # Prefect's own examples, which are in its database, have a `sig=SIGNATURE`.
    patterns = [*map(re.escape, keys), r"sig(=|%3D)(?!SIGNATURE)\w", r"eyJ[\w-]+\.eyJ"]
    secret = re.compile("|".join(patterns).encode())
    for one in (*keys, "?sig=abc", FAKE_TOKEN):
        assert secret.search(one.encode())
    home = Path(os.environ["PREFECT_HOME"])
    database = {path.name: path.read_bytes() for path in home.glob("prefect.db*")}
    assert b"it is bad" in b"".join(database.values()), "the database holds this run"
    kept = [
        path for folder in (home / "storage", Path(failed.report.output_dir)) for path in folder.rglob("*")
    ]
    assert {"results.json", "report.html", "a.copy"} <= {path.name for path in kept}
    places = {**database, **{str(path): path.read_bytes() for path in kept if path.is_file()}}
    places["logs"] = "\n".join(history.logs).encode()
    places["parameters"] = repr(history.run.parameters).encode()
    places["artifacts"] = repr([artifact.data for artifact in history.artifacts.values()]).encode()
    places["error"] = f"{failed!r} {failed}".encode()
    assert [place for place, content in places.items() if secret.search(content)] == []


@pytest.mark.usefixtures("prefect_server")
def test_an_interrupted_run_is_found_as_such(account_in_environment: Account, tmp_path: Path) -> None:
    inputs = folder_of(tmp_path / "in", {"a.txt": "good"})
    slow = Workload(name="copy", command="sleep 60; cp {input} {output}", outputs=("{stem}.copy",))
    interrupted = threading.Event()
    ids: list[str] = []

    def interrupt(progress: Progress) -> None:
        if progress.phase == "poll-tasks" and not interrupted.is_set():
            interrupted.set()
            ids.append(str(runtime.flow_run.id))
            os.kill(os.getpid(), signal.SIGINT)

    with watching(interrupt), pytest.raises(KeyboardInterrupt):
        copies(slow, [inputs], options_for(tmp_path))
    assert "outcome:interrupted" in history_of(ids[0]).run.tags


@pytest.mark.usefixtures("prefect_server")
def test_results_stay_in_a_container_that_is_kept(account_in_environment: Account, tmp_path: Path) -> None:
    from batch_tasks.clients import blob_service, signed_in
    from batch_tasks.naming import RunNames

    inputs = folder_of(tmp_path / "in", {"a.txt": "good"})
    options = options_for(tmp_path, clean_up=CleanUpPolicy(output_container=False))
    report: RunReport = copies(COPY, [inputs], options)
    history = history_of(report.flow_run_id)
    names = RunNames.of("copy", report.flow_run_id)
    with signed_in(account_in_environment):
        container = blob_service().get_container_client(names.output_container)
        kept = {blob.name for blob in container.list_blobs()}
        container.delete_container()
    assert {"outputs/a.copy", "outputs/results.json", "outputs/report.html"} <= kept
    assert f"/{names.output_container}/outputs/results.json)" in str(history.artifacts["report"].data)
    assert set(history.run.tags) == {"copy", "files:1", "outcome:succeeded"}


@contextmanager
def no_client() -> Iterator[SyncPrefectClient]:
    yield cast("SyncPrefectClient", None)


def test_a_server_that_fails_is_one_warning_and_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()

    def fails(*_: object) -> None:
        raise ConnectionError("no server")

    sender = Sender(fails, every=0.01, client=no_client)
    with caplog.at_level(logging.WARNING), sender.sending():
        sender.send(fails)
        sender.watch(Progress("poll-tasks", 2))
        sender.send(fails)
        sender.send(lambda _client: done.set())
        assert done.wait(30)
    assert [record.getMessage() for record in caplog.records] == [
        "The run's history in Prefect is incomplete: ConnectionError"
    ]


def test_no_server_at_all_is_one_warning_too(caplog: pytest.LogCaptureFixture) -> None:
    def none() -> AbstractContextManager[SyncPrefectClient]:
        raise ValueError("No Prefect API URL provided.")

    sender = Sender(lambda _client, _progress: None, client=none)
    with caplog.at_level(logging.WARNING), sender.sending():
        sender.send(lambda _client: None)
    assert "The run's history in Prefect is incomplete: ValueError" in caplog.text


def test_of_many_steps_the_last_is_shown_and_nobody_waits_for_a_slow_server() -> None:
    shown: list[int] = []
    free = threading.Event()

    def show(_client: SyncPrefectClient, progress: Progress) -> None:
        assert free.wait(30)
        shown.append(progress.done)

    sender = Sender(show, every=0.01, client=no_client)
    with sender.sending():
        for number in range(1000):
            sender.watch(Progress("poll-tasks", 1000, number + 1))
        assert shown == []
        free.set()
    assert shown[-1] == 1000
    assert len(shown) <= 3
