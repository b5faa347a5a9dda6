"""What others have in use, and what that means for a run: refused, or told that it has to wait."""

import dataclasses
import json
from datetime import UTC, date, datetime
from importlib.resources import files

import pytest
from azure.batch.models import BatchJob, BatchPool

from batch_tasks.money.prices import price_table
from batch_tasks.pools.vm_size import cores, family
from batch_tasks.pre_flight.quotas import Quotas, Used, Wanted, compared, used_by_others

FAMILY = "standarddsv5family"
PLENTY = Quotas(100, 100, 20, 100, {FAMILY: 100})
WANTED = Wanted("standard_d4s_v5", dedicated_nodes=4, spot_nodes=2, new_pool=True)
DEDICATED = dataclasses.replace(WANTED, spot_nodes=0)


def pool(pool_id: str, size: str, dedicated: int, spot: int = 0) -> BatchPool:
    nodes = {"currentDedicatedNodes": dedicated, "currentLowPriorityNodes": spot}
    return BatchPool({"id": pool_id, "vmSize": size, **nodes})


def job(job_id: str, state: str = "active", pool_id: str = "") -> BatchJob:
    return BatchJob({"id": job_id, "state": state, "executionInfo": {"poolId": pool_id} if pool_id else None})


def test_cores_in_use_are_counted_in_all_and_by_family() -> None:
    pools = [
        pool("a", "STANDARD_D4S_V5", 2, 1),
        pool("b", "standard_f8s_v2", 3),
        pool("c", "standard_odd", 1),
    ]
    used = used_by_others(pools, [job("x"), job("y", "completed"), job("z", "disabled")], 1, WANTED)
    assert (used.dedicated_cores, used.spot_cores) == (2 * 4 + 3 * 8, 4)
    assert (used.families[FAMILY], used.families["standardfsv2family"]) == (8, 24)
    assert (used.pools, used.jobs, used.unknown) == (3, 3, {"standard_odd"})


def test_what_is_the_runs_own_is_in_use_by_nobody_else() -> None:
    own = dataclasses.replace(WANTED, pool_id="Own", job_id="Mine")
    pools = [pool("own", "standard_d4s_v5", 2), pool("made-for-it", "standard_d4s_v5", 2)]
    used = used_by_others(pools, [job("mine", pool_id="made-for-it")], 0, own)
    assert used == Used()
    full = Quotas(24, 24, 1, 1, {})
    assert compared(full, used_by_others(pools[:1], [job("mine")], 0, own), own).problems == []


def test_a_full_quota_of_jobs_is_waited_for() -> None:
    found = compared(PLENTY, Used(jobs=100), WANTED)
    assert found.problems == []
    [note] = found.notes
    assert note.startswith("The Batch account may have 100 active jobs and has 100: the run waits for one to")


@pytest.mark.parametrize(
    ("used", "said"),
    [
        (Used(97), "asks for 16 dedicated cores; of 100 that the Batch account may have, 97 are in use. Not"),
        (
            Used(50, families={FAMILY: 99}),
            "16 dedicated standarddsv5family cores; of 100 that the Batch account",
        ),
    ],
)
def test_where_not_one_node_is_to_be_had_the_run_is_refused(used: Used, said: str) -> None:
    [problem] = compared(PLENTY, used, DEDICATED).problems
    assert said in problem
    assert "Not one node of standard_d4s_v5 (4 cores) is to be had: run again when" in problem


def test_where_one_kind_of_node_is_to_be_had_the_other_is_only_told() -> None:
    found = compared(PLENTY, Used(100, 96), WANTED)
    assert found.problems == []
    dedicated, spot = found.notes
    assert "16 dedicated cores; of 100 that the Batch account may have, 100 are in use: none of" in dedicated
    assert "8 Spot cores; of 100 that the Batch account may have, 96 are in use: some nodes" in spot


def test_what_others_use_of_another_family_leaves_a_family_free() -> None:
    assert compared(PLENTY, Used(50, families={"standardfsv2family": 50}), DEDICATED).notes == []


def test_sizes_in_use_that_nobody_knows_are_named() -> None:
    [note] = compared(PLENTY, Used(unknown=frozenset({"standard_odd"})), WANTED).notes
    assert note == "Cores in use may be more: how many standard_odd has is not known."


@pytest.mark.parametrize(
    ("size", "count", "name"),
    [
        ("Standard_D4s_v5", 4, "standarddsv5family"),
        ("Standard_F4s_v2", 4, "standardfsv2family"),
        ("Standard_F2", 2, "standardffamily"),
        ("standard_d2_v2", 2, "standarddv2family"),
        ("standard_d12_v2", 4, "standarddv2family"),
        ("standard_hb120rs_v2", 120, "standardhbrsv2family"),
        ("standard_hb120-16rs_v3", 16, "standardhbv3family"),
        ("standard_nc4as_t4_v3", 4, "standard ncasv3_t4 family"),
        ("standard_a1_v2", 1, "standardav2family"),
        ("standard_e8-4ds_v5", 4, "standardedsv5family"),
        ("standard_d2", 2, "standarddfamily"),
        ("standard_unheard_of", None, ""),
    ],
)
def test_cores_and_family_of_a_size(size: str, count: int | None, name: str) -> None:
    assert (cores(size), family(size)) == (count, name)


def test_the_cores_and_the_family_of_every_size_with_a_price_are_known() -> None:
    assert [size for size in price_table().per_hour if not (cores(size) and family(size))] == []


def test_the_table_of_cores_says_where_it_is_from_and_is_not_of_the_future() -> None:
    said = json.loads(files("batch_tasks.pools").joinpath("vm_cores.json").read_text("utf-8"))
    assert "github.com/" in said["source"]
    assert date.fromisoformat(said["date"]) <= datetime.now(UTC).date()
    sizes = [size for of_family in said["families"].values() for size in of_family]
    assert len(sizes) == len(set(sizes))
