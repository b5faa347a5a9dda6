"""Who is not let in: unsigned, wrongly signed, late and misdirected requests."""

import datetime as dt
import time
from email.utils import format_datetime

import httpx
import pytest
from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError

from flows.local_stack.emulator import BatchAccount
from tests.web import client

VERSION = {"api-version": "2025-06-01"}
OTHER_KEY = "b3RoZXIga2V5"


def refusal(answer: httpx.Response) -> tuple[int, str]:
    document = answer.json()
    assert set(document) >= {"odata.metadata", "code", "message"}
    assert document["message"]["lang"] == "en-US"
    return answer.status_code, document["code"]


def test_an_unsigned_request_is_refused_with_the_services_error(emulator: BatchAccount) -> None:
    answer = client().get(f"{emulator.endpoint}/pools", params=VERSION)
    assert refusal(answer) == (403, "AuthenticationFailed")


def test_a_signature_with_another_key_is_refused(emulator: BatchAccount) -> None:
    credential = AzureNamedKeyCredential(emulator.name, OTHER_KEY)
    with (
        BatchClient(emulator.endpoint, credential) as client,
        pytest.raises(HttpResponseError, match="AuthenticationFailed") as refused,
    ):
        list(client.list_pools())
    assert refused.value.status_code == 403


def test_another_account_is_refused(emulator: BatchAccount) -> None:
    credential = AzureNamedKeyCredential("somebody", emulator.key)
    with BatchClient(emulator.endpoint, credential) as client, pytest.raises(HttpResponseError) as refused:
        list(client.list_pools())
    assert refused.value.status_code == 403


def test_a_request_signed_more_than_15_minutes_ago_is_refused(emulator: BatchAccount) -> None:
    old = dt.datetime.fromtimestamp(time.time() - 16 * 60, tz=dt.UTC)
    credential = AzureNamedKeyCredential(emulator.name, emulator.key)
    with BatchClient(emulator.endpoint, credential) as client, pytest.raises(HttpResponseError) as refused:
        list(client.list_pools(ocp_date=old))
    assert refused.value.status_code == 403


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("Bearer abc", marks=pytest.mark.keys),
        "SharedKey",
        "SharedKey localbatch",
        "Basic YTpi",
        "SharedKey a:b:c",
    ],
)
def test_a_malformed_authorization_is_refused(emulator: BatchAccount, header: str) -> None:
    answer = client().get(f"{emulator.endpoint}/pools", params=VERSION, headers={"Authorization": header})
    assert refusal(answer)[0] in (400, 403)


@pytest.mark.parametrize("path", ["/pools", "/_emulator/health"])
def test_a_foreign_host_header_is_refused_on_every_path(emulator: BatchAccount, path: str) -> None:
    answer = client().get(f"{emulator.endpoint}{path}", params=VERSION, headers={"Host": "attacker.example"})
    assert refusal(answer) == (403, "AuthenticationFailed")


def test_a_web_page_of_another_origin_is_refused(emulator: BatchAccount) -> None:
    headers = {"Origin": "https://attacker.example"}
    answer = client().get(f"{emulator.endpoint}/_emulator/health", headers=headers)
    assert refusal(answer)[0] == 403


def test_the_control_plane_answers_this_machine(emulator: BatchAccount) -> None:
    assert client().get(f"{emulator.endpoint}/_emulator/health").json()["status"] == "ok"


def test_unknown_members_and_versions_are_refused_by_name(emulator: BatchAccount) -> None:
    credential = AzureNamedKeyCredential(emulator.name, emulator.key)
    with BatchClient(emulator.endpoint, credential) as client:
        with pytest.raises(HttpResponseError, match="colour") as refused:
            client.create_job({"id": "j", "poolInfo": {"poolId": "p"}, "colour": "red"})  # type: ignore[arg-type]
        assert refused.value.status_code == 400
    old = BatchClient(emulator.endpoint, credential, api_version="2017-01-01.4.0")
    with old, pytest.raises(HttpResponseError, match="UnsupportedRequestVersion"):
        old.get_job("j")


def test_query_parameters_that_an_operation_has_not_are_refused_by_name(emulator: BatchAccount) -> None:
    credential = AzureNamedKeyCredential(emulator.name, emulator.key)
    with BatchClient(emulator.endpoint, credential) as client:
        with pytest.raises(HttpResponseError, match=r"(?s)UnsupportedQueryParameter.*colour"):
            list(client.list_pools(params={"colour": "red"}))
        with pytest.raises(HttpResponseError, match=r"(?s)InvalidQueryParameterValue.*maybe"):
            client.begin_delete_job("j", params={"force": "maybe"})


def test_the_key_is_in_no_answer(emulator: BatchAccount) -> None:
    for path in ("/pools", "/_emulator/health", "/nowhere"):
        assert emulator.key not in client().get(f"{emulator.endpoint}{path}", params=VERSION).text


def test_dates_are_read_in_the_form_http_has(emulator: BatchAccount) -> None:
    headers = {
        "Authorization": "SharedKey a:b",
        "ocp-date": format_datetime(dt.datetime.now(dt.UTC), usegmt=True),
    }
    assert client().get(f"{emulator.endpoint}/pools", params=VERSION, headers=headers).status_code == 403
