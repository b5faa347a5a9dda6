"""The rules of submitting and polling that need no service."""

import json
from typing import Any

import pytest
from azure.batch.models import BatchCreateTaskCollectionResult, BatchTask, BatchTaskCreateOptions
from azure.core.exceptions import HttpResponseError
from hypothesis import given
from hypothesis import strategies as st

from batch_tasks.errors import without_secrets
from batch_tasks.poll_tasks import COUNTS, REFUSALS_LAST, Refusals, Rhythm, finished_task
from batch_tasks.report import FileReport, FinishedTask, RunReport
from batch_tasks.submit_tasks import chunks, refusals
from batch_tasks.unfinished import TasksFailed, TimedOut


def tasks(sizes: list[int]) -> list[BatchTaskCreateOptions]:
    return [BatchTaskCreateOptions(id=str(n), command_line="x" * size) for n, size in enumerate(sizes)]


@given(st.lists(st.integers(1, 5000), max_size=350))
def test_requests_stay_within_both_limits_and_lose_nothing(sizes: list[int]) -> None:
    made = list(chunks(tasks(sizes), most_bytes=20_000))
    assert [task.id for chunk in made for task in chunk] == [str(number) for number in range(len(sizes))]
    for chunk in made:
        assert 1 <= len(chunk) <= 100
        assert len(json.dumps([task.as_dict() for task in chunk])) <= 20_000 + 2 * len(chunk)


def test_a_task_too_big_for_a_request_stands_alone() -> None:
    assert [len(chunk) for chunk in chunks(tasks([10, 5000, 10]), most_bytes=1000)] == [1, 1, 1]


def answers(*items: dict[str, Any]) -> list[str]:
    return list(refusals(BatchCreateTaskCollectionResult({"value": list(items)}).result_values or []))


def item(status: str, code: str = "", text: str = "") -> dict[str, Any]:
    error = {"code": code, "message": {"lang": "en-US", "value": text}}
    return {"status": status, "taskId": "t", **({"error": error} if code else {})}


@pytest.mark.parametrize("status", ["Success", "success"])
def test_success_is_success_in_any_case(status: str) -> None:
    assert answers(item(status)) == []


@pytest.mark.parametrize("status", ["ClientError", "clienterror"])
def test_a_client_error_is_a_refusal_in_any_case(status: str) -> None:
    text = "A value is not valid\nRequestId:1\nTime:2"
    assert answers(item(status, "InvalidPropertyValue", text)) == [
        "t: InvalidPropertyValue A value is not valid"
    ]


def test_our_own_task_and_passing_trouble_are_no_refusals() -> None:
    assert answers(item("ClientError", "TaskExists"), item("ServerError", "InternalError")) == []


def test_signatures_are_blotted_out() -> None:
    text = "https://a/b?sv=1&sig=abc%2Bdef%3D&se=2 and SIG=x"
    assert without_secrets(text) == "https://a/b?sv=1&sig=...&se=2 and SIG=..."


def completed_task(result: str, **info: Any) -> FinishedTask:
    execution = {"retryCount": 0, "requeueCount": 0, "result": result, **info}
    return finished_task(BatchTask({"id": "t", "executionInfo": execution, "nodeInfo": {"nodeId": "n"}}))


@pytest.mark.parametrize("result", ["Success", "success"])
def test_a_task_that_succeeded_is_known_in_any_case(result: str) -> None:
    times = {"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T00:01:30Z"}
    told = completed_task(result, exitCode=0, **times)
    assert (told.task_id, told.succeeded, told.node_id, told.exit_code) == ("t", True, "n", 0)
    assert told.seconds == 90.0


def test_attempts_and_waiting_are_told() -> None:
    info = {"retryCount": 2, "requeueCount": 1, "startTime": "2026-01-01T00:00:30Z"}
    task = BatchTask({"id": "t", "creationTime": "2026-01-01T00:00:00Z", "executionInfo": info})
    told = finished_task(task)
    assert (told.attempts, told.waited, told.seconds) == (4, 30.0, None)


def test_a_task_that_failed_keeps_batchs_reason() -> None:
    failure = {"category": "UserError", "code": "BlobNotFound", "message": "One of the blobs is not found."}
    told = completed_task("failure", failureInfo=failure)
    assert told == FinishedTask("t", False, "n", None, "BlobNotFound: One of the blobs is not found.")


def test_polling_is_quick_at_first_and_rare_later() -> None:
    assert [COUNTS.interval(waited) for waited in (0, 4, 20, 3600)] == [0.2, 0.2, 1.0, 10.0]
    assert Rhythm(1, 2, 1).interval(0) == 1


def test_a_refusal_is_borne_for_some_minutes_and_forgotten_when_azure_lets_us_in() -> None:
    refused, time = HttpResponseError("no"), [0.0]
    refused.status_code = 403
    refusals = Refusals(now=lambda: time[0])
    borne = []
    for time[0] in (0.0, REFUSALS_LAST - 1, REFUSALS_LAST):
        borne.append(refusals.bear(refused))
    assert borne == [True, True, False]
    refusals.over()
    assert refusals.bear(refused)
    refused.status_code = 404
    assert not refusals.bear(refused)


def report(*files: FileReport) -> RunReport:
    return RunReport("test", "id", "/out", files)


def test_the_error_of_a_run_names_files_exit_codes_and_last_words() -> None:
    failed = FileReport("a.txt", "failed", "t", exit_code=3, reason="exit code 3", stderr_tail="one\ntwo\n")
    lost = FileReport("b.txt", "not run", "t", reason="the run ended before its task did")
    text = str(
        TasksFailed(report(failed, lost, FileReport("c", "succeeded", "t")), TimedOut("Time is over."))
    )
    assert text.splitlines() == [
        "2 of 3 files failed.",
        "Time is over.",
        "  (1) a.txt: failed, exit code 3:",
        "      | one",
        "      | two",
        "  (2) b.txt: not run, the run ended before its task did.",
    ]


def test_the_error_of_a_run_with_many_failures_is_cut_short() -> None:
    files = [FileReport(f"{number}", "failed", "t", reason="broken") for number in range(200)]
    lines = str(TasksFailed(report(*files))).splitlines()
    assert len(lines) == 12
    assert lines[-1] == "... and 190 more."
