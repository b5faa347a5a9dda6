"""What cannot go well is refused before anything is made: each thing by itself, and all of them at once."""

import dataclasses
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from batch_tasks.clean_up import delete_resources
from batch_tasks.clients import batch_client, blob_service, signed_in
from batch_tasks.create_job import create_job
from batch_tasks.errors import PreFlightFailed
from batch_tasks.naming import RunNames
from batch_tasks.options import CleanUpPolicy, PoolOptions
from batch_tasks.plan import RunPlan
from batch_tasks.pools.retirement import near_end, retired, retirements
from batch_tasks.pre_flight import findings, pre_flight
from batch_tasks.pre_flight.findings import Findings
from batch_tasks.pre_flight.quotas import Quotas, Used, Wanted, compared, quotas_in
from batch_tasks.pre_flight.requests import signatures, size_of_requests
from batch_tasks.provision_pool import provision_pool
from batch_tasks.settings import Account
from batch_tasks.unfinished import PoolUnusable
from batch_tasks.workload import Image, Workload
from flows.local_stack.azurite import BlobAccount
from tests.batch_tasks.conftest import MakePlan
from tests.conformance import scene
from tests.conformance.own_emulator import Control, running
from tests.flows.processes import eventually
from tests.signing import account_of
from tests.tokens import UnsignedTokens

PLENTY = {
    "dedicatedCoreQuota": 100,
    "lowPriorityCoreQuota": 100,
    "poolQuota": 20,
    "activeJobAndJobScheduleQuota": 100,
    "dedicatedCoreQuotaPerVMFamilyEnforced": True,
    "dedicatedCoreQuotaPerVMFamily": [{"name": "standardDSv5Family", "coreQuota": 100}],
}
POOL = PoolOptions()


@pytest.fixture(scope="module")
def own(azurite: BlobAccount) -> Iterator[Account]:
    """An account whose Batch emulator is this module's alone."""
    with running() as emulator:
        yield account_of(azurite, emulator)


@pytest.fixture
def control(own: Account) -> Iterator[Control]:
    control = Control(own.batch_endpoint)
    yield control
    control.clean()


@pytest.fixture
def plan(make_plan: MakePlan, tmp_path: Path) -> RunPlan:
    (tmp_path / "a.txt").write_text("a")
    return make_plan([str(tmp_path / "a.txt")])


def refused(account: Account, plan: RunPlan, pool: PoolOptions = POOL) -> str:
    """The one problem that the account has with the run; nothing was made by then."""
    with pytest.raises(PreFlightFailed) as failed, signed_in(account):
        pre_flight(plan, pool)
    assert len(failed.value.problems) == 1, failed.value
    return failed.value.problems[0]


def nothing_was_made(account: Account, plan: RunPlan) -> bool:
    with signed_in(account):
        found = [*batch_client().list_pools(), *batch_client().list_jobs()]
        containers = blob_service().list_containers(name_starts_with=plan.names.pool_id)
        return not [*found, *containers]


def test_a_run_that_can_go_well_is_let_through(own: Account, plan: RunPlan) -> None:
    with signed_in(own):
        found = findings(plan, POOL)
    assert found.problems == []
    [note] = found.not_compared
    assert note.startswith("Quotas were not compared.")
    assert "set AZURE_SUBSCRIPTION_ID" in note
    assert nothing_was_made(own, plan)


def test_two_problems_are_in_one_message_each_with_a_number_and_a_remedy(own: Account, plan: RunPlan) -> None:
    wrong = own.model_copy(update={"storage_key": SecretStr("d3Jvbmc=")})
    with pytest.raises(PreFlightFailed) as failed, signed_in(wrong):
        pre_flight(plan, PoolOptions(vm_size="Standard_NC6s_v3"))
    text = str(failed.value)
    assert text.startswith(
        "2 problems stand in the way; nothing was made:\n  1. The VM size standard_nc6s_v3"
    )
    assert "\n  2. The key is not accepted by the storage account" in text
    assert "Choose another, such as" in text
    assert "az storage account keys list" in text
    assert "d3Jvbmc=" not in text
    assert nothing_was_made(own, plan)


@pytest.mark.parametrize("operation", ["update_job", "update_pool"])
def test_a_missing_role_on_batch_is_named(
    operation: str, own: Account, control: Control, plan: RunPlan
) -> None:
    control.fault("denied", operation=operation)
    problem = refused(own, plan)
    assert "403 InsufficientAccountPermissions" in problem
    assert "'Azure Batch Data Contributor'" in problem
    assert nothing_was_made(own, plan)


def test_who_uses_an_existing_pool_needs_no_right_to_make_one(
    own: Account, control: Control, plan: RunPlan
) -> None:
    control.fault("denied", operation="update_pool")
    problem = refused(own, plan, PoolOptions(kind="existing", pool_id="none"))
    assert "There is no pool none in the Batch account" in problem


def test_a_wrong_batch_key_is_said_to_be_wrong(own: Account, plan: RunPlan) -> None:
    wrong = own.model_copy(update={"batch_key": SecretStr("d3Jvbmc=")})
    assert "The key is not accepted by the Batch account" in refused(wrong, plan)
    assert nothing_was_made(own, plan)


@pytest.mark.parametrize("what", ["batch", "blob"])
def test_a_service_out_of_reach_is_named_with_its_endpoint(what: str, own: Account, plan: RunPlan) -> None:
    endpoint = f"{own.batch_endpoint.partition(':')[0]}://127.0.0.1:1"
    problem = refused(own.model_copy(update={f"{what}_endpoint": endpoint}), plan)
    assert f"{endpoint} cannot be reached from here" in problem
    assert "Check the endpoint" in problem


def test_an_image_past_its_support_is_refused(own: Account, make_plan: MakePlan, plan: RunPlan) -> None:
    old = Image("canonical", "ubuntuserver", "18.04-lts", "batch.node.ubuntu 18.04")
    workload = Workload(name="old", command="cp {input} {output}", outputs=("{stem}.x",), image=old)
    problem = refused(own, make_plan([file.input.path for file in plan.files], workload))
    assert "ended on 2023-05-30" in problem
    assert "Use canonical" in problem


def test_what_is_no_vm_size_is_refused(own: Account, plan: RunPlan) -> None:
    assert "is no name of a VM size" in refused(own, plan, PoolOptions(vm_size="large"))


def test_a_run_longer_than_urls_can_be_signed_is_refused(
    token_account: Account, signed_in_by_token: UnsignedTokens, make_plan: MakePlan, plan: RunPlan
) -> None:
    long = RunPlan(plan.names, plan.workload, plan.tasks, plan.created, plan.created + timedelta(days=8))
    problem = refused(token_account, long)
    assert "at most 7 days" in problem
    assert "Lower the pool's max_hours" in problem


def signed(make_plan: MakePlan, plan: RunPlan, query: str) -> RunPlan:
    """The plan, with its input at a URL that came signed."""
    [file] = plan.files
    at = dataclasses.replace(file.input, url=f"https://s.blob.core.windows.net/c/a.txt?{query}&sig=c2VjcmV0")
    [task] = plan.tasks
    tasks = type(plan.tasks)([dataclasses.replace(task, files=(dataclasses.replace(file, input=at),))])
    return dataclasses.replace(plan, tasks=tasks)


def test_a_signature_that_ends_before_the_run_is_refused(make_plan: MakePlan, plan: RunPlan) -> None:
    soon = plan.created + timedelta(minutes=30)
    [problem] = signatures(signed(make_plan, plan, f"sp=r&se={soon:%Y-%m-%dT%H:%M:%SZ}")).problems
    assert f"ends at {soon:%Y-%m-%d %H:%M} UTC" in problem
    assert "--max-hours 0.5" in problem
    assert "c2VjcmV0" not in problem


def test_a_signature_that_lasts_is_let_through_and_one_that_cannot_read_is_not(
    make_plan: MakePlan, plan: RunPlan
) -> None:
    lasts = f"se={plan.expires + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    assert signatures(signed(make_plan, plan, f"sp=rl&{lasts}")).problems == []
    [problem] = signatures(signed(make_plan, plan, f"sp=l&{lasts}")).problems
    assert "sp=r" in problem


def test_a_signature_that_has_not_begun_is_refused_and_one_for_some_addresses_is_noted(
    make_plan: MakePlan, plan: RunPlan
) -> None:
    lasts = f"sp=r&se={plan.expires + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    later = plan.created + timedelta(hours=1)
    [problem] = signatures(signed(make_plan, plan, f"{lasts}&st={later:%Y-%m-%dT%H:%M:%SZ}")).problems
    assert f"begins at {later:%Y-%m-%d %H:%M} UTC (st)" in problem
    assert signatures(signed(make_plan, plan, f"{lasts}&st={plan.created:%Y-%m-%dT%H:%M:%SZ}")).problems == []
    found = signatures(signed(make_plan, plan, f"{lasts}&sip=192.0.2.1-192.0.2.9"))
    assert found.problems == []
    assert "192.0.2.1-192.0.2.9 only (sip)" in found.notes[0]


def test_a_task_too_large_for_a_request_is_refused(make_plan: MakePlan, tmp_path: Path) -> None:
    for number in range(500):
        (tmp_path / f"{number:03}").write_text("a")
    workload = Workload(
        name="many", command="cp {input} {output}", outputs=tuple(f"{{stem}}.{part}" for part in range(4))
    )
    plan = make_plan([str(tmp_path)], workload, 500)
    found = size_of_requests(plan)
    [problem] = found.problems
    assert "Batch takes 1,000,000. Set --files-per-task" in problem
    enough = int(problem.rpartition(" ")[2].rstrip("."))
    assert size_of_requests(make_plan([str(tmp_path)], workload, enough)).problems == []


def test_a_series_is_refused_from_the_day_it_retires_and_noted_half_a_year_before() -> None:
    size, last = "Standard_NC6s_v3", date(2025, 9, 30)
    assert len(list(retired(size, last))) == 1
    assert list(near_end(size, last)) == []
    [near] = near_end(size, date(2025, 9, 29))
    assert list(retired(size, date(2025, 9, 29))) == []
    assert "in 1 days" in near
    assert list(near_end(size, date(2025, 1, 1))) == []


@pytest.mark.parametrize(
    ("size", "series"),
    [
        ("Standard_D2_v2", "Dv2, Dsv2"),
        ("Standard_DS3_v2", "Dv2, Dsv2"),
        ("standard_d1", "D, Ds"),
        ("Standard_F4s_v2", "Fsv2"),
        ("Standard_B2ms", "B (v1)"),
        ("Standard_L8s_v2", "Lsv2"),
        ("Standard_A2m_v2", "Av2, Amv2"),
        ("Standard_NV12s_v3", "NVv3"),
        ("Standard_M192idms_v2", "M192 v2"),
        ("standard_d2s_v5", None),
        ("Standard_B2s_v2", None),
        ("Standard_NC4as_T4_v3", None),
        ("Standard_L8s_v3", None),
    ],
)
def test_a_size_is_known_by_its_series(size: str, series: str | None) -> None:
    found = [one.name for one in retirements().series if one.sizes.fullmatch(size.lower())]
    assert found == ([series] if series else [])


WANTED = Wanted("standard_d4s_v5", dedicated_nodes=4, spot_nodes=2, new_pool=True)
NOTHING = Used(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("quota", "figure", "said"),
    [
        ("dedicatedCoreQuota", 8, "asks for 16 dedicated cores; the Batch account may have 8: set --nodes 2"),
        (
            "dedicatedCoreQuota",
            0,
            "asks for 16 dedicated cores; the Batch account may have 0: choose another",
        ),
        (
            "lowPriorityCoreQuota",
            4,
            "asks for 8 Spot cores; the Batch account may have 4: set --spot-nodes 1",
        ),
        ("poolQuota", 0, "may have 0 pools and has 0"),
        ("activeJobAndJobScheduleQuota", 0, "may have no active job at all (its quota is 0)"),
        (
            "dedicatedCoreQuotaPerVMFamily",
            [{"name": "standardDSv5Family", "coreQuota": 4}],
            "asks for 16 dedicated standarddsv5family cores; the Batch account may have 4",
        ),
    ],
)
def test_each_quota_that_is_too_small_is_told_with_its_figures(quota: str, figure: Any, said: str) -> None:
    [problem] = compared(quotas_in({**PLENTY, quota: figure}), NOTHING, WANTED).problems
    assert said in problem
    assert "page Quotas" in problem


def test_cores_in_use_by_others_are_no_reason_to_refuse_but_to_say_so() -> None:
    found = compared(quotas_in(PLENTY), Used(90, 0, 0, 0), WANTED)
    assert found.problems == []
    assert "of 100 that the Batch account may have, 90 are in use" in found.notes[0]


def test_an_existing_pool_needs_a_job_and_nothing_else() -> None:
    none = Quotas(0, 0, 0, 1, {})
    assert compared(none, NOTHING, Wanted("standard_d4s_v5", 0, 0, new_pool=False)) == Findings()


def test_a_named_pool_that_is_there_needs_cores_but_no_further_pool() -> None:
    none = Quotas(8, 8, 0, 1, {})
    [problem] = compared(none, NOTHING, dataclasses.replace(WANTED, new_pool=False)).problems
    assert "asks for 16 dedicated cores" in problem


OLD = Image("canonical", "ubuntuserver", "18.04-lts", "batch.node.ubuntu 18.04")
NAMED = PoolOptions(kind="named", pool_id="shared")


@pytest.mark.parametrize(
    ("pool", "image", "said"),
    [
        (PoolOptions(vm_size="Standard_NC6s_v3"), Image(), "which Azure retired on 2025-09-30"),
        (PoolOptions(vm_size="large"), Image(), "is no name of a VM size"),
        (PoolOptions(task_slots_per_node=9), Image(), "9 tasks at once are too many"),
        (POOL, OLD, "ended on 2023-05-30"),
        (NAMED, OLD, "ended on 2023-05-30"),
        (NAMED.model_copy(update={"task_slots_per_node": 2}), Image(), "was made with other settings"),
        (PoolOptions(kind="existing", pool_id="none"), Image(), "There is no pool none"),
        (PoolOptions(kind="existing", pool_id="empty"), Image(), "has no nodes and does not scale itself"),
    ],
)
def test_what_is_refused_before_a_run_is_what_the_pools_own_stage_refuses(
    pool: PoolOptions, image: Image, said: str, own: Account, make_plan: MakePlan, plan: RunPlan
) -> None:
    workload = Workload(name="test", command="cp {input} {output}", outputs=("{stem}.x",), image=image)
    asked = make_plan([file.input.path for file in plan.files], workload)
    with signed_in(own):
        batch_client().create_pool(scene.pool_options("empty", target_dedicated_nodes=0))
        provision_pool.fn(plan, NAMED)
        try:
            assert said in refused(own, asked, pool)
            with pytest.raises(PoolUnusable) as by_the_stage:
                provision_pool.fn(asked, pool)
            assert str(by_the_stage.value) == refused(own, asked, pool)
            assert {one.id for one in batch_client().list_pools()} == {"empty", "shared"}
        finally:
            for there in ("empty", "shared"):
                batch_client().begin_delete_pool(there, polling_interval=0).result(timeout=60)


def test_a_named_pool_that_is_there_is_let_through_where_no_further_pool_may_be_made(
    own: Account,
    control: Control,
    plan: RunPlan,
    loopback_certificate: tuple[Path, Path],
    signed_in_by_token: UnsignedTokens,
) -> None:
    with resource_manager(loopback_certificate, {**PLENTY, "poolQuota": 1}) as endpoint:
        known = own.model_copy(update={"subscription_id": "sub1", "management_endpoint": endpoint})
        with signed_in(known):
            assert findings(plan, NAMED).problems == []
            provision_pool.fn(plan, NAMED)
            try:
                assert findings(plan, NAMED).problems == []
                [problem] = findings(plan, POOL).problems
                assert "may have 1 pools and has 1" in problem
            finally:
                batch_client().begin_delete_pool("shared", polling_interval=0).result(timeout=60)


def test_a_retry_is_let_through_where_its_own_pool_and_job_are_all_that_may_be(
    own: Account,
    plan: RunPlan,
    loopback_certificate: tuple[Path, Path],
    signed_in_by_token: UnsignedTokens,
) -> None:
    full = {**PLENTY, "poolQuota": 1, "activeJobAndJobScheduleQuota": 1, "dedicatedCoreQuota": 2}
    with resource_manager(loopback_certificate, full) as endpoint:
        known = own.model_copy(update={"subscription_id": "sub1", "management_endpoint": endpoint})
        with signed_in(known):
            create_job.fn(plan, provision_pool.fn(plan, POOL))
            try:
                eventually(
                    lambda: list(batch_client().list_nodes(plan.names.pool_id)) != [], "a node is there"
                )
                assert findings(plan, POOL) == Findings()
                another = dataclasses.replace(plan, names=RunNames.of("test", uuid4()))
                found = findings(another, POOL)
            finally:
                delete_resources(plan.names, CleanUpPolicy())
                eventually(lambda: not [*batch_client().list_pools()], "the pool is gone")
    pools, cores = found.problems
    assert "may have 1 pools and has 1" in pools
    assert "of 2 that the Batch account may have, 2 are in use. Not one node of" in cores
    assert "has 1: the run waits for one to end" in found.notes[0]


@contextmanager
def resource_manager(certificate: tuple[Path, Path], properties: dict[str, Any]) -> Iterator[str]:
    """Answers one question as Azure Resource Manager does: which Batch accounts a subscription has."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path.startswith("/subscriptions/sub1/providers/Microsoft.Batch/batchAccounts?")
            let_in = self.headers["Authorization"].startswith("Bearer ")
            body = json.dumps({"value": [{"name": "LocalBatch", "properties": properties}]}).encode()
            self.send_response(200 if known and let_in else 403)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing: the test's output stays its own."""

    server = HTTPServer(("127.0.0.1", 0), Answering)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_quotas_are_read_where_the_subscription_is_known_and_refuse_before_anything_is_made(
    own: Account,
    control: Control,
    plan: RunPlan,
    loopback_certificate: tuple[Path, Path],
    signed_in_by_token: UnsignedTokens,
) -> None:
    control.fault("quota", pools=0)
    with resource_manager(loopback_certificate, {**PLENTY, "poolQuota": 0}) as endpoint:
        known = own.model_copy(update={"subscription_id": "sub1", "management_endpoint": endpoint})
        assert "may have 0 pools and has 0" in refused(known, plan)
        assert nothing_was_made(own, plan)
        other = known.model_copy(update={"subscription_id": "sub2"})
        with signed_in(other):
            assert "cannot be read" in findings(plan, POOL).notes[0]


def test_a_subscription_alone_names_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "sub1")
    assert Account.from_environment() is None
    monkeypatch.setenv("AZURE_BATCH_ACCOUNT", "b")
    monkeypatch.setenv("AZURE_BATCH_ENDPOINT", "b.westeurope.batch.azure.com")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "s")
    account = Account.from_environment()
    assert account is not None
    assert account.subscription_id == "sub1"


def test_the_file_of_retirements_says_where_it_is_from_and_is_not_of_the_future() -> None:
    assert retirements().source.startswith("https://learn.microsoft.com/")
    assert retirements().read <= datetime.now(UTC).date()
