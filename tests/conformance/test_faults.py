"""Every fault, as a program with the official SDK sees it."""

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.batch import models
from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError, ServiceResponseError

from batch_emulator.faults.kinds import FAULTS
from flows.local_stack.emulator import BatchAccount
from tests.conformance import scene
from tests.conformance.conftest import Batch
from tests.conformance.own_emulator import Control, running

pytestmark = pytest.mark.waits(seconds=7)


@pytest.fixture(scope="module")
def emulator() -> Iterator[BatchAccount]:
    with running("--seed", "1") as account:
        yield account


@pytest.fixture
def control(emulator: BatchAccount) -> Iterator[Control]:
    control = Control(emulator.endpoint)
    yield control
    control.clean()


def refusal(error: pytest.ExceptionInfo[HttpResponseError]) -> tuple[int | None, str | None]:
    assert error.value.error is not None
    return error.value.status_code, error.value.error.code


def task(task_id: str, command: str = "true", **more: Any) -> models.BatchTaskCreateOptions:
    return models.BatchTaskCreateOptions(id=task_id, command_line=command, **more)


@pytest.mark.parametrize(
    ("fault", "members", "status", "code", "retry_after"),
    [
        ("throttled", {}, 429, "TooManyRequests", None),
        ("throttled", {"retry_after": 7}, 429, "TooManyRequests", "7"),
        ("internal_error", {}, 500, "InternalError", None),
        ("server_busy", {"retry_after": 3}, 503, "ServerBusy", "3"),
        ("denied", {}, 403, "InsufficientAccountPermissions", None),
    ],
)
def test_a_request_is_refused_with_the_services_error_and_nothing_is_done(
    batch: Batch,
    control: Control,
    fault: str,
    members: dict[str, float],
    status: int,
    code: str,
    retry_after: str | None,
) -> None:
    control.fault(fault, operation="create_pool", **members)
    with pytest.raises(HttpResponseError) as refused:
        batch.create_pool(scene.pool_options("p"), retry_total=0)
    assert refusal(refused) == (status, code)
    response: Any = refused.value.response
    assert response.headers.get("Retry-After") == retry_after
    assert batch.list_pools() == []


def test_a_fault_for_the_next_requests_is_over_after_them_and_the_sdk_tries_again(
    batch: Batch, control: Control
) -> None:
    number = control.fault("server_busy", retry_after=0, next=2, method="GET", path="/pools")
    assert batch.list_pools() == []
    assert control.struck(number) == 2


def test_an_operation_times_out_after_it_was_carried_out(batch: Batch, control: Control) -> None:
    control.fault("timed_out", operation="create_*")
    with pytest.raises(HttpResponseError) as refused:
        batch.create_pool(scene.pool_options("p"), retry_total=0)
    assert refusal(refused) == (500, "OperationTimedOut")
    assert batch.get_pool("p").id == "p"


@pytest.mark.parametrize("applied", [False, True])
def test_a_connection_breaks_before_or_after_the_operation(
    batch: Batch, control: Control, applied: bool
) -> None:
    control.fault("dropped", method="POST", applied=applied)
    with pytest.raises((ServiceRequestError, ServiceResponseError)):
        batch.create_pool(scene.pool_options("p"), retry_total=0)
    assert [pool.id for pool in batch.list_pools()] == (["p"] if applied else [])


def test_an_answer_that_is_slow_runs_into_the_callers_own_limit(batch: Batch, control: Control) -> None:
    control.fault("slow", seconds=2, operation="get_pool")
    with pytest.raises((ServiceRequestError, ServiceResponseError)):
        batch.get_pool("p", retry_total=0, read_timeout=0.1)


def test_single_tasks_of_a_collection_are_refused_and_the_sdk_sends_them_again(
    batch: Batch, control: Control
) -> None:
    number = control.fault("task_server_error", task="b*", next=2)
    batch.create_job({"id": "j", "poolInfo": {"poolId": "none"}})
    results = batch.create_tasks("j", [task("a"), task("b1"), task("b2")])
    assert sorted(one.task_id for one in results.result_values) == ["a", "b1", "b2"]
    assert control.struck(number) == 2
    assert len(batch.list_tasks("j")) == 3


def test_a_refused_task_can_be_spelled_as_the_other_results_are(batch: Batch, control: Control) -> None:
    control.fault("task_server_error", task="a", status="ServerError")
    batch.create_job({"id": "j", "poolInfo": {"poolId": "none"}})
    group = models.BatchTaskGroup(task_values=[task("a"), task("b")])
    first, second = batch.create_task_collection("j", group).result_values
    assert (first.task_id, first.status, first.error.code) == ("a", "ServerError", "InternalError")
    assert (second.task_id, second.status) == ("b", "Success")


def test_of_a_collection_only_the_first_are_added(batch: Batch, control: Control) -> None:
    control.fault("partial_add", added=2)
    batch.create_job({"id": "j", "poolInfo": {"poolId": "none"}})
    group = models.BatchTaskGroup(task_values=[task("a"), task("b"), task("c")])
    with pytest.raises(HttpResponseError) as refused:
        batch.create_task_collection("j", group, retry_total=0)
    assert refusal(refused) == (500, "OperationTimedOut")
    assert [one.id for one in batch.list_tasks("j")] == ["a", "b"]


def test_a_spot_node_is_preempted_its_task_goes_back_and_the_node_comes_back(
    batch: Batch, control: Control
) -> None:
    options = scene.pool_options("p", target_dedicated_nodes=0, target_low_priority_nodes=1)
    batch.create_pool(options)
    batch.create_job({"id": "j", "poolInfo": {"poolId": "p"}})
    batch.create_task("j", task("t", "sleep 600"))
    scene.wait_for(lambda: batch.get_task("j", "t").state == "running")
    control.fault("preempt", pool="p", next=1)
    scene.wait_for(lambda: [node.state for node in batch.list_nodes("p")] == ["preempted"])
    assert batch.get_task("j", "t").state == "active"
    assert batch.get_pool("p").current_low_priority_nodes == 0


def test_a_preempted_node_is_restored_under_its_id(batch: Batch, control: Control) -> None:
    batch.create_pool(scene.pool_options("p", target_dedicated_nodes=0, target_low_priority_nodes=1))
    scene.wait_for(lambda: [node.state for node in batch.list_nodes("p")] == ["idle"])
    (before,) = batch.list_nodes("p")
    number = control.fault("preempt", restore=0.2, next=1)
    scene.wait_for(lambda: control.struck(number) == 1)
    scene.wait_for(lambda: [node.state for node in batch.list_nodes("p")] == ["idle"])
    (after,) = batch.list_nodes("p")
    assert after.id == before.id
    assert after.last_boot_time > before.last_boot_time


def test_a_node_becomes_unusable_with_an_error(batch: Batch, control: Control) -> None:
    with scene.pool(batch, "p"):
        control.fault("unusable", code="DiskFull", message="No space is left.", next=1)
        scene.wait_for(lambda: [node.state for node in batch.list_nodes("p")] == ["unusable"])
        (node,) = batch.list_nodes("p")
        assert [(error.code, error.message) for error in node.errors] == [("DiskFull", "No space is left.")]


def test_contact_to_a_node_is_lost_for_a_while(batch: Batch, control: Control) -> None:
    with scene.pool(batch, "p"):
        control.fault("contact_lost", next=1, restore=0.3)
        scene.wait_for(lambda: [node.state for node in batch.list_nodes("p")] == ["unknown"])
        scene.wait_for(lambda: [node.state for node in batch.list_nodes("p")] == ["idle"])


def test_a_start_task_exits_with_a_code_and_its_node_takes_no_tasks(batch: Batch, control: Control) -> None:
    control.fault("start_task_exit", pool="p", exit_code=3)
    start_task = models.BatchStartTask(command_line="true", wait_for_success=True)
    batch.create_pool(scene.pool_options("p", start_task=start_task))
    scene.wait_for(lambda: [node.state for node in batch.list_nodes("p")] == ["starttaskfailed"])
    (node,) = batch.list_nodes("p")
    assert node.start_task_info.exit_code == 3
    assert node.start_task_info.failure_info.code == "FailureExitCode"


def test_a_resize_ends_with_an_error_of_a_given_code(batch: Batch, control: Control) -> None:
    control.fault("resize_error", code="AllocationFailed", next=1)
    batch.create_pool(scene.pool_options("p"))
    scene.wait_for(lambda: batch.get_pool("p").allocation_state == "steady")
    pool = batch.get_pool("p")
    assert [error.code for error in pool.resize_errors] == ["AllocationFailed"]
    assert (pool.current_dedicated_nodes, pool.target_dedicated_nodes) == (0, 1)
    batch.begin_resize_pool("p", models.BatchPoolResizeOptions(target_dedicated_nodes=1))
    pool = batch.get_pool("p")
    assert (pool.current_dedicated_nodes, pool.resize_errors) == (1, None)


@pytest.mark.parametrize(
    ("quota", "target", "code"),
    [
        ("dedicated_cores", "target_dedicated_nodes", "AccountCoreQuotaReached"),
        ("low_priority_cores", "target_low_priority_nodes", "AccountLowPriorityCoreQuotaReached"),
    ],
)
@pytest.mark.parametrize("cores", [0, 2])
def test_a_core_quota_leaves_a_pool_with_the_nodes_it_allows(
    batch: Batch, control: Control, quota: str, target: str, code: str, cores: int
) -> None:
    control.fault("quota", **{quota: cores})
    batch.create_pool(scene.pool_options("p", **{"target_dedicated_nodes": 0, target: 3}))
    scene.wait_for(lambda: batch.get_pool("p").allocation_state == "steady")
    assert [error.code for error in batch.get_pool("p").resize_errors] == [code]
    assert len(batch.list_nodes("p")) == cores


def test_quotas_of_pools_and_jobs_refuse_one_more(batch: Batch, control: Control) -> None:
    control.fault("quota", pools=1, jobs=1)
    batch.create_pool(scene.pool_options("p", target_dedicated_nodes=0))
    batch.create_job({"id": "j", "poolInfo": {"poolId": "p"}})
    with pytest.raises(HttpResponseError) as refused:
        batch.create_pool(scene.pool_options("q"))
    assert refusal(refused) == (409, "PoolQuotaReached")
    with pytest.raises(HttpResponseError) as refused:
        batch.create_job({"id": "k", "poolInfo": {"poolId": "p"}})
    assert refusal(refused) == (409, "ActiveJobAndScheduleQuotaReached")


def test_a_quota_is_gone_with_its_fault(batch: Batch, control: Control) -> None:
    number = control.fault("quota", pools=0)
    assert control.ask("DELETE", f"faults/{number}").status_code == 204
    batch.create_pool(scene.pool_options("p", target_dedicated_nodes=0))


def files(sas: str = "") -> list[models.ResourceFile]:
    return [models.ResourceFile(http_url=f"http://127.0.0.1:9/a/b{sas}", file_path="b")]


def outputs(sas: str = "") -> list[models.OutputFile]:
    container = models.OutputFileBlobContainerDestination(container_url=f"http://127.0.0.1:9/a{sas}")
    return [
        models.OutputFile(
            file_pattern="../std*.txt",
            destination=models.OutputFileDestination(container=container),
            upload_options=models.OutputFileUploadConfiguration(upload_condition="taskcompletion"),
        )
    ]


@pytest.mark.parametrize(
    ("fault", "more", "code", "exit_code"),
    [
        ("download_failure", {"resource_files": files()}, "BlobDownloadMiscError", None),
        ("upload_failure", {"output_files": outputs()}, "FileUploadMiscError", 0),
        ("disk_full", {}, "DiskFull", None),
        ("task_exit", {}, "FailureExitCode", 9),
        ("task_killed", {"command_line": "sleep 600"}, "FailureExitCode", 137),
    ],
)
def test_a_run_fails_as_the_fault_says(
    batch: Batch, control: Control, fault: str, more: dict[str, Any], code: str, exit_code: int | None
) -> None:
    members: Any = {"task_exit": {"exit_code": 9}, "task_killed": {"after": 0.2}}.get(fault, {})
    control.fault(fault, job="j", task="t*", **members)
    with scene.pool(batch, "p"):
        batch.create_job({"id": "j", "poolInfo": {"poolId": "p"}})
        options = {"id": "t", "command_line": "true", **more}
        batch.create_task("j", models.BatchTaskCreateOptions(**options))
        info: Any = scene.completed(batch, "j", "t").execution_info
        assert (info.failure_info.code, info.exit_code, info.result) == (code, exit_code, "failure")


def test_a_task_that_is_killed_once_is_tried_again(batch: Batch, control: Control) -> None:
    control.fault("task_killed", after=0, next=1)
    with scene.pool(batch, "p"):
        batch.create_job({"id": "j", "poolInfo": {"poolId": "p"}})
        constraints = models.BatchTaskConstraints(max_task_retry_count=1)
        batch.create_task("j", task("t", "sleep 0.5", constraints=constraints))
        info: Any = scene.completed(batch, "j", "t").execution_info
        assert (info.exit_code, info.retry_count) == (0, 1)


@pytest.mark.keys
def test_signatures_are_too_old_for_an_account_whose_clock_is_ahead(batch: Batch, control: Control) -> None:
    control.fault("clock_skew", of="account", seconds=16 * 60)
    with pytest.raises(HttpResponseError) as refused:
        batch.list_pools()
    assert refusal(refused) == (403, "AuthenticationFailed")


@pytest.mark.parametrize(
    ("member", "code", "exit_code"),
    [("resource_files", "BlobAccessDenied", None), ("output_files", "FileUploadAccessDenied", 0)],
)
def test_sas_are_over_for_a_storage_whose_clock_is_ahead(
    batch: Batch, control: Control, member: str, code: str, exit_code: int | None
) -> None:
    expiry = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    sas = f"?se={expiry:%Y-%m-%dT%H:%M:%SZ}&sig=secret"
    control.fault("clock_skew", seconds=2 * 3600)
    with scene.pool(batch, "p"):
        batch.create_job({"id": "j", "poolInfo": {"poolId": "p"}})
        more: Any = {member: files(sas) if member == "resource_files" else outputs(sas)}
        batch.create_task("j", task("t", **more))
        info: Any = scene.completed(batch, "j", "t").execution_info
        assert (info.failure_info.code, info.exit_code) == (code, exit_code)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"fault": "earthquake"}, "earthquake"),
        ({"fault": "throttled", "colour": "red"}, "colour"),
        ({"fault": "throttled", "next": 0}, "next"),
        ({"fault": "throttled", "next": 1, "every": 2}, "give one of next, every"),
        ({"fault": "throttled", "probability": 2}, "within 0 and 1"),
        ({"fault": "throttled", "operation": "create_pond"}, "create_pond"),
        ({"fault": "slow"}, "seconds"),
        ({"fault": "slow", "seconds": "1"}, "seconds"),
        ({"fault": "dropped", "applied": 1}, "applied"),
        ({"fault": "quota"}, "which quota"),
        ({"fault": "clock_skew", "seconds": 1, "of": "moon"}, "account, storage"),
        ({"faults": [{"fault": "throttled"}, {"fault": "thrttled"}]}, "faults[1]"),
        ([], "object"),
        (None, "object"),
    ],
)
def test_an_unknown_fault_or_member_is_refused_by_name_and_none_is_in_force(
    control: Control, body: object, said: str
) -> None:
    answer = control.ask("POST", "faults", body)
    assert answer.status_code == 400
    assert said in next(one["value"] for one in answer.json()["values"] if one["key"] == "Reason")
    assert control.ask("GET", "faults").json() == {"faults": []}


def test_every_fault_has_its_test() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    named = set(re.findall(r"control\.fault\(\"(\w+)\"", text))
    named |= set(re.findall(r"^        \(\"(\w+)\", \{", text, re.MULTILINE))
    assert named == set(FAULTS)


def test_a_fault_that_strikes_nothing_shows_that(batch: Batch, control: Control) -> None:
    control.fault("internal_error", path="/jobs/*", every=3)
    assert batch.list_pools() == []
    with pytest.raises(AzureError):
        batch.get_job("none")
    (shown,) = control.ask("GET", "faults").json()["faults"]
    assert (shown["seen"], shown["struck"], shown["every"]) == (1, 0, 3)


def test_faults_can_be_in_force_from_the_start(tmp_path: Path) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(
        '[[faults]]\nfault = "throttled"\nretry_after = 1\n\n[[faults]]\nfault = "quota"\npools = 0\n'
    )
    with running("--faults", str(file)) as account:
        one, other = Control(account.endpoint).ask("GET", "faults").json()["faults"]
        assert (one["fault"], one["retry_after"]) == ("throttled", 1.0)
        assert (other["fault"], other["pools"]) == ("quota", 0)
