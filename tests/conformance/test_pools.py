"""The official SDK on pools and nodes."""

import datetime as dt
from collections.abc import Callable

import pytest
from azure.batch import models
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

from tests.conformance import scene
from tests.conformance.conftest import Batch
from tests.conformance.recorder import Recorder

Unique = Callable[[str], str]


def test_a_pool_is_created_shown_listed_and_deleted(batch: Batch, recorder: Recorder, unique: Unique) -> None:
    pool_id = unique("Pool")
    batch.create_pool(scene.pool_options(pool_id, target_dedicated_nodes=2))
    created = recorder.last
    assert created.status == 201
    assert created.body is None
    assert created.headers["location"] == created.headers["dataserviceid"]
    assert created.headers["etag"].startswith("0x")

    pool = batch.get_pool(pool_id)
    assert pool.id == pool_id
    assert pool.vm_size == "standard_d1_v2"
    assert pool.etag == created.headers["etag"]
    assert pool.task_slots_per_node == 1
    assert pool.resize_timeout == dt.timedelta(minutes=15)
    assert pool.resize_errors is None
    assert pool.virtual_machine_configuration.image_reference.publisher == "Canonical"
    assert batch.pool_exists(pool_id) is True
    assert pool_id in [one.id for one in batch.list_pools()]

    scene.wait_for(lambda: batch.get_pool(pool_id).allocation_state == "steady")
    nodes = batch.list_nodes(pool_id)
    assert len(nodes) == batch.get_pool(pool_id).current_dedicated_nodes == 2
    assert all(node.is_dedicated and node.affinity_id == f"TVM:{node.id}" for node in nodes)
    assert batch.get_node(pool_id, nodes[0].id).id == nodes[0].id

    assert batch.begin_delete_pool(pool_id) == "Succeeded"
    with pytest.raises(ResourceNotFoundError, match="PoolNotFound"):
        batch.get_pool(pool_id)
    with pytest.raises(ResourceNotFoundError):
        batch.pool_exists(pool_id)


def test_a_second_pool_of_the_same_id_is_refused_in_any_case(batch: Batch, unique: Unique) -> None:
    refusal = r"\(PoolExists\) The specified pool already exists\."
    with (
        scene.pool(batch, unique("pool"), target_dedicated_nodes=0) as pool_id,
        pytest.raises(ResourceExistsError, match=refusal),
    ):
        batch.create_pool(scene.pool_options(pool_id.upper()))


def test_a_pool_is_resized_up_and_down(batch: Batch, unique: Unique) -> None:
    with scene.pool(batch, unique("pool")) as pool_id:
        for wanted in (3, 0):
            options = models.BatchPoolResizeOptions(target_dedicated_nodes=wanted)
            assert batch.begin_resize_pool(pool_id, options) == "Succeeded"
            scene.wait_for(lambda wanted=wanted: len(batch.list_nodes(pool_id)) == wanted)  # type: ignore[misc]
            assert batch.get_pool(pool_id).target_dedicated_nodes == wanted


def test_lists_come_in_pages_and_reduced_to_what_was_selected(batch: Batch, unique: Unique) -> None:
    prefix = unique("paged")
    ids = [f"{prefix}-{number}" for number in range(5)]
    for pool_id in ids:
        batch.create_pool(scene.pool_options(pool_id, target_dedicated_nodes=0))
    found = batch.list_pools(max_results=2, filter=f"startswith(id,'{prefix}')", select=["id,state"])
    assert [pool.id for pool in found] == ids
    assert {name for pool in found for name in pool.as_dict()} == {"id", "state"}
    for pool_id in ids:
        batch.begin_delete_pool(pool_id)


def test_a_wrong_filter_is_refused_and_says_what_is_wrong(batch: Batch) -> None:
    with pytest.raises(HttpResponseError, match="InvalidQueryParameterValue") as refused:
        batch.list_pools(filter="colour eq 'red'")
    assert refused.value.status_code == 400


def test_conditions_on_the_etag_are_held_against_the_pool(batch: Batch, unique: Unique) -> None:
    with scene.pool(batch, unique("pool"), target_dedicated_nodes=0) as pool_id:
        etag = batch.get_pool(pool_id).etag
        same = {"etag": etag, "match_condition": MatchConditions.IfNotModified}
        assert batch.get_pool(pool_id, **same).id == pool_id
        with pytest.raises(ResourceModifiedError):
            batch.get_pool(pool_id, etag=etag, match_condition=MatchConditions.IfModified)
        with pytest.raises(ResourceModifiedError):
            batch.begin_delete_pool(pool_id, etag="0x1", match_condition=MatchConditions.IfNotModified)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"id": "no blanks"}, "InvalidPropertyValue"),
        ({"resize_timeout": dt.timedelta(minutes=1)}, "InvalidPropertyValue"),
        ({"task_slots_per_node": 300}, "InvalidPropertyValue"),
        ({"target_dedicated_nodes": -1}, "InvalidPropertyValue"),
        (
            {"enable_auto_scale": True, "target_dedicated_nodes": None},
            "MissingRequiredProperty|InvalidPropertyValue",
        ),
    ],
)
def test_values_that_the_service_refuses_are_refused(
    batch: Batch, unique: Unique, changes: dict[str, object], code: str
) -> None:
    options = scene.pool_options(unique("pool"))
    for name, value in changes.items():
        setattr(options, name, value)
    with pytest.raises(HttpResponseError, match=code) as refused:
        batch.create_pool(options)
    assert refused.value.status_code == 400


def test_a_formula_sets_the_size_at_once_and_tells_what_it_gave(batch: Batch, unique: Unique) -> None:
    formula = (
        "$TargetDedicatedNodes = 2; $TargetLowPriorityNodes = 1; $NodeDeallocationOption = taskcompletion;"
    )
    options = scene.pool_options(
        unique("pool"), enable_auto_scale=True, auto_scale_formula=formula, target_dedicated_nodes=None
    )
    batch.create_pool(options)
    scene.wait_for(lambda: len(batch.list_nodes(options.id)) == 3)
    run = batch.get_pool(options.id).auto_scale_run
    assert run.results.startswith("$TargetDedicatedNodes=2;$TargetLowPriorityNodes=1;")
    assert run.error is None
    batch.begin_delete_pool(options.id)


def test_a_formula_that_is_none_creates_no_pool(batch: Batch, unique: Unique) -> None:
    options = scene.pool_options(
        unique("pool"),
        enable_auto_scale=True,
        auto_scale_formula="$TargetDedicatedNodes = ",
        target_dedicated_nodes=None,
    )
    with pytest.raises(HttpResponseError, match="AutoScalingFormulaSyntaxError"):
        batch.create_pool(options)
    with pytest.raises(ResourceNotFoundError):
        batch.get_pool(options.id)


def test_a_start_task_prepares_the_node_before_it_is_idle(batch: Batch, unique: Unique) -> None:
    start = models.BatchStartTask(command_line="/bin/sh -c 'echo ready > $AZ_BATCH_NODE_SHARED_DIR/ready'")
    with scene.pool(batch, unique("pool"), start_task=start) as pool_id:
        [node] = batch.list_nodes(pool_id)
        info = node.start_task_info
        assert (info.state, info.exit_code, info.result, info.retry_count) == ("completed", 0, "success", 0)


def test_a_start_task_that_fails_gives_the_node_up(batch: Batch, unique: Unique) -> None:
    start = models.BatchStartTask(
        command_line="/bin/sh -c 'exit 9'", max_task_retry_count=1, wait_for_success=True
    )
    options = scene.pool_options(unique("pool"), start_task=start)
    batch.create_pool(options)
    scene.wait_for(lambda: [node.state for node in batch.list_nodes(options.id)] == ["starttaskfailed"])
    [node] = batch.list_nodes(options.id, filter="state eq 'starttaskfailed'")
    assert (node.start_task_info.exit_code, node.start_task_info.retry_count) == (9, 1)
    assert node.start_task_info.failure_info.code == "FailureExitCode"
    batch.begin_delete_pool(options.id)
