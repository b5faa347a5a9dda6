"""Which query parameters are taken, and which are refused."""

import inspect
import json
import os
import re
from pathlib import Path

import pytest
from azure.batch import BatchClient

from batch_emulator import queries
from batch_emulator.errors import BatchError
from batch_emulator.operations import OPERATIONS

OFFICIAL = os.environ.get("BATCH_OPENAPI")
OF_ALL = {"api-version", "timeout"}


def refused(operation: str, **query: str) -> BatchError:
    with pytest.raises(BatchError) as caught:
        queries.check(operation, query)
    return caught.value


@pytest.mark.parametrize("operation", [one.name for one in OPERATIONS])
def test_an_unknown_parameter_is_refused_by_name(operation: str) -> None:
    queries.check(operation, {"api-version": "2025-06-01", "timeout": "30", "timeOut": "30"})
    error = refused(operation, bogus="1")
    assert (error.status, error.code) == (400, "UnsupportedQueryParameter")
    assert error.values == {"QueryParameterName": "bogus"}


@pytest.mark.parametrize("operation", ["get_pool", "create_job", "delete_task", "disable_job"])
def test_a_parameter_of_another_operation_is_refused(operation: str) -> None:
    assert refused(operation, maxresults="1").code == "UnsupportedQueryParameter"


@pytest.mark.parametrize("name", ["force", "recursive"])
def test_a_flag_is_true_or_false(name: str) -> None:
    operation = {"force": "delete_job", "recursive": "delete_node_file"}[name]
    queries.check(operation, {name: "true"})
    queries.check(operation, {name: "False"})
    assert refused(operation, **{name: "maybe"}).code == "InvalidQueryParameterValue"
    assert refused(operation, **{name: ""}).code == "InvalidQueryParameterValue"


def test_only_operations_that_there_are_take_parameters() -> None:
    retired = {"list_certificates", "list_node_agent_skus"}
    assert set(queries.TAKEN) <= {one.name for one in OPERATIONS} | retired


@pytest.mark.parametrize("operation", [one.name for one in OPERATIONS])
def test_what_the_official_client_can_send_is_taken(operation: str) -> None:
    method = getattr(BatchClient, operation, None) or getattr(BatchClient, f"begin_{operation}")
    named = set(inspect.signature(inspect.unwrap(method)).parameters)
    sent = {"filter": "$filter", "select": "$select", "expand": "$expand", "max_results": "maxresults"}
    sent |= {"recursive": "recursive", "force": "force", "start_time": "starttime", "end_time": "endtime"}
    wanted = {sent[name] for name in named & set(sent)}
    if operation.startswith("list_"):
        wanted.add("$skiptoken")
    assert wanted <= queries.TAKEN.get(operation, set())


@pytest.mark.skipif(not OFFICIAL, reason="BATCH_OPENAPI does not name the official OpenAPI file")
def test_what_older_callers_can_send_is_taken() -> None:
    official = json.loads(Path(OFFICIAL or "").read_text())
    by_path = {(one.method.lower(), re.sub(r"{\w+}", "{}", one.path)): one.name for one in OPERATIONS}
    for path, methods in (official["paths"] | official.get("x-ms-paths", {})).items():
        for method, described in methods.items():
            operation = by_path.get((method, re.sub(r"{\w+}", "{}", path)))
            if operation is None:
                assert "certificates" in path
                continue
            given = [_resolved(one, official) for one in described["parameters"]]
            names = {one["name"].lower() for one in given if one["in"] == "query"}
            assert names - OF_ALL <= queries.TAKEN.get(operation, set()), operation


def _resolved(parameter: dict[str, str], official: dict[str, dict[str, dict[str, str]]]) -> dict[str, str]:
    reference = parameter.get("$ref")
    return official["parameters"][reference.rsplit("/", 1)[1]] if reference else parameter
