"""The requests that make the pool of each kind, to the letter, and held against the official description."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.mgmt.batch import models as management

from batch_tasks.create_job import job_options
from batch_tasks.inputs import InputFile
from batch_tasks.naming import RunNames
from batch_tasks.options import PoolOptions
from batch_tasks.plan import RunPlan, plan_tasks
from batch_tasks.pools.auto import auto_pool
from batch_tasks.pools.identity import management_body
from batch_tasks.pools.named import named_pool_options, settings_hash
from batch_tasks.pools.specification import pool_options
from batch_tasks.workload import CONTAINER_HOST, StartTask, Workload
from tests.conformance import sdk_models
from tests.conformance.openapi import Description
from tests.tokens import IDENTITY

GOLDEN = Path(__file__).with_name("golden")
CREATED = datetime(2026, 11, 21, 12, tzinfo=UTC)
WORKLOAD = Workload(
    name="transcode-media",
    command="ffmpeg -i {input} {output}",
    outputs=("{stem}.mp3",),
    start_task=StartTask("apt-get install -y ffmpeg", elevated=True),
)
CONTAINER = Workload(
    name="convert",
    command="convert {input} {output}",
    outputs=("{stem}.png",),
    image=CONTAINER_HOST,
    container_image="registry.example/convert:1",
)
BOTH = {"dedicated_nodes": 2, "spot_nodes": 3, "task_slots_per_node": 2}


def plan(workload: Workload = WORKLOAD) -> RunPlan:
    inputs = [InputFile(f"/in/{number}", f"{number}.mp4", 1) for number in range(20)]
    names = RunNames.of(workload.name, "12345678-1234-5678-1234-567812345678")
    return RunPlan(names, workload, plan_tasks(workload, inputs), CREATED, CREATED + timedelta(hours=24))


def request(name: str) -> tuple[str, dict[str, Any]]:
    """The path and the body of the request that makes a pool."""
    pool = PoolOptions.model_validate(BOTH)
    spot = PoolOptions(dedicated_nodes=0, spot_nodes=4, vm_size="standard_d4ds_v5")
    shared = PoolOptions.model_validate({**BOTH, "kind": "named", "pool_id": "transcoders"})
    auto = PoolOptions.model_validate({**BOTH, "kind": "auto"})
    path = "/jobs" if name == "auto" else "/pools"
    bodies: dict[str, Any] = {
        "ephemeral": lambda: pool_options(plan(), pool),
        "spot-containers": lambda: pool_options(plan(CONTAINER), spot),
        "named": lambda: named_pool_options(plan(), shared, WORKLOAD.image),
        "auto": lambda: job_options(plan(), auto_pool(plan(), auto), CREATED + timedelta(minutes=10)),
    }
    return path, bodies[name]().as_dict()


def managed(name: str) -> dict[str, Any]:
    """The body of the request that makes a pool with an identity."""
    image = replace(CONTAINER, container_image="mine.azurecr.io/convert:1")
    ours = PoolOptions.model_validate({**BOTH, "identity": IDENTITY})
    shared = PoolOptions.model_validate({**BOTH, "kind": "named", "pool_id": "t", "identity": IDENTITY})
    options = {
        "managed-ephemeral": lambda: pool_options(plan(), ours),
        "managed-containers": lambda: pool_options(plan(image), ours),
        "managed-named": lambda: named_pool_options(plan(), shared, WORKLOAD.image),
    }
    return management_body(options[name](), IDENTITY)


MANAGED = ["managed-ephemeral", "managed-containers", "managed-named"]
NAMES = ["ephemeral", "spot-containers", "named", "auto"]


@pytest.mark.parametrize("name", NAMES)
def test_the_request_is_to_the_letter_what_it_was(name: str) -> None:
    _, body = request(name)
    assert body == json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_can_carry_it_says_whose_it_is_and_ends_by_itself(name: str) -> None:
    _, body = request(name)
    pool = body["poolInfo"]["autoPoolSpecification"]["pool"] if name == "auto" else body
    metadata = {item["name"]: item["value"] for item in pool["metadata"]}
    assert metadata["owner"] == "prefect-azure-batch"
    assert metadata["created"] == "2026-11-21T12:00:00Z"
    assert set(metadata) >= ({"settings"} if name == "named" else {"flow_run_id", "expires"})
    assert pool["enableAutoScale"] is True
    assert 'deadline = time("2026-11-22T12:00:00Z");' in pool["autoScaleFormula"]
    assert "$NodeDeallocationOption = taskcompletion;" in pool["autoScaleFormula"]
    if name == "auto":
        assert body["constraints"]["maxWallClockTime"] == "PT23H50M00S"


@pytest.mark.parametrize("name", NAMES)
def test_the_official_description_allows_the_request(name: str) -> None:
    file = os.environ.get("BATCH_OPENAPI")
    if not file:
        pytest.skip("BATCH_OPENAPI names no description")
    path, body = request(name)
    official = Description(Path(file))
    assert official.findings_in_request("POST", path, body) == []
    assert official.findings_in_request("POST", path, {**body, "colour": "red"}) != []
    assert official.findings_in_request("POST", path, {**body, "id": 3}) != []


@pytest.mark.parametrize("name", MANAGED)
def test_a_pool_with_an_identity_is_asked_for_to_the_letter(name: str) -> None:
    assert managed(name) == json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))


@pytest.mark.parametrize("name", MANAGED)
def test_the_official_client_of_the_management_plane_knows_every_member(name: str) -> None:
    body = managed(name)
    assert sdk_models.findings(management.Pool, body) == []
    machine = body["properties"]["deploymentConfiguration"]["virtualMachineConfiguration"]
    machine["colour"] = machine["imageReference"]["colour"] = "red"
    body["properties"]["scaleSettings"]["autoScale"]["formula"] = 3
    assert len(sdk_models.findings(management.Pool, body)) == 3


@pytest.mark.parametrize("name", ["ephemeral", "named"])
def test_a_pool_with_an_identity_has_the_same_bounds(name: str) -> None:
    _, plain = request(name)
    properties = managed(f"managed-{name}")["properties"]
    assert properties["scaleSettings"]["autoScale"] == {
        "formula": plain["autoScaleFormula"],
        "evaluationInterval": plain["autoScaleEvaluationInterval"],
    }
    for same in ("vmSize", "taskSlotsPerNode"):
        assert properties[same] == plain[same]
    assert properties["startTask"]["commandLine"] == plain["startTask"]["commandLine"]
    said = [item for item in plain["metadata"] if item["name"] != "settings"]
    assert [item for item in properties["metadata"] if item["name"] != "settings"] == said


def test_the_identity_is_one_of_the_settings_that_sharing_runs_agree_on() -> None:
    spelled = ["", IDENTITY, IDENTITY.replace("resourceGroups", "resourcegroups"), f"{IDENTITY}2"]
    hashes = [settings_hash(plan(), PoolOptions(identity=one), WORKLOAD.image) for one in spelled]
    assert hashes[1] == hashes[2]
    assert len(set(hashes)) == 3
