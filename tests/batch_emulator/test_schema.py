"""Bodies of requests: what is taken, what is refused and how."""

import copy
import json
import re
from typing import Any

import pytest

from batch_emulator import errors
from batch_emulator.errors import BatchError
from batch_emulator.schema import (
    check,
    check_tasks,
)
from tests.batch_emulator.bodies import (
    BLOB,
    JOB,
    POOL,
    TASK,
    UBUNTU,
    Document,
    job,
    machines,
    nat,
    pool,
    schedule,
    task,
)


def refused(model: str, body: Any) -> BatchError:
    with pytest.raises(BatchError) as caught:
        check(model, body)
    return caught.value


def test_values_are_kept_in_the_services_form() -> None:
    body = {
        **POOL,
        "displayName": None,
        "resizeTimeout": "PT10M00S",
        "targetDedicatedNodes": "3",
        "taskSchedulingPolicy": {"nodeFillType": "SPREAD"},
        "odata.metadata": "ignored",
    }
    before = copy.deepcopy(body)
    assert check("BatchPoolCreateOptions", body) == {
        **POOL,
        "resizeTimeout": "PT10M",
        "targetDedicatedNodes": 3,
        "taskSchedulingPolicy": {"nodeFillType": "Spread"},
    }
    assert body == before


def test_the_unlimited_duration_and_times_are_kept_in_one_form() -> None:
    body = {**JOB, "constraints": {"maxWallClockTime": "P10675199DT2H48M5.47758S"}}
    kept = check("BatchJobCreateOptions", body)
    assert kept["constraints"] == {"maxWallClockTime": "P10675199DT2H48M5.4775807S"}
    schedule = {"schedule": {"doNotRunUntil": "2025-01-01T12:30:00.000+00:00"}}
    kept = check("BatchJobScheduleUpdateOptions", schedule)
    assert kept == {"schedule": {"doNotRunUntil": "2025-01-01T12:30:00Z"}}


def test_read_only_members_of_a_whole_job_are_dropped() -> None:
    body = {**JOB, "state": "active", "url": 3, "onTaskFailure": "anything", "priority": 5}
    assert check("BatchJob", body) == {"poolInfo": {"poolId": "p"}, "priority": 5}


@pytest.mark.parametrize(
    ("model", "body", "reason"),
    [
        ("BatchPoolCreateOptions", [], "an object is expected."),
        ("BatchPoolCreateOptions", None, "an object is expected."),
        (
            "BatchPoolCreateOptions",
            {**POOL, "vmsize": "x"},
            "'vmsize' does not exist on BatchPoolCreateOptions",
        ),
        ("BatchPoolCreateOptions", {**POOL, "vmSize": 3}, "vmSize: a string is expected."),
        ("BatchPoolCreateOptions", {**POOL, "targetDedicatedNodes": 1.5}, "an integer is expected."),
        ("BatchPoolCreateOptions", {**POOL, "targetDedicatedNodes": True}, "an integer is expected."),
        ("BatchPoolCreateOptions", {**POOL, "targetDedicatedNodes": "many"}, "an integer is expected."),
        ("BatchPoolCreateOptions", {**POOL, "enableAutoScale": "true"}, "true or false is expected."),
        ("BatchPoolCreateOptions", {**POOL, "metadata": {}}, "metadata: a list is expected."),
        (
            "BatchTaskCreateOptions",
            {**TASK, "resourceFiles": [None]},
            "resourceFiles[0]: an object is expected.",
        ),
        (
            "BatchTaskCreateOptions",
            {**TASK, "commandLine": "\ud800"},
            "commandLine: half of a surrogate pair",
        ),
        ("BatchTaskCreateOptions", {**TASK, "\ud800": 1}, "'\\ud800' does not exist"),
    ],
)
def test_what_does_not_parse_as_the_model_is_no_body(model: str, body: Any, reason: str) -> None:
    error = refused(model, body)
    assert isinstance(error, errors.InvalidRequestBody)
    assert list(error.values) == ["Reason"]
    assert reason in error.values["Reason"]
    json.dumps(error.values, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("model", "body", "name"),
    [
        ("BatchPoolCreateOptions", {"id": "p", "virtualMachineConfiguration": UBUNTU}, "vmSize"),
        ("BatchPoolCreateOptions", {**POOL, "vmSize": None}, "vmSize"),
        ("BatchPoolCreateOptions", {"id": "p", "vmSize": "x"}, "virtualMachineConfiguration"),
        ("BatchPoolCreateOptions", {**POOL, "enableAutoScale": True}, "autoScaleFormula"),
        ("BatchPoolResizeOptions", {}, "targetDedicatedNodes and/or targetLowPriorityNodes"),
        ("BatchJobCreateOptions", {"id": "j"}, "poolInfo"),
        ("BatchJobCreateOptions", {"id": "j", "poolInfo": {}}, "poolId or autoPoolSpecification"),
        ("BatchJobDisableOptions", {}, "disableTasks"),
        ("BatchTaskCreateOptions", {"id": "t"}, "commandLine"),
        ("BatchTaskCreateOptions", {**TASK, "resourceFiles": [{"httpUrl": BLOB}]}, "filePath"),
        (
            "BatchTaskCreateOptions",
            {**TASK, "resourceFiles": [{}]},
            "httpUrl, storageContainerUrl or autoStorageContainerName",
        ),
        (
            "BatchPoolCreateOptions",
            {**POOL, "userAccounts": [{"name": "u", "password": "p", "linuxUserConfiguration": {"uid": 1}}]},
            "gid",
        ),
    ],
)
def test_what_is_missing_is_named(model: str, body: Any, name: str) -> None:
    error = refused(model, body)
    assert isinstance(error, errors.MissingRequiredProperty)
    assert error.values["PropertyName"] == name


SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/test/providers"


@pytest.mark.parametrize(
    ("request_body", "path"),
    [
        (pool(id="a b"), "id"),
        (pool(id="x" * 65), "id"),
        (pool(id=""), "id"),
        (pool(id="é"), "id"),
        (pool(displayName="x" * 1025), "displayName"),
        (pool(resizeTimeout="PT4M59S"), "resizeTimeout"),
        (pool(resizeTimeout="5 minutes"), "resizeTimeout"),
        (pool(targetDedicatedNodes=-1), "targetDedicatedNodes"),
        (pool(targetDedicatedNodes=2**31), "targetDedicatedNodes"),
        (pool(taskSlotsPerNode=0), "taskSlotsPerNode"),
        (pool(taskSlotsPerNode=257), "taskSlotsPerNode"),
        (pool(vmSize="standard_d2s_v3", taskSlotsPerNode=9), "taskSlotsPerNode"),
        (pool(vmSize="STANDARD_D1_v2", taskSlotsPerNode=5), "taskSlotsPerNode"),
        (
            job(
                poolInfo={
                    "autoPoolSpecification": {
                        "poolLifetimeOption": "job",
                        "pool": {
                            "vmSize": "standard_d2s_v3",
                            "virtualMachineConfiguration": UBUNTU,
                            "taskSlotsPerNode": 9,
                        },
                    }
                }
            ),
            "poolInfo.autoPoolSpecification.pool.taskSlotsPerNode",
        ),
        (pool(taskSchedulingPolicy={"nodeFillType": "best"}), "taskSchedulingPolicy.nodeFillType"),
        (pool(enableAutoScale=True, autoScaleFormula="x", targetDedicatedNodes=1), "targetDedicatedNodes"),
        (
            pool(enableAutoScale=True, autoScaleFormula="x", autoScaleEvaluationInterval="PT4M"),
            "autoScaleEvaluationInterval",
        ),
        (
            pool(enableAutoScale=True, autoScaleFormula="x", autoScaleEvaluationInterval="P7DT1S"),
            "autoScaleEvaluationInterval",
        ),
        (pool(autoScaleFormula="$TargetDedicatedNodes=1"), "autoScaleFormula"),
        (pool(applicationPackageReferences=[{"applicationId": "a"}] * 11), "applicationPackageReferences"),
        (
            pool(
                networkConfiguration={
                    "subnetId": f"{SUBSCRIPTION}/Microsoft.Network/virtualNetworks/v/subnets/s"
                }
            ),
            "networkConfiguration.subnetId",
        ),
        (pool(networkConfiguration={"subnetId": "s"}), "networkConfiguration.subnetId"),
        (
            machines(
                imageReference={
                    "virtualMachineImageId": f"{SUBSCRIPTION}/Microsoft.Compute/gallery/g/images/i/versions/v"
                }
            ),
            "virtualMachineConfiguration.imageReference.virtualMachineImageId",
        ),
        (
            machines(imageReference={**UBUNTU["imageReference"], "sharedGalleryImageId": "x"}),  # type: ignore[dict-item]
            "virtualMachineConfiguration.imageReference.sharedGalleryImageId",
        ),
        (machines(dataDisks=[{"lun": 64, "diskSizeGB": 1}]), "virtualMachineConfiguration.dataDisks[0].lun"),
        (nat(backendPort=29877), "inboundNATPools[0].backendPort"),
        (nat(frontendPortRangeEnd=1038), "inboundNATPools[0].frontendPortRangeEnd"),
        (nat(frontendPortRangeStart=49990, frontendPortRangeEnd=50050), "frontendPortRangeStart"),
        (nat(name=".x"), "inboundNATPools[0].name"),
        (job(priority=1001), "priority"),
        (job(maxParallelTasks=0), "maxParallelTasks"),
        (job(maxParallelTasks=-2), "maxParallelTasks"),
        (job(constraints={"maxTaskRetryCount": -2}), "constraints.maxTaskRetryCount"),
        (job(constraints={"maxWallClockTime": "-PT1S"}), "constraints.maxWallClockTime"),
        (job(poolInfo={"poolId": "p", "autoPoolSpecification": {"poolLifetimeOption": "job"}}), "poolInfo"),
        (job(jobReleaseTask={"commandLine": "x"}), "jobReleaseTask"),
        (
            job(
                jobPreparationTask={"commandLine": "x"},
                jobReleaseTask={"commandLine": "x", "maxWallClockTime": "PT16M"},
            ),
            "jobReleaseTask.maxWallClockTime",
        ),
        (schedule(recurrenceInterval="PT59S"), "schedule.recurrenceInterval"),
        (schedule(startWindow="PT2H", recurrenceInterval="PT1H"), "schedule.startWindow"),
        (schedule(doNotRunUntil="2025-01-02", doNotRunAfter="2025-01-01"), "schedule.doNotRunAfter"),
        (schedule(doNotRunUntil="soon"), "schedule.doNotRunUntil"),
        (task(commandLine="x" * 32769), "commandLine"),
        (task(commandLine="  "), "commandLine"),
        (task(commandLine="a\0b"), "commandLine"),
        (task(requiredSlots=0), "requiredSlots"),
        (task(userIdentity={"username": "u", "autoUser": {}}), "userIdentity.autoUser"),
        (task(environmentSettings=[{"name": "A=B"}]), "environmentSettings[0].name"),
        (task(environmentSettings=[{"name": "", "value": "x"}]), "environmentSettings[0].name"),
        (task(dependsOn={"taskIdRanges": [{"start": 2, "end": 1}]}), "dependsOn.taskIdRanges[0].end"),
        (
            task(exitConditions={"exitCodes": [{"code": 1, "exitOptions": {"jobAction": "stop"}}]}),
            "exitConditions.exitCodes[0].exitOptions.jobAction",
        ),
        (task(resourceFiles=[{"httpUrl": "ftp://x", "filePath": "x"}]), "resourceFiles[0].httpUrl"),
        (
            task(resourceFiles=[{"httpUrl": BLOB, "storageContainerUrl": BLOB, "filePath": "x"}]),
            "resourceFiles[0].storageContainerUrl",
        ),
        (
            task(resourceFiles=[{"httpUrl": BLOB, "filePath": "x", "blobPrefix": "p"}]),
            "resourceFiles[0].blobPrefix",
        ),
        (task(resourceFiles=[{"httpUrl": BLOB, "filePath": "../x"}]), "resourceFiles[0].filePath"),
        (task(resourceFiles=[{"httpUrl": BLOB, "filePath": "/etc/x"}]), "resourceFiles[0].filePath"),
        (
            task(resourceFiles=[{"storageContainerUrl": BLOB, "filePath": "a/../.."}]),
            "resourceFiles[0].filePath",
        ),
        (
            task(resourceFiles=[{"httpUrl": BLOB, "filePath": "x", "fileMode": "rwx"}]),
            "resourceFiles[0].fileMode",
        ),
        (("BatchNodeRemoveOptions", {"nodeList": []}), "nodeList"),
        (("BatchNodeRemoveOptions", {"nodeList": ["n"] * 101}), "nodeList"),
        (("BatchTaskGroup", {"value": [TASK] * 101}), "value"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_value_that_cannot_be_is_refused_with_its_place(
    request_body: tuple[str, Document], path: str
) -> None:
    error = refused(*request_body)
    assert isinstance(error, errors.InvalidPropertyValue)
    assert list(error.values) == ["PropertyName", "PropertyValue", "Reason"]
    where, _, reason = error.values["Reason"].partition(": ")
    assert path in where
    assert error.values["PropertyName"] == re.split(r"[.]|\[\d+\]", where)[-1]
    assert reason


@pytest.mark.parametrize(
    "request_body",
    [
        pool(id="A-b_9" + "x" * 59),
        pool(targetDedicatedNodes=0, targetLowPriorityNodes=0, enableAutoScale=False),
        pool(enableAutoScale=True, autoScaleFormula="x", autoScaleEvaluationInterval="PT168H"),
        machines(
            imageReference={
                "virtualMachineImageId": "/subscriptions/1/resourceGroups/g/providers/Microsoft.Compute"
                "/galleries/g/images/i/versions/1.0.0"
            }
        ),
        nat(frontendPortRangeEnd=1039),
        job(priority=-1000, maxParallelTasks=-1),
        job(poolInfo={"autoPoolSpecification": {"poolLifetimeOption": "Job", "autoPoolIdPrefix": "x" * 20}}),
        schedule(startWindow="PT1H", recurrenceInterval="PT1H"),
        pool(vmSize="standard_d2s_v3", taskSlotsPerNode=8),
        pool(vmSize="standard_m128s", taskSlotsPerNode=256),
        pool(vmSize="a_size_of_tomorrow", taskSlotsPerNode=256),
        task(commandLine="x" * 32768),
        task(environmentSettings=[{"name": "EMPTY", "value": ""}, {"name": "NONE"}]),
        task(resourceFiles=[{"storageContainerUrl": BLOB}]),
        task(resourceFiles=[{"autoStorageContainerName": "c", "filePath": "a/../b", "blobPrefix": "p/"}]),
        task(resourceFiles=[{"httpUrl": BLOB, "filePath": "..hidden/naïve name.txt", "fileMode": "0755"}]),
        task(userIdentity={"autoUser": {"scope": "Task", "elevationLevel": "Admin"}}),
    ],
)
def test_values_at_the_edge_are_taken(request_body: tuple[str, Document]) -> None:
    assert check(*request_body)


def test_a_few_flaws_have_codes_of_their_own() -> None:
    ids = {"taskIds": [f"{n:064}" for n in range(1001)]}
    assert refused(*task(dependsOn=ids)).code == "TaskDependencyListTooLong"
    long = {"autoScaleFormula": "x" * 8193}
    assert refused("BatchPoolEvaluateAutoScaleOptions", long).code == "AutoScaleFormulaTooLong"
    assert refused(*job(metadata=[{"name": "", "value": "x"}])).code == "EmptyMetadataKey"


@pytest.mark.parametrize(
    "request_body",
    [
        task(resourceFiles=[{"httpUrl": "a?sig=secret", "filePath": "x"}]),
        task(resourceFiles=[{"httpUrl": BLOB, "storageContainerUrl": BLOB, "filePath": "x"}]),
        task(environmentSettings=[{"name": "A", "value": "secret\0"}]),
        pool(userAccounts=[{"name": "u", "password": "secret\0"}]),
    ],
)
def test_no_message_repeats_a_secret(request_body: tuple[str, Document]) -> None:
    error = refused(*request_body)
    assert "secret" not in f"{error!r} {error.values}"


def test_a_long_value_is_shown_in_part() -> None:
    shown = refused(*task(commandLine="x" * 40000)).values["PropertyValue"]
    assert shown.endswith("...")
    assert len(shown) < 300


def test_a_task_of_a_collection_is_refused_alone() -> None:
    good, bad, last = check_tasks({"value": [TASK, {**TASK, "id": "a b"}, {**TASK, "id": "c"}]})
    assert good == TASK
    assert isinstance(bad, errors.InvalidPropertyValue)
    assert last == {**TASK, "id": "c"}


def test_an_empty_collection_has_no_tasks() -> None:
    assert check_tasks({"value": []}) == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (None, "InvalidRequestBody"),
        ({}, "MissingRequiredProperty"),
        ({"value": None}, "MissingRequiredProperty"),
        ({"value": {}}, "InvalidRequestBody"),
        ({"value": [TASK], "more": 1}, "InvalidRequestBody"),
        ({"value": [TASK, None]}, "InvalidRequestBody"),
        ({"value": [TASK, {"commandLine": "x"}]}, "MissingRequiredProperty"),
        ({"value": [TASK, {**TASK, "comandLine": "x"}]}, "InvalidRequestBody"),
        ({"value": [TASK] * 101}, "InvalidPropertyValue"),
    ],
)
def test_a_collection_that_is_malformed_is_refused_as_a_whole(body: Any, code: str) -> None:
    with pytest.raises(BatchError) as caught:
        check_tasks(body)
    assert caught.value.code == code
