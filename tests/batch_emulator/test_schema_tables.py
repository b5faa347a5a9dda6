"""The tables of models against the official client and the official examples."""

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

from batch_emulator.schema import (
    MODELS,
    check,
)
from batch_emulator.schema.enums import ENUMS
from batch_emulator.schema.notation import compile_models


def official(name: str) -> Any:
    """The official client's model; 15.1 keeps a few of them out of its public names."""
    model = getattr(models, name, None) or getattr(models._models, name)
    model({})  # the fields are looked up at the first use
    return model


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
