"""Runs whose nodes have an identity: no signed URL anywhere, and what is in the way is refused beforehand."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from azure.batch.models import BatchPool, BatchPoolCreateOptions
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ResourceNotFoundError
from pydantic import SecretStr, ValidationError

from batch_emulator.handlers.management import SUBSCRIPTION
from batch_tasks.clean_up import delete_pool, delete_resources
from batch_tasks.clients import batch_client, blob_service, signed_in, signing_in_with
from batch_tasks.create_containers import create_containers
from batch_tasks.create_job import create_job
from batch_tasks.errors import AccountError, PreFlightFailed
from batch_tasks.inputs import find_inputs
from batch_tasks.node_urls import node_urls
from batch_tasks.options import CleanUpPolicy, PoolOptions
from batch_tasks.plan import RunPlan, plan_tasks
from batch_tasks.poll_tasks import Rhythm, poll_tasks
from batch_tasks.pools.ephemeral import ensure_pool
from batch_tasks.pools.existing import why_unfit
from batch_tasks.pools.specification import pool_options
from batch_tasks.pre_flight import findings, pre_flight
from batch_tasks.pre_flight.identity import identity_findings
from batch_tasks.provision_pool import provision_pool
from batch_tasks.registry import registry_by_identity
from batch_tasks.retrieve_outputs import retrieve_outputs
from batch_tasks.settings import Account
from batch_tasks.stored_inputs import stored_files
from batch_tasks.submit_tasks import submit_tasks
from batch_tasks.task_options import Identity, NodeUrls
from batch_tasks.unfinished import PoolUnusable
from batch_tasks.upload_inputs import upload_inputs
from batch_tasks.workload import Merge, StartTask, Workload
from tests.conformance import scene
from tests.tokens import IDENTITY, UnsignedTokens

MakePlan = Callable[..., RunPlan]
OFTEN = Rhythm(shortest=0.05, longest=0.2)
MERGING = Workload(
    name="identity",
    command="cp {input} {output} && cp {input} {part}",
    outputs=("{stem}_OUT{suffix}",),
    start_task=StartTask("true"),
    merge=Merge("{name}.part", 'cat "$TASK_FILES_DIR"/parts/* > all.txt', ("all.txt",)),
)


class NoTokens:
    """A credential that has found nobody signed in."""

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        raise ClientAuthenticationError("no token")


def with_identity(kind: str = "ephemeral", **more: Any) -> PoolOptions:
    return PoolOptions.model_validate({"kind": kind, "identity": IDENTITY, **more})


@pytest.fixture
def account(token_account: Account, signed_in_by_token: UnsignedTokens) -> Iterator[Account]:
    """An account without any key, whose management plane is known; signed in to."""
    known = token_account.model_copy(
        update={"subscription_id": SUBSCRIPTION, "management_endpoint": token_account.batch_endpoint}
    )
    with signed_in(known):
        yield known


@pytest.fixture
def text(tmp_path: Path) -> str:
    (tmp_path / "a.txt").write_text("one two one")
    return str(tmp_path / "a.txt")


@pytest.fixture
def plan(account: Account, make_plan: MakePlan, text: str) -> Iterator[RunPlan]:
    made = replace(make_plan([text], MERGING), identity=IDENTITY)
    yield made
    delete_resources(made.names, CleanUpPolicy())


@pytest.fixture
def pool_id(account: Account) -> Iterator[str]:
    name = f"shared-{uuid4().hex[:8]}"
    yield name
    with suppress(ResourceNotFoundError):
        delete_pool(name)


class TestOptions:
    @pytest.mark.parametrize("identity", ["", IDENTITY, IDENTITY.replace("resourceGroups", "resourcegroups")])
    def test_the_resource_id_of_an_identity_is_taken(self, identity: str) -> None:
        assert PoolOptions(identity=identity).identity == identity

    @pytest.mark.parametrize("identity", ["nodes", f"{IDENTITY}/more", IDENTITY.replace("Managed", "Own")])
    def test_what_is_none_is_refused_with_its_form(self, identity: str) -> None:
        with pytest.raises(ValidationError, match="userAssignedIdentities/<name>"):
            PoolOptions(identity=identity)

    def test_the_form_knows_what_it_looks_like(self) -> None:
        assert "[uU]ser" in PoolOptions.model_json_schema()["properties"]["identity"]["pattern"]

    def test_only_with_one_may_a_run_outlast_signed_urls(self) -> None:
        assert with_identity(max_hours=700).max_hours == 700
        assert PoolOptions(max_hours=160).max_hours == 160
        with pytest.raises(ValidationError, match=r"max_hours is 161.*set identity"):
            PoolOptions(max_hours=161)

    def test_a_pool_made_for_a_job_can_have_none(self) -> None:
        with pytest.raises(ValidationError, match="set kind to 'ephemeral', 'named' or 'existing'"):
            with_identity("auto")


class TestUrls:
    URLS = NodeUrls(str, str, "", "", Identity(IDENTITY, "https://mine.blob.core.windows.net"))

    @pytest.mark.parametrize("url", ["/c/b", "/c"])
    def test_the_accounts_own_go_with_the_identity(self, url: str) -> None:
        for host in ("mine", "MINE"):
            reference = self.URLS.reference(f"https://{host}.blob.core.windows.net{url}")
            assert reference is not None
            assert reference.resource_id == IDENTITY

    @pytest.mark.parametrize(
        "url",
        [
            "https://mine.blob.core.windows.net/c/b?sv=1&sig=x",
            "https://mine.blob.core.windows.net.example/c/b",
            "https://theirs.blob.core.windows.net/c/b",
        ],
    )
    def test_those_signed_by_others_and_of_others_stay_as_they_are(self, url: str) -> None:
        assert self.URLS.reference(url) is None

    @pytest.mark.parametrize(
        ("image", "server"),
        [
            ("mine.azurecr.io/convert:1", "mine.azurecr.io"),
            ("Mine.azurecr.cn/a/b", "mine.azurecr.cn"),
            ("python:3.12-slim", None),
            ("docker.io/library/azurecr.io", None),
            ("registry.example/convert", None),
        ],
    )
    def test_registries_of_azure_let_it_in_and_no_others(self, image: str, server: str | None) -> None:
        registry = registry_by_identity(image, IDENTITY)
        assert (registry and registry.registry_server) == server
        assert registry_by_identity(image, "") is None


def test_a_whole_run_by_identity_signs_nothing(
    account: Account, text: str, tmp_path: Path, plan: RunPlan
) -> None:
    pool = with_identity()
    blob_service().create_container(stored := f"in{uuid4().hex}").upload_blob("far away.txt", b"there")
    url = f"{account.blob_endpoint}/{stored}"
    week = plan.created + timedelta(days=8)
    plan = replace(plan, tasks=plan_tasks(MERGING, find_inputs([text, url], stored_files)), expires=week)
    assert findings(plan, pool).problems == []
    create_containers.fn(plan.names, plan.metadata)
    made = provision_pool.fn(plan, pool)
    upload_inputs.fn(plan)
    create_job.fn(plan, made)
    submit_tasks.fn(plan)
    finished = poll_tasks.fn(plan, OFTEN, OFTEN)
    tasks = [task.as_dict() for task in batch_client().list_tasks(plan.names.job_id)]
    report = retrieve_outputs.fn(plan, finished, str(tmp_path / "out"))
    blob_service().delete_container(stored)
    assert report.failed == ()
    assert (tmp_path / "out" / "far away_OUT.txt").read_text() == "there"
    assert sorted((tmp_path / "out" / "all.txt").read_text()) == sorted("one two one" + "there")
    assert len(tasks) == 3
    for task in tasks:
        uses = [*task["resourceFiles"], *(file["destination"]["container"] for file in task["outputFiles"])]
        assert {use["identityReference"]["resourceId"] for use in uses} == {IDENTITY}
    said = json.dumps(tasks)
    assert "sig=" not in said
    assert "?" not in "".join(use for use in said.split('"') if use.startswith("https://"))


def shown(pool: BatchPool) -> dict[str, Any]:
    """A pool without what differs between two of the same settings."""
    own = {"id", "url", "eTag", "identity", "currentDedicatedNodes", "targetDedicatedNodes", "autoScaleRun"}
    document = pool.as_dict()
    return {
        name: value
        for name, value in document.items()
        if name not in own and not name.startswith("allocation") and not name.endswith(("Time", "Modified"))
    }


def test_both_planes_make_the_same_pool(plan: RunPlan, pool_id: str) -> None:
    options = pool_options(plan, with_identity())
    by_data_plane = BatchPoolCreateOptions({**options.as_dict(), "id": pool_id})
    ensure_pool(by_data_plane)
    ensure_pool(options, IDENTITY)
    ensure_pool(options, IDENTITY)  # a second attempt meets it
    plain, pool = (batch_client().get_pool(name) for name in (pool_id, options.id))
    assert shown(plain) == shown(pool)
    assert plain.identity is None
    assert why_unfit(pool, MERGING, IDENTITY.upper()) is None
    assert shown(pool)["autoScaleFormula"] == options.auto_scale_formula
    assert shown(pool)["startTask"]["userIdentity"]["autoUser"]["scope"] == "pool"


def test_an_existing_pool_without_the_identity_is_refused(plan: RunPlan, pool_id: str) -> None:
    batch_client().create_pool(scene.pool_options(pool_id, target_dedicated_nodes=1))
    pool = with_identity("existing", pool_id=pool_id)
    with pytest.raises(PreFlightFailed, match=rf"{pool_id} does not have the identity .*; it has none\."):
        pre_flight(plan, pool)
    with pytest.raises(PoolUnusable, match="does not have the identity"):
        provision_pool.fn(plan, pool)


def test_an_existing_pool_with_the_identity_is_used(account: Account, plan: RunPlan, pool_id: str) -> None:
    provision_pool.fn(plan, with_identity("named", pool_id=pool_id))
    away = account.model_copy(update={"management_endpoint": "https://127.0.0.1:1"})
    with signed_in(away):  # nothing is asked of it
        pool = with_identity("existing", pool_id=pool_id)
        assert findings(plan, pool).problems == []
        assert provision_pool.fn(plan, pool).pool_id == pool_id


def test_runs_that_share_a_named_pool_agree_on_its_identity(plan: RunPlan, pool_id: str) -> None:
    named = with_identity("named", pool_id=pool_id)
    provision_pool.fn(plan, named)
    assert provision_pool.fn(plan, named).pool_id == pool_id
    with pytest.raises(PoolUnusable, match=f"the identity is {IDENTITY.lower()}, not none"):
        provision_pool.fn(plan, named.model_copy(update={"identity": ""}))


def refused(account: Account, plan: RunPlan, pool: PoolOptions) -> str:
    """The one problem that the account has with the run; no pool was made by then."""
    with pytest.raises(PreFlightFailed) as failed, signed_in(account):
        pre_flight(plan, pool)
    assert plan.names.pool_id not in [pool.id for pool in batch_client().list_pools()]
    [problem] = failed.value.problems
    return problem


def test_without_a_subscription_no_pool_can_get_an_identity(account: Account, plan: RunPlan) -> None:
    unknown = account.model_copy(update={"subscription_id": ""})
    assert "set AZURE_SUBSCRIPTION_ID" in refused(unknown, plan, with_identity())


def test_another_subscription_is_refused(account: Account, plan: RunPlan) -> None:
    other = account.model_copy(update={"subscription_id": "11111111-0000-0000-0000-000000000000"})
    problem = refused(other, plan, with_identity())
    assert "subscription 11111111-0000-0000-0000-000000000000 is seen (404)" in problem
    assert "AZURE_SUBSCRIPTION_ID" in problem


def test_a_management_plane_out_of_reach_is_said_to_be(account: Account, plan: RunPlan) -> None:
    away = account.model_copy(update={"management_endpoint": "https://127.0.0.1:1"})
    problem = refused(away, plan, with_identity())
    assert "cannot be asked (ServiceRequestError)" in problem
    assert "Try again" in problem


def test_without_a_token_it_says_that_nobody_is_signed_in(account: Account, plan: RunPlan) -> None:
    keyed = account.model_copy(update={"batch_key": SecretStr("d3Jvbmc=")})
    with signed_in(keyed), signing_in_with(NoTokens()):
        assert "takes no keys, and nobody is signed in (ClientAuthenticationError). Use `az login`" in str(
            identity_findings(with_identity()).problems
        )


def test_an_account_of_another_name_is_not_found(account: Account, plan: RunPlan) -> None:
    other = account.model_copy(update={"batch_account": "another"})
    problem = refused(other, plan, with_identity())
    assert f"No Batch account 'another' is seen in subscription {SUBSCRIPTION}" in problem


def test_an_identity_that_does_not_exist_is_refused(account: Account, plan: RunPlan) -> None:
    pool = with_identity().model_copy(update={"identity": f"{IDENTITY}2"})
    problem = refused(account, plan, pool)
    assert f"There is no identity {IDENTITY}2 (404)" in problem
    assert "az identity create" in problem
    with pytest.raises(PoolUnusable, match=r"400 InvalidPropertyValue.*no such identity"):
        provision_pool.fn(plan, pool)


def test_without_the_package_of_the_management_plane_it_is_named(
    account: Account, plan: RunPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "azure.mgmt", None)
    monkeypatch.delitem(sys.modules, "azure.mgmt.batch", raising=False)
    assert "uv sync --extra identity" in refused(account, plan, with_identity())
    with pytest.raises(AccountError, match="pip install 'azure-mgmt-batch"):
        provision_pool.fn(plan, with_identity())


def test_storage_with_a_key_signs_nothing_either(account: Account, plan: RunPlan) -> None:
    keyed = account.model_copy(update={"storage_key": SecretStr("d3Jvbmc=")})
    with signed_in(keyed):
        urls = node_urls(plan)
    assert "?" not in urls.read("a b.txt") + urls.read_outputs + urls.write_outputs
    assert urls.read("a b.txt").endswith("/a%20b.txt")
