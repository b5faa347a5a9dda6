"""Each kind of pool against the emulator: what is made, shared, refused and left alone."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from azure.batch.models import BatchPool, BatchPoolInfo, BatchPoolResizeOptions
from azure.core.exceptions import ResourceNotFoundError

from batch_tasks.clean_up import delete_pool, delete_resources
from batch_tasks.clients import batch_client, signed_in
from batch_tasks.create_containers import create_containers
from batch_tasks.create_job import create_job
from batch_tasks.naming import RunNames
from batch_tasks.options import CleanUpPolicy, PoolOptions, RunOptions
from batch_tasks.plan import RunPlan
from batch_tasks.poll_tasks import Rhythm, poll_tasks
from batch_tasks.pools.named import grown, has_active_jobs, settings_hash
from batch_tasks.pools.scaling import Scaling
from batch_tasks.provision_pool import provision_pool
from batch_tasks.report import RunReport
from batch_tasks.retrieve_outputs import retrieve_outputs
from batch_tasks.settings import Account
from batch_tasks.submit_tasks import submit_tasks
from batch_tasks.unfinished import PoolUnusable
from batch_tasks.upload_inputs import upload_inputs
from batch_tasks.workload import CONTAINER_HOST, Image, StartTask, Workload
from flows.local_stack.azurite import BlobAccount
from tests.conformance import scene
from tests.conformance.own_emulator import running
from tests.signing import account_of

MakePlan = Callable[..., RunPlan]
OFTEN = Rhythm(shortest=0.05, longest=0.2)
COPY = Workload(name="test", command="cp {input} {output}", outputs=("{stem}_OUT{suffix}",))


@pytest.fixture(autouse=True)
def _signed_in(account: Account) -> Iterator[None]:
    with signed_in(account):
        yield


@pytest.fixture
def pool_id() -> Iterator[str]:
    """The id of a pool that is deleted after the test."""
    name = f"shared-{uuid4().hex[:8]}"
    yield name
    with suppress(ResourceNotFoundError):
        delete_pool(name)


@pytest.fixture
def plan(tmp_path: Path, make_plan: MakePlan) -> Iterator[RunPlan]:
    (tmp_path / "in").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "in" / name).write_text("x")
    made: RunPlan = make_plan([str(tmp_path / "in")], COPY)
    yield made
    delete_resources(made.names, CleanUpPolicy())


def whole_run(plan: RunPlan, pool: PoolOptions, folder: Path) -> RunReport:
    create_containers.fn(plan.names, plan.metadata)
    upload_inputs.fn(plan)
    create_job.fn(plan, provision_pool.fn(plan, pool))
    submit_tasks.fn(plan)
    return retrieve_outputs.fn(plan, poll_tasks.fn(plan, OFTEN, OFTEN), str(folder))


def look(pool_id: str) -> BatchPool:
    return batch_client().get_pool(pool_id)


def scaling_of(pool_id: str) -> Scaling:
    scaling = Scaling.parse(look(pool_id).auto_scale_formula or "")
    assert scaling is not None
    return scaling


def named(pool_id: str, **more: int) -> PoolOptions:
    return PoolOptions.model_validate({"kind": "named", "pool_id": pool_id, **more})


def test_a_named_pool_is_made_if_absent_used_and_kept(plan: RunPlan, pool_id: str, tmp_path: Path) -> None:
    pool = named(pool_id)
    report = whole_run(plan, pool, tmp_path / "out")
    assert report.failed == ()
    assert {task.node_id for task in report.tasks} <= {node.id for node in batch_client().list_nodes(pool_id)}
    delete_resources(plan.names, RunOptions(pool=pool).deleted)
    assert look(pool_id).state == "active"
    with pytest.raises(ResourceNotFoundError):
        look(plan.names.pool_id)


NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
THEIRS = Scaling(10, 0, NOW, NOW + 24 * HOUR, 1)
MINE = Scaling(1, 2, NOW + HOUR / 2, NOW + HOUR, 1)
BOTH = Scaling(10, 2, NOW + HOUR / 2, NOW + 24 * HOUR, 1)


def shared(scaling: Scaling, **counts: int) -> BatchPool:
    """A named pool as Batch tells of it: how many nodes it has and is to have, and its formula."""
    return BatchPool({**counts, "autoScaleFormula": scaling.formula()})


@pytest.mark.parametrize(
    ("counts", "when", "working", "wanted"),
    [
        ({"targetDedicatedNodes": 10}, NOW + HOUR, False, BOTH),  # none is there yet
        ({"targetLowPriorityNodes": 10}, NOW + HOUR, False, BOTH),
        ({"currentDedicatedNodes": 1}, NOW + HOUR, False, BOTH),
        ({"currentLowPriorityNodes": 1}, NOW + HOUR, False, BOTH),
        ({}, NOW - HOUR / 60, False, BOTH),  # their uploads may take a while
        ({}, NOW + HOUR, True, BOTH),  # they still upload
        ({}, NOW + 24 * HOUR, True, MINE),
        ({}, NOW + HOUR, False, MINE),
    ],
)
def test_a_named_pool_never_shrinks_under_a_run_that_may_need_it(
    counts: dict[str, int], when: datetime, working: bool, wanted: Scaling
) -> None:
    assert grown(shared(THEIRS, **counts), MINE, when, working=working) == wanted


def test_a_named_pool_grows_with_a_second_run_and_keeps_to_the_longer_deadline(
    plan: RunPlan, azurite: BlobAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = replace(plan, names=RunNames.of("test", uuid4()), created=plan.created + HOUR / 4)
    second = replace(second, expires=plan.expires - HOUR / 2)
    monkeypatch.setattr("batch_tasks.pools.creation._BETWEEN_TRIES", 0.1)
    # Batch takes a formula once in 30 s, and at first the nodes are not there yet.
    with (
        running("--time-scale", "60", "--delays", "azure") as batch,
        signed_in(account_of(azurite, batch)),
    ):
        provision_pool.fn(plan, named("shared", dedicated_nodes=2))
        first = scaling_of("shared")
        provision_pool.fn(second, named("shared", dedicated_nodes=1, spot_nodes=2))
        assert scaling_of("shared") == Scaling(2, 2, first.startup + HOUR / 4, first.deadline, 1)


def test_a_job_that_is_active_says_that_a_named_pool_is_in_use(plan: RunPlan, pool_id: str) -> None:
    create_job.fn(plan, BatchPoolInfo(pool_id=pool_id))
    assert has_active_jobs(pool_id, but="another")
    assert not has_active_jobs(pool_id, but=plan.names.job_id.upper())
    assert not has_active_jobs(f"{pool_id}2", but="another")


def test_a_vm_size_is_the_same_in_any_case(plan: RunPlan) -> None:
    hashes = {
        settings_hash(plan, PoolOptions(vm_size=size), Image())
        for size in ("Standard_D2s_v5", "standard_d2s_v5")
    }
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("workload", "more", "told"),
    [
        (COPY, {"task_slots_per_node": 2}, "the number of tasks at once per node is 1, not 2"),
        (replace(COPY, start_task=StartTask("true")), {}, "the start task is none, not /bin/sh -c 'true'"),
        (replace(COPY, image=CONTAINER_HOST), {}, "the image is canonical ubuntu-24_04-lts server, not"),
    ],
)
def test_a_named_pool_never_mixes_two_runs_settings(
    plan: RunPlan, pool_id: str, workload: Workload, more: dict[str, int], told: str
) -> None:
    provision_pool.fn(plan, named(pool_id))
    before = look(pool_id).auto_scale_formula
    with pytest.raises(PoolUnusable, match="made with other settings") as refused:
        provision_pool.fn(replace(plan, workload=workload), named(pool_id, **more))
    assert told in str(refused.value)
    assert look(pool_id).auto_scale_formula == before


def test_a_pool_of_somebody_else_is_no_named_pool_of_ours(plan: RunPlan, pool_id: str) -> None:
    batch_client().create_pool(scene.pool_options(pool_id))
    with pytest.raises(PoolUnusable, match="was not made as a named pool here"):
        provision_pool.fn(plan, named(pool_id))


def test_an_existing_pool_is_used_and_stays_as_it_is(plan: RunPlan, pool_id: str, tmp_path: Path) -> None:
    batch_client().create_pool(scene.pool_options(pool_id))
    before = look(pool_id)
    pool = PoolOptions(kind="existing", pool_id=pool_id, dedicated_nodes=50)
    assert whole_run(plan, pool, tmp_path / "out").failed == ()
    delete_resources(plan.names, RunOptions(pool=pool).deleted)
    after = look(pool_id)
    assert (after.state, after.etag, after.target_dedicated_nodes) == ("active", before.etag, 1)


def test_an_existing_pool_that_would_run_nothing_is_refused(plan: RunPlan, pool_id: str) -> None:
    pool = PoolOptions(kind="existing", pool_id=pool_id)
    with pytest.raises(PoolUnusable, match="There is no pool"):
        provision_pool.fn(plan, pool)
    batch_client().create_pool(scene.pool_options(pool_id, target_dedicated_nodes=0))
    with pytest.raises(PoolUnusable, match="has no nodes and does not scale itself"):
        provision_pool.fn(plan, pool)
    batch_client().begin_resize_pool(
        pool_id, BatchPoolResizeOptions(target_dedicated_nodes=1), polling_interval=0
    )
    provision_pool.fn(plan, pool)
    container = replace(plan, workload=replace(COPY, container_image="busybox"))
    with pytest.raises(PoolUnusable, match="cannot run containers"):
        provision_pool.fn(container, pool)


def test_an_auto_pool_comes_and_goes_with_the_job(plan: RunPlan, tmp_path: Path) -> None:
    pool = PoolOptions(kind="auto")
    report = whole_run(plan, pool, tmp_path / "out")
    assert report.failed == ()
    info = batch_client().get_job(plan.names.job_id).execution_info
    assert info is not None
    assert info.pool_id is not None
    made = info.pool_id
    assert made.startswith("test_")
    delete_resources(plan.names, RunOptions(pool=pool).deleted)
    scene.wait_for(lambda: made not in {pool.id for pool in batch_client().list_pools()})


def test_a_pool_on_its_way_out_is_waited_for(
    plan: RunPlan, pool_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    provision_pool.fn(plan, named(pool_id))
    delete_pool(pool_id)
    monkeypatch.setattr("batch_tasks.pools.creation._BETWEEN_TRIES", 0.1)
    provision_pool.fn(plan, named(pool_id))
    assert look(pool_id).state == "active"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"kind": "named"}, "pool_id is missing"),
        ({"pool_id": "mine"}, "is given its id: leave it out"),
        ({"kind": "named", "pool_id": "test-12345678123456781234567812345678"}, "choose another"),
    ],
)
def test_a_pool_has_a_name_where_it_needs_one(options: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        PoolOptions.model_validate(options)


def test_only_a_pool_of_the_runs_own_is_deleted_by_it() -> None:
    deleted = {
        kind: RunOptions(
            pool=PoolOptions.model_validate(
                {"kind": kind, **({"pool_id": "p"} if kind in ("named", "existing") else {})}
            )
        ).deleted.pool
        for kind in ("ephemeral", "named", "existing", "auto")
    }
    assert deleted == {"ephemeral": True, "named": False, "existing": False, "auto": False}
