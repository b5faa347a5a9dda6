"""`prefect.yaml` holds only what Prefect reads, and every deployment in it can run as it stands."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from prefect import Flow
from prefect.cli.deploy._models import (
    ConcurrencyLimitSpec,
    DeploymentConfig,
    PrefectYamlModel,
    RawScheduleConfig,
    WorkPoolConfig,
)
from prefect.cli.deploy._schedules import _schedule_config_to_deployment_schedule
from prefect.cli.deploy._triggers import _initialize_deployment_triggers
from prefect.client.schemas.objects import ConcurrencyLimitStrategy
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from pydantic import BaseModel

ROOT = Path(__file__).parents[2]
FILE = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))
OF_YAML = {"definitions"}  # where the anchors stand; Prefect passes over it


def name_of(deployment: dict[str, Any]) -> str:
    return f"{deployment['entrypoint'].partition(':')[2]}/{deployment['name']}"


deployments = pytest.mark.parametrize("deployment", FILE["deployments"], ids=name_of)


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))


def flow_of(deployment: dict[str, Any]) -> Flow[..., Any]:
    return load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False)


def keys_of(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def test_every_key_of_the_file_is_one_that_prefect_reads() -> None:
    assert set(FILE) - OF_YAML <= keys_of(PrefectYamlModel)
    assert PrefectYamlModel.model_validate(FILE).deployments != []


@deployments
def test_every_key_of_a_deployment_is_one_that_prefect_reads(deployment: dict[str, Any]) -> None:
    assert set(deployment) <= keys_of(DeploymentConfig)
    assert set(deployment["work_pool"]) <= keys_of(WorkPoolConfig)
    if (limit := deployment.get("concurrency_limit")) is not None:
        assert set(limit) <= keys_of(ConcurrencyLimitSpec)
        assert limit["collision_strategy"] in set(ConcurrencyLimitStrategy)
    DeploymentConfig.model_validate(deployment)


@deployments
def test_a_deployment_finds_its_flow_and_says_what_it_is_for(deployment: dict[str, Any]) -> None:
    flow = flow_of(deployment)
    assert inspect.getsourcefile(flow.fn) == str(ROOT / deployment["entrypoint"].partition(":")[0])
    assert deployment["description"].endswith(".")
    assert "azure-batch" in deployment["tags"]


def test_names_are_given_once_and_all_use_the_pool_that_make_deploy_makes() -> None:
    names = [(flow_of(deployment).name, deployment["name"]) for deployment in FILE["deployments"]]
    assert len(set(names)) == len(names)
    assert {deployment["work_pool"]["name"] for deployment in FILE["deployments"]} == {"azure-batch"}
    makefile = (ROOT / "Makefile").read_text()
    assert "work-pool create azure-batch --type process" in makefile
    assert "worker start --pool azure-batch" in makefile


@deployments
def test_a_deployment_runs_with_the_parameters_it_has(deployment: dict[str, Any]) -> None:
    """A schedule gives no others; what the form would refuse must not stand here either."""
    flow = flow_of(deployment)
    parameters = deployment.get("parameters", {})
    Draft202012Validator(_plain_schema(flow)).validate(parameters)
    flow.validate_parameters(parameters)


@deployments
def test_the_form_has_a_title_and_a_word_of_help_for_each_parameter(deployment: dict[str, Any]) -> None:
    fields = _plain_schema(flow_of(deployment))["properties"]
    assert {name for name, field in fields.items() if field.get("title", name) == name} == set()
    assert {name for name, field in fields.items() if not field.get("description")} == set()


@deployments
def test_no_parameter_is_a_secret(deployment: dict[str, Any]) -> None:
    """Prefect keeps parameters in clear, secret types too (measured): accounts are blocks, given by name."""
    schema = _plain_schema(flow_of(deployment))
    groups = [schema, *schema.get("definitions", {}).values()]
    fields = {name: field for group in groups for name, field in group.get("properties", {}).items()}
    assert fields != {}
    assert "password" not in str(fields)
    assert not [name for name in fields if any(word in name for word in ("key", "secret", "sas", "token"))]


@deployments
def test_schedules_are_off_until_somebody_switches_them_on(deployment: dict[str, Any]) -> None:
    for schedule in deployment.get("schedules", []):
        RawScheduleConfig.model_validate(schedule)
        _schedule_config_to_deployment_schedule(schedule)
        assert schedule["timezone"]
        assert schedule["slug"]
        if deployment["entrypoint"].endswith(":top_n_words"):
            assert schedule["active"] is False


@deployments
def test_triggers_are_ones_that_prefect_knows(deployment: dict[str, Any]) -> None:
    triggers = deployment.get("triggers", [])
    assert len(_initialize_deployment_triggers(deployment["name"], triggers)) == len(triggers)


def test_one_pass_of_the_collector_follows_another_for_each_run_of_ours_that_ends_badly() -> None:
    flows = {flow_of(deployment).name for deployment in FILE["deployments"]} - {"collect-garbage"}
    (collector,) = (one for one in FILE["deployments"] if one["name"] == "scheduled")
    (trigger,) = collector["triggers"]
    assert set(trigger["match_related"]["prefect.resource.name"]) == flows
    assert collector["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}


def test_the_automation_looks_at_our_flows_alone() -> None:
    flows = {flow_of(deployment).name for deployment in FILE["deployments"]} - {"collect-garbage"}
    trigger = yaml.safe_load((ROOT / "automations" / "zombie-runs.yaml").read_text("utf-8"))["trigger"]
    assert trigger["match_related"]["prefect.resource.role"] == "flow"
    assert set(trigger["match_related"]["prefect.resource.name"]) == flows


def test_what_runs_on_azure_asks_for_an_account_and_what_runs_locally_for_none() -> None:
    accounts = {
        name_of(deployment): deployment.get("parameters", {}).get("account")
        for deployment in FILE["deployments"]
    }
    assert accounts["top_n_words/local"] == "local"
    assert accounts["top_n_words/azure"] == "environment"
    assert not {account for name, account in accounts.items() if name.endswith("/azure")} & {None, "local"}


def _plain_schema(flow: Flow[..., Any]) -> dict[str, Any]:
    return parameter_schema(flow).model_dump(exclude_none=True)
