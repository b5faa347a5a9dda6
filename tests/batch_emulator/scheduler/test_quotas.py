"""What the account may not have yet another of, and resizes that fail."""

import pytest

from batch_emulator import errors, events, job_events, node_events
from batch_emulator.lifecycle import AllocationState
from batch_emulator.outcomes import Failure
from batch_emulator.scheduler import Quotas
from batch_emulator.vm_sizes import cores
from batch_emulator.wire import creations
from tests.batch_emulator.scheduler.world import Stage


def test_a_pool_too_many_is_refused() -> None:
    stage = Stage()
    stage.world.quotas = Quotas(pools=1)
    stage.pool("one")
    with pytest.raises(errors.PoolQuotaReached):
        stage.pool("two")
    stage.submit(events.DeletePool("one"))
    stage.pass_time()
    stage.pool("two")


def test_a_job_too_many_is_refused_but_completed_ones_do_not_count() -> None:
    stage = Stage()
    stage.world.quotas = Quotas(active_jobs=1)
    stage.job("one")
    with pytest.raises(errors.ActiveJobAndScheduleQuotaReached):
        stage.job("two")
    stage.submit(events.TerminateJob("one", "done"))
    stage.pass_time()
    stage.job("two")


@pytest.mark.parametrize(
    ("quotas", "code", "nodes"),
    [
        (Quotas(dedicated_cores=0), "AccountCoreQuotaReached", (0, 2)),
        (Quotas(dedicated_cores=1), "AccountCoreQuotaReached", (1, 2)),
        (Quotas(low_priority_cores=1), "AccountLowPriorityCoreQuotaReached", (2, 1)),
    ],
)
def test_nodes_without_cores_end_the_resize_with_an_error(
    quotas: Quotas, code: str, nodes: tuple[int, int]
) -> None:
    stage = Stage()
    stage.world.quotas = quotas
    pool = stage.pool(nodes=2, low_priority=2)
    assert pool.allocation is AllocationState.STEADY
    assert [error.code for error in pool.resize_errors] == [code]
    assert (pool.target_dedicated, pool.target_low_priority) == (2, 2)
    dedicated = sum(node.dedicated for node in pool.nodes.values())
    assert (dedicated, len(pool.nodes) - dedicated) == nodes
    stage.pass_time(2000.0)
    assert len(pool.resize_errors) == 1, "the timer of the failed resize is void"


def test_cores_are_shared_by_all_pools() -> None:
    stage = Stage()
    stage.world.quotas = Quotas(dedicated_cores=3)
    stage.pool("one", nodes=2)
    assert len(stage.pool("two", nodes=2).nodes) == 1


def test_a_resize_can_be_failed_and_tried_again() -> None:
    stage = Stage(allocation=10.0)
    pool = stage.pool(nodes=2)
    error = Failure("UserError", "AllocationFailed", "Desired number of nodes could not be allocated")
    stage.submit(node_events.FailResize("pool", error))
    assert (pool.allocation, pool.resize_errors) == (AllocationState.STEADY, [error])
    stage.pass_time(20.0)
    assert not pool.nodes
    with pytest.raises(errors.OperationInvalidForCurrentState):
        stage.submit(node_events.FailResize("pool", error))
    stage.submit(events.ResizePool("pool", 2, None, 900.0))
    stage.pass_time(10.0)
    assert (len(pool.nodes), pool.resize_errors) == (2, [])


def test_places_of_nodes_are_the_smallest_free_numbers() -> None:
    stage = Stage()
    pool = stage.pool(nodes=3)
    assert [node.place for node in pool.nodes.values()] == [0, 1, 2]
    stage.submit(events.RemoveNodes("pool", (stage.node(1).id,), 900.0))
    stage.pass_time()
    stage.submit(events.ResizePool("pool", 4, None, 900.0))
    stage.pass_time()
    assert sorted(node.place for node in pool.nodes.values()) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("size", "number"),
    [
        ("standard_d1_v2", 1),
        ("STANDARD_D2_V2", 2),
        ("standard_d3_v2", 4),
        ("standard_d5_v2", 16),
        ("standard_d14_v2", 16),
        ("standard_ds4_v2", 8),
        ("standard_a1_v2", 1),
        ("standard_a4_v2", 4),
        ("standard_a4", 8),
        ("standard_d2_v3", 2),
        ("standard_d4s_v5", 4),
        ("standard_f16s_v2", 16),
        ("standard_f4", 4),
        ("standard_e8-4ds_v5", 4),
        ("standard_nc4as_t4_v3", 4),
        ("small", 1),
    ],
)
def test_the_cores_of_a_vm_size_are_read_from_its_name(size: str, number: int) -> None:
    assert cores(size) == number


def test_a_job_schedule_counts_as_a_job_does() -> None:
    stage = Stage()
    stage.world.quotas = Quotas(active_jobs=1)
    stage.job("one")
    document = {"id": "hourly", "schedule": {}, "jobSpecification": {}}
    with pytest.raises(errors.ActiveJobAndScheduleQuotaReached):
        stage.submit(job_events.AddSchedule(creations.job_schedule(document, stage.now)))
