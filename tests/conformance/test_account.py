"""The official SDK on the account as a whole."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from azure.batch import models
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from tests import web
from tests.conformance import scene
from tests.conformance.conftest import Batch

Unique = Callable[[str], str]


def test_supported_images_are_listed_retired_ones_too(batch: Batch) -> None:
    images = batch.list_supported_images()
    offers = {(one.image_reference.offer, one.image_reference.sku): one for one in images}
    assert len(offers) == len(images) >= 70
    newest = offers["ubuntu-24_04-lts", "server"]
    assert newest.node_agent_sku_id == "batch.node.ubuntu 24.04"
    assert (newest.os_type, newest.verification_type) == ("linux", "verified")
    retired = offers["ubuntuserver", "18.04-lts"]
    assert retired.batch_support_end_of_life == dt.datetime(2023, 5, 30, tzinfo=dt.UTC)
    assert "DockerCompatible" in offers["ubuntu-hpc", "2404"].capabilities


def test_supported_images_are_filtered_and_come_in_pages(batch: Batch) -> None:
    windows = batch.list_supported_images(
        filter="osType eq 'windows' and verificationType eq 'verified'", max_results=7
    )
    assert windows
    assert {one.os_type for one in windows} == {"windows"}
    assert len({one.image_reference.sku for one in windows}) == len(windows)
    agent = batch.list_supported_images(filter="nodeAgentSKUId eq 'batch.node.ubuntu 22.04'")
    assert {one.node_agent_sku_id for one in agent} == {"batch.node.ubuntu 22.04"}
    with pytest.raises(HttpResponseError, match="InvalidQueryParameterValue"):
        batch.list_supported_images(filter="publisher eq 'canonical'")


def test_node_counts_tell_states_of_dedicated_and_low_priority_nodes(batch: Batch, unique: Unique) -> None:
    with scene.pool(batch, unique("pool"), target_dedicated_nodes=2) as pool_id:
        [counts] = batch.list_pool_node_counts(filter=f"poolId eq '{pool_id}'")
        assert counts.pool_id == pool_id
        assert (counts.dedicated.idle, counts.dedicated.total) == (2, 2)
        assert counts.low_priority.total == 0
        assert pool_id in [one.pool_id for one in batch.list_pool_node_counts()]


def test_applications_are_none(batch: Batch) -> None:
    assert batch.list_applications() == []
    with pytest.raises(ResourceNotFoundError, match="ApplicationNotFound"):
        batch.get_application("app")


def test_usage_of_the_last_hours_is_not_available_yet(batch: Batch) -> None:
    assert batch.list_pool_usage_metrics() == []
    now = dt.datetime.now(dt.UTC)
    assert batch.list_pool_usage_metrics(start_time=now - dt.timedelta(hours=3)) == []
    for times in ({"start_time": now - dt.timedelta(hours=2)}, {"end_time": now - dt.timedelta(hours=1)}):
        with pytest.raises(HttpResponseError, match="InvalidQueryParameterValue"):
            batch.list_pool_usage_metrics(**times)


def test_the_state_tells_for_how_long_each_node_would_be_billed(batch: Batch, unique: Unique) -> None:
    with scene.pool(batch, unique("pool")) as pool_id:
        [node] = batch.list_nodes(pool_id)

        def stay() -> dict[str, Any]:
            stays = web.client().get(f"{batch.endpoint}/_emulator/state").json()["stays"]
            [found] = [one for one in stays if one["nodeId"] == node.id]
            assert isinstance(found, dict)
            return found

        now = stay()
        assert now["nodeSeconds"] == pytest.approx(sum(now["secondsByState"].values()))
        assert "leftTime" not in now
        batch.begin_resize_pool(pool_id, models.BatchPoolResizeOptions(target_dedicated_nodes=0))
        scene.wait_for(lambda: not batch.list_nodes(pool_id))
        then = stay()
        assert then["nodeSeconds"] >= now["nodeSeconds"] > 0
        assert stay() == then, "a node that has left costs no more"
