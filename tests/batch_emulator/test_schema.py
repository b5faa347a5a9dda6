"""Bodies of requests: what is taken, what is refused and how, what is filled in."""

import copy
import json
import os
import re
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import pytest
from azure.batch import models
from azure.batch._utils.model_base import SdkJSONEncoder

from batch_emulator import errors
from batch_emulator.errors import BatchError
from batch_emulator.schema import (
    MODELS,
    check,
    check_in_job,
    check_tasks,
    job_defaults,
    pool_defaults,
    schedule_defaults,
    task_defaults,
)
from batch_emulator.schema.enums import ENUMS
from batch_emulator.schema.notation import compile_models

Document = dict[str, Any]

UBUNTU = {
    "imageReference": {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
    "nodeAgentSKUId": "batch.node.ubuntu 24.04",
}
POOL = {"id": "p", "vmSize": "STANDARD_D1_V2", "virtualMachineConfiguration": UBUNTU}
JOB = {"id": "j", "poolInfo": {"poolId": "p"}}
TASK = {"id": "t", "commandLine": "/bin/true"}
BLOB = "https://a.blob.core.windows.net/c/b?sig=secret"


def refused(model: str, body: Any) -> BatchError:
    with pytest.raises(BatchError) as caught:
        check(model, body)
    return caught.value


def official(name: str) -> Any:
    """The official client's model; 15.1 keeps a few of them out of its public names."""
    model = getattr(models, name, None) or getattr(models._models, name)
    model({})  # the fields are looked up at the first use
    return model


# -- the tables against the official client ---------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_model_has_the_members_of_the_official_client(name: str) -> None:
    fields = official(name)._attr_to_rest_field.values()
    read_only = {field._rest_name for field in fields if field._visibility == ["read"]}
    assert set(MODELS[name].members) == {field._rest_name for field in fields} - read_only
    assert MODELS[name].read_only == read_only


# Required by the description of the service, though not by the client's signature.
STRICTER = {
    ("BatchPoolCreateOptions", "virtualMachineConfiguration"),
    ("BatchPoolSpecification", "virtualMachineConfiguration"),
    ("OutputFileDestination", "container"),
}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_model_requires_what_the_official_client_requires(name: str) -> None:
    hints = official(name).__annotations__
    fields = official(name)._attr_to_rest_field
    required = {
        fields[attribute]._rest_name
        for attribute, hint in hints.items()
        if attribute in fields and type(None) not in get_args(hint)
    }
    ours = {(name, member) for member in MODELS[name].required}
    assert ours - STRICTER == {(name, member) for member in required - MODELS[name].read_only}


@pytest.mark.parametrize("name", sorted(ENUMS))
def test_an_enumeration_has_the_values_of_the_official_client(name: str) -> None:
    theirs: type[Enum] = getattr(models._enums, name)
    assert {value.lower() for value in ENUMS[name].split()} == {
        str(member.value).lower() for member in theirs
    }


OFFICIAL = os.environ.get("BATCH_OPENAPI")
RETIRED = {"certificateReferences", "resourceTags", "targetNodeCommunicationMode"}
MODEL_OF = {
    "JobAdd": "BatchJobCreateOptions",
    "JobDisable": "BatchJobDisableOptions",
    "JobPatch": "BatchJobUpdateOptions",
    "JobUpdate": "BatchJob",
    "JobTerminate": "BatchJobTerminateOptions",
    "JobScheduleAdd": "BatchJobScheduleCreateOptions",
    "JobSchedulePatch": "BatchJobScheduleUpdateOptions",
    "JobScheduleUpdate": "BatchJobSchedule",
    "NodeAddUser": "BatchNodeUserCreateOptions",
    "NodeUpdateUser": "BatchNodeUserReplaceOptions",
    "NodeDeallocate": "BatchNodeDeallocateOptions",
    "NodeDisableScheduling": "BatchNodeDisableSchedulingOptions",
    "NodeReboot": "BatchNodeRebootOptions",
    "NodeReimage": "BatchNodeReimageOptions",
    "NodeUploadBatchServiceLogs": "UploadBatchServiceLogsOptions",
    "PoolAdd": "BatchPoolCreateOptions",
    "PoolEnableAutoscale": "BatchPoolEnableAutoScaleOptions",
    "PoolEvaluateAutoscale": "BatchPoolEvaluateAutoScaleOptions",
    "PoolPatch": "BatchPoolUpdateOptions",
    "PoolRemoveNodes": "BatchNodeRemoveOptions",
    "PoolResize": "BatchPoolResizeOptions",
    "PoolUpdate": "BatchPoolReplaceOptions",
    "TaskAdd": "BatchTaskCreateOptions",
    "TaskAddCollection": "BatchTaskGroup",
    "TaskUpdate": "BatchTask",
}


def without_retired(value: Any) -> Any:
    if isinstance(value, list):
        return [without_retired(item) for item in value]
    if isinstance(value, dict):
        return {name: without_retired(item) for name, item in value.items() if name not in RETIRED}
    return value


@pytest.mark.skipif(not OFFICIAL, reason="BATCH_OPENAPI does not name the official OpenAPI file")
def test_every_official_example_of_a_body_is_taken() -> None:
    taken = set()
    for path in sorted((Path(OFFICIAL or "").parent / "examples").glob("*.json")):
        model = MODEL_OF.get(path.stem.split("_")[0])
        bodies = [p for p in json.loads(path.read_text())["parameters"].values() if isinstance(p, dict)]
        for body in bodies:
            if model is None:
                assert path.stem.startswith("Certificate")
                continue
            check(model, without_retired(body))
            taken.add(model)
    assert taken == set(MODEL_OF.values())


def test_what_the_official_client_sends_is_taken() -> None:
    pool = models.BatchPoolCreateOptions(
        id="p",
        vm_size="standard_d2s_v3",
        virtual_machine_configuration=models.VirtualMachineConfiguration(
            image_reference=models.BatchVmImageReference(publisher="c", offer="o", sku="s"),
            node_agent_sku_id="batch.node.ubuntu 22.04",
            data_disks=[models.DataDisk(logical_unit_number=0, disk_size_gb=50)],
        ),
        resize_timeout=timedelta(minutes=10),
        target_dedicated_nodes=1,
        task_scheduling_policy=models.BatchTaskSchedulingPolicy(node_fill_type=models.BatchNodeFillType.PACK),
        network_configuration=models.NetworkConfiguration(
            endpoint_configuration=models.BatchPoolEndpointConfiguration(
                inbound_nat_pools=[
                    models.BatchInboundNatPool(
                        name="ssh",
                        protocol=models.InboundEndpointProtocol.TCP,
                        backend_port=3389,
                        frontend_port_range_start=15000,
                        frontend_port_range_end=15100,
                    )
                ]
            )
        ),
        mount_configuration=[
            models.MountConfiguration(
                nfs_mount_configuration=models.NfsMountConfiguration(source="s", relative_mount_path="m")
            )
        ],
    )
    taken = check("BatchPoolCreateOptions", json.loads(json.dumps(pool, cls=SdkJSONEncoder)))
    assert taken["resizeTimeout"] == "PT10M"
    assert taken["taskSchedulingPolicy"] == {"nodeFillType": "Pack"}


# -- values --------------------------------------------------------------------------------------------------


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


def pool(**changes: Any) -> tuple[str, Document]:
    return "BatchPoolCreateOptions", {**POOL, **changes}


def machines(**changes: Any) -> tuple[str, Document]:
    return pool(virtualMachineConfiguration={**UBUNTU, **changes})


def job(**changes: Any) -> tuple[str, Document]:
    return "BatchJobCreateOptions", {**JOB, **changes}


def task(**changes: Any) -> tuple[str, Document]:
    return "BatchTaskCreateOptions", {**TASK, **changes}


def schedule(**times: Any) -> tuple[str, Document]:
    return "BatchJobScheduleUpdateOptions", {"schedule": times}


def nat(**changes: Any) -> tuple[str, Document]:
    ports = {"backendPort": 80, "frontendPortRangeStart": 1000, "frontendPortRangeEnd": 1100}
    endpoint = {"name": "web", "protocol": "TCP", **ports, **changes}
    return pool(networkConfiguration={"endpointConfiguration": {"inboundNATPools": [endpoint]}})


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


# -- collections ---------------------------------------------------------------------------------------------


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


# -- a task and its job --------------------------------------------------------------------------------------

TERMINATE = {"exitConditions": {"exitCodes": [{"code": 1, "exitOptions": {"jobAction": "terminate"}}]}}
NONE = {"exitConditions": {"default": {"jobAction": "none", "dependencyAction": "satisfy"}}}


@pytest.mark.parametrize(
    ("changes", "job_changes", "code"),
    [
        ({}, {}, None),
        (TERMINATE, {}, "InvalidPropertyValue"),
        ({"exitConditions": {"fileUploadError": {"jobAction": "disable"}}}, {}, "InvalidPropertyValue"),
        (TERMINATE, {"onTaskFailure": "performexitoptionsjobaction"}, None),
        (NONE, {}, None),
        ({"dependsOn": {"taskIds": ["a"]}}, {}, "UnsupportedProperty"),
        ({"dependsOn": {"taskIds": ["a"]}}, {"usesTaskDependencies": True}, None),
        ({"id": "JobPreparation"}, {}, None),
        (
            {"id": "JobPreparation"},
            {"jobPreparationTask": {"commandLine": "x"}},
            "TaskIdSameAsJobPreparationTask",
        ),
        (
            {"id": "clean"},
            {
                "jobPreparationTask": {"commandLine": "x"},
                "jobReleaseTask": {"commandLine": "x", "id": "Clean"},
            },
            "TaskIdSameAsJobReleaseTask",
        ),
    ],
)
def test_a_task_must_fit_its_job(changes: Document, job_changes: Document, code: str | None) -> None:
    given = check(*task(**changes))
    its_job = job_defaults(check(*job(**job_changes)))
    if code is None:
        check_in_job(given, its_job)
    else:
        with pytest.raises(BatchError) as caught:
            check_in_job(given, its_job)
        assert caught.value.code == code


# -- defaults ------------------------------------------------------------------------------------------------

ORDINARY = {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}}
UNLIMITED = "P10675199DT2H48M5.4775807S"


def test_a_pool_gets_the_recorded_defaults() -> None:
    checked = check(*pool(targetDedicatedNodes=1))
    before = copy.deepcopy(checked)
    assert pool_defaults(checked) == {
        "id": "p",
        "vmSize": "standard_d1_v2",
        "resizeTimeout": "PT15M",
        "targetDedicatedNodes": 1,
        "targetLowPriorityNodes": 0,
        "enableAutoScale": False,
        "enableInterNodeCommunication": False,
        "taskSlotsPerNode": 1,
        "taskSchedulingPolicy": {"nodeFillType": "Spread"},
        "virtualMachineConfiguration": {
            "imageReference": {
                "publisher": "Canonical",
                "offer": "ubuntu-24_04-lts",
                "sku": "server",
                "version": "latest",
            },
            "nodeAgentSKUId": "batch.node.ubuntu 24.04",
        },
    }
    assert checked == before


def test_a_start_task_runs_once_as_an_ordinary_user_and_is_waited_for() -> None:
    filled = pool_defaults(check(*pool(startTask={"commandLine": "x"})))
    assert filled["startTask"] == {
        "commandLine": "x",
        "userIdentity": ORDINARY,
        "maxTaskRetryCount": 0,
        "waitForSuccess": True,
    }


def test_an_autoscaled_pool_is_evaluated_every_fifteen_minutes() -> None:
    filled = pool_defaults(check(*pool(enableAutoScale=True, autoScaleFormula="x")))
    assert filled["autoScaleEvaluationInterval"] == "PT15M"


def test_a_job_gets_the_recorded_defaults() -> None:
    assert job_defaults(check(*job())) == {
        "id": "j",
        "priority": 0,
        "maxParallelTasks": -1,
        "usesTaskDependencies": False,
        "allowTaskPreemption": False,
        "constraints": {"maxWallClockTime": UNLIMITED, "maxTaskRetryCount": 0},
        "poolInfo": {"poolId": "p"},
        "onAllTasksComplete": "noaction",
        "onTaskFailure": "noaction",
    }


def test_the_tasks_of_a_job_get_the_documented_defaults() -> None:
    command = {"commandLine": "x"}
    filled = job_defaults(
        check(
            *job(
                jobManagerTask={"id": "m", **command},
                jobPreparationTask=command,
                jobReleaseTask=command,
                poolInfo={"autoPoolSpecification": {"poolLifetimeOption": "job"}},
            )
        )
    )
    constraints = {"maxWallClockTime": UNLIMITED, "retentionTime": "P7D", "maxTaskRetryCount": 0}
    assert filled["jobManagerTask"] == {
        "id": "m",
        "commandLine": "x",
        "requiredSlots": 1,
        "killJobOnCompletion": True,
        "runExclusive": True,
        "allowLowPriorityNode": True,
        "userIdentity": ORDINARY,
        "constraints": constraints,
    }
    assert filled["jobPreparationTask"] == {
        "id": "jobpreparation",
        "commandLine": "x",
        "waitForSuccess": True,
        "rerunOnNodeRebootAfterSuccess": True,
        "userIdentity": ORDINARY,
        "constraints": constraints,
    }
    assert filled["jobReleaseTask"] == {
        "id": "jobrelease",
        "commandLine": "x",
        "maxWallClockTime": "PT15M",
        "retentionTime": "P7D",
        "userIdentity": ORDINARY,
    }
    assert filled["poolInfo"]["autoPoolSpecification"]["keepAlive"] is False


def test_a_task_gets_the_recorded_defaults_and_its_jobs_retries() -> None:
    its_job = job_defaults(check(*job(constraints={"maxTaskRetryCount": 2})))
    assert task_defaults(check(*task()), its_job) == {
        "id": "t",
        "commandLine": "/bin/true",
        "userIdentity": ORDINARY,
        "constraints": {"maxWallClockTime": UNLIMITED, "retentionTime": "P7D", "maxTaskRetryCount": 2},
        "requiredSlots": 1,
    }
    own = task_defaults(check(*task(constraints={"maxTaskRetryCount": 0, "retentionTime": "PT1H"})), its_job)
    assert own["constraints"] == {
        "maxWallClockTime": UNLIMITED,
        "retentionTime": "PT1H",
        "maxTaskRetryCount": 0,
    }


def test_an_identity_is_completed_but_not_replaced() -> None:
    its_job = job_defaults(JOB)
    admin = task(userIdentity={"autoUser": {"elevationLevel": "admin"}})
    assert task_defaults(check(*admin), its_job)["userIdentity"] == {
        "autoUser": {"scope": "pool", "elevationLevel": "admin"}
    }
    named = task(userIdentity={"username": "u"})
    assert task_defaults(check(*named), its_job)["userIdentity"] == {"username": "u"}


def test_a_multi_instance_task_has_one_instance_by_default() -> None:
    several = task(multiInstanceSettings={"coordinationCommandLine": "x"})
    filled = task_defaults(check(*several), job_defaults(JOB))
    assert filled["multiInstanceSettings"]["numberOfInstances"] == 1


def test_the_job_specification_of_a_schedule_gets_the_defaults_of_a_job() -> None:
    body = {"id": "s", "schedule": {}, "jobSpecification": {"poolInfo": {"poolId": "p"}}}
    filled = schedule_defaults(check("BatchJobScheduleCreateOptions", body))
    assert filled["jobSpecification"] == {k: v for k, v in job_defaults(JOB).items() if k != "id"}


# -- the notation --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("a:nothing", "no type 'nothing'"),
        ("a", "not in the notation"),
        ("a!:str", "not in the notation"),
        ("a:int(1..", "not in the notation"),
    ],
)
def test_a_mistake_in_a_table_is_found_when_it_is_compiled(table: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        compile_models({"M": table}, {}, {})
