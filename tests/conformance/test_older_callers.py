"""Programs written for an older api-version, bearer tokens, endpoints below a path, bodies in chunks."""

import base64
import json
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from azure.batch import BatchClient, models
from azure.core.credentials import AccessToken, AzureNamedKeyCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy

from batch_emulator.auth import Request, SharedKey, strings_to_sign
from flows.local_stack.emulator import BatchAccount
from tests import web
from tests.conformance import scene
from tests.conformance.own_emulator import Control, running

TENANT = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def emulator() -> Iterator[BatchAccount]:
    with running("--oauth", "basic", "--path-prefix", "/account") as account:
        yield account


@pytest.fixture(autouse=True)
def clean(emulator: BatchAccount) -> Iterator[None]:
    yield
    Control(emulator.endpoint).clean()


def client(account: BatchAccount, **more: Any) -> BatchClient:
    return BatchClient(account.endpoint, AzureNamedKeyCredential(account.name, account.key), **more)


def ask(
    account: BatchAccount, method: str, path: str, body: Any = None, content: Any = None, **query: str
) -> httpx.Response:
    """A signed request of no client in particular."""
    url = httpx.URL(f"{account.endpoint}{path}", params=query)
    headers = {"ocp-date": formatdate(time.time(), usegmt=True)}
    content = json.dumps(body).encode() if body is not None else content
    if isinstance(content, bytes):
        headers |= {"content-length": str(len(content)), "content-type": "application/json"}
    parts = urlsplit(str(url))
    key = SharedKey.from_text(account.name, account.key)
    text = next(iter(strings_to_sign(account.name, Request(method, parts.path, parts.query, headers))))
    headers["Authorization"] = f"SharedKey {account.name}:{key.sign(text)}"
    return web.client().request(method, url, content=content, headers=headers)


def test_paths_below_a_prefix_are_signed_answered_and_linked_with_it(emulator: BatchAccount) -> None:
    assert emulator.endpoint.endswith("/account")
    with client(emulator) as batch:
        for name in ("a", "b", "c"):
            batch.create_pool(scene.pool_options(name, target_dedicated_nodes=0))
        assert [pool.id for pool in batch.list_pools(max_results=1)] == ["a", "b", "c"]
        assert batch.get_pool("a").url == f"{emulator.endpoint}/pools/a"
    outside = emulator.endpoint.removesuffix("/account")
    assert web.client().get(f"{outside}/_emulator/health").status_code in (400, 403)


@pytest.mark.parametrize("version", ["2020-09-01.12.0", "2022-01-01.15.0", "2024-07-01.20.0"])
def test_members_that_are_no_more_are_taken_from_callers_of_their_time_only(
    emulator: BatchAccount, version: str
) -> None:
    options: Any = {
        **scene.pool_options("p", target_dedicated_nodes=0).as_dict(),
        "certificateReferences": [],
        "targetNodeCommunicationMode": "simplified",
        "resourceTags": {"cost": "none"},
    }
    with (
        client(emulator) as batch,
        pytest.raises(HttpResponseError, match="certificateReferences") as refused,
    ):
        batch.create_pool(options)
    assert refused.value.status_code == 400
    with client(emulator, api_version=version) as batch:
        batch.create_pool(options)
        assert batch.get_pool("p").id == "p"


def test_nodes_tell_older_callers_their_certificates(emulator: BatchAccount) -> None:
    with client(emulator) as batch, scene.pool(batch, "p"):  # type: ignore[arg-type]
        (node,) = ask(emulator, "GET", "/pools/p/nodes", **{"api-version": "2022-01-01.15.0"}).json()["value"]
        assert node["certificateReferences"] == []
        (node,) = ask(emulator, "GET", "/pools/p/nodes", **{"api-version": "2025-06-01"}).json()["value"]
        assert "certificateReferences" not in node


def test_callers_before_task_slots_say_tasks_per_node_and_get_flat_counts(emulator: BatchAccount) -> None:
    old = {"api-version": "2019-08-01.10.0", "timeout": "30"}
    pool: Any = scene.pool_options("p", target_dedicated_nodes=0).as_dict()
    assert ask(emulator, "POST", "/pools", {**pool, "maxTasksPerNode": 4}, **old).status_code == 201
    assert ask(emulator, "GET", "/pools/p", **old).json()["maxTasksPerNode"] == 4
    assert ask(emulator, "GET", "/pools/p", **{"api-version": "2025-06-01"}).json()["taskSlotsPerNode"] == 4
    job = {"id": "j", "poolInfo": {"poolId": "p"}}
    assert ask(emulator, "POST", "/jobs", job, **old).status_code == 201
    file = {"blobSource": "http://127.0.0.1:9/a/b", "filePath": "b"}
    task = {"id": "t", "commandLine": "true", "resourceFiles": [file]}
    older = {"api-version": "2018-12-01.8.0"}
    assert ask(emulator, "POST", "/jobs/j/tasks", task, **older).status_code == 201
    shown = ask(emulator, "GET", "/jobs/j/tasks/t", **{"api-version": "2025-06-01"}).json()
    assert shown["resourceFiles"] == [{"httpUrl": "http://127.0.0.1:9/a/b", "filePath": "b"}]
    counts = ask(emulator, "GET", "/jobs/j/taskcounts", **old).json()
    assert [counts[name] for name in ("active", "running", "completed")] == [1, 0, 0]


@pytest.mark.parametrize("name", ["timeout", "timeOut"])
@pytest.mark.parametrize(
    ("value", "status", "code"),
    [
        ("30", 200, None),
        ("45", 200, None),
        ("0", 400, "OutOfRangeQueryParameterValue"),
        ("soon", 400, "InvalidQueryParameterValue"),
    ],
)
def test_the_time_a_caller_waits_is_taken_in_either_spelling(
    emulator: BatchAccount, name: str, value: str, status: int, code: str | None
) -> None:
    answer = ask(emulator, "GET", "/pools", **{"api-version": "2025-06-01", name: value})
    assert (answer.status_code, answer.json().get("code")) == (status, code)


def test_operations_that_are_no_more_answer_callers_of_their_time_only(emulator: BatchAccount) -> None:
    agents = ask(emulator, "GET", "/nodeagentskus", **{"api-version": "2018-12-01.8.0"}).json()["value"]
    (ubuntu,) = [agent for agent in agents if agent["id"] == "batch.node.ubuntu 22.04"]
    assert ubuntu["osType"] == "linux"
    assert {"publisher", "offer", "sku"} <= set(ubuntu["verifiedImageReferences"][0])
    certificates = ask(emulator, "GET", "/certificates", **{"api-version": "2024-07-01.20.0"})
    assert certificates.json()["value"] == []
    for path in ("/nodeagentskus", "/certificates"):
        assert ask(emulator, "GET", path, **{"api-version": "2025-06-01"}).status_code == 400


@pytest.mark.parametrize("version", ["2016-07-01.3.1", "latest", "9"])
def test_a_version_that_is_none_or_too_old_is_refused(emulator: BatchAccount, version: str) -> None:
    answer = ask(emulator, "GET", "/pools", **{"api-version": version})
    assert (answer.status_code, answer.json()["code"]) == (400, "UnsupportedRequestVersion")


def test_a_body_may_come_in_chunks_of_unknown_length(emulator: BatchAccount) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"id": "j", "poolInfo": '
        yield b'{"poolId": "p"}}'

    answer = ask(emulator, "POST", "/jobs", content=chunks(), **{"api-version": "2025-06-01"})
    assert answer.status_code == 201, answer.text


@pytest.mark.keys
def test_a_caller_may_wait_to_be_asked_for_the_body(emulator: BatchAccount) -> None:
    import socket

    parts = urlsplit(emulator.endpoint)
    body = json.dumps({"advance": 1}).encode()
    head = (
        f"POST {parts.path}/_emulator/clock HTTP/1.1\r\nHost: {parts.netloc}\r\nX-Batch-Emulator: 1\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    assert parts.hostname is not None
    with socket.create_connection((parts.hostname, parts.port or 80), timeout=20) as connection:
        connection.sendall(head.encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        assert connection.makefile("rb").readline().startswith(b"HTTP/1.1 409 ")


class Plain(SansIOHTTPPolicy[Any, Any]):
    """Lets the SDK send tokens without https."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        request.context["enforce_https"] = False


class Token:
    """A credential that gives one token, whatever it is asked for."""

    def __init__(self, **claims: Any) -> None:
        now = int(time.time())
        given = {
            "aud": "https://batch.core.windows.net/",
            "iss": f"https://sts.windows.net/{TENANT}/",
            "nbf": now - 60,
            "exp": now + 3600,
            **claims,
        }
        parts = ({"alg": "RS256", "typ": "JWT"}, given)
        encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
        self.text = ".".join([*encoded, "signature"])

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        assert scopes == ("https://batch.core.windows.net//.default",)
        return AccessToken(self.text, int(time.time()) + 3600)


def with_token(account: BatchAccount, token: Token) -> BatchClient:
    return BatchClient(account.endpoint, token, per_call_policies=[Plain()])


@pytest.mark.parametrize(
    "issuer", ["https://sts.windows.net/{}/", "https://login.microsoftonline.com/{}/v2.0"]
)
def test_a_token_for_the_batch_service_lets_in(emulator: BatchAccount, issuer: str) -> None:
    with with_token(emulator, Token(iss=issuer.format(TENANT))) as batch:
        batch.create_job(models.BatchJobCreateOptions(id="j", pool_info=models.BatchPoolInfo(pool_id="p")))
        assert [job.id for job in batch.list_jobs()] == ["j"]


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"aud": "https://storage.azure.com/"}, "audience"),
        ({"aud": ["https://batch.core.windows.net/"]}, "audience"),
        ({"iss": "https://issuer.example/"}, "issuer"),
        ({"iss": f"https://sts.windows.net/{TENANT}.example/"}, "issuer"),
        ({"nbf": time.time() + 3600}, "not valid yet"),
        ({"exp": time.time() - 3600}, "expired"),
        ({"exp": None}, "exp"),
        ({"nbf": True}, "nbf"),
    ],
)
def test_a_token_for_another_service_or_time_is_refused_with_401(
    emulator: BatchAccount, claims: dict[str, Any], said: str
) -> None:
    token = Token(**claims)
    with with_token(emulator, token) as batch, pytest.raises(ClientAuthenticationError) as refused:
        list(batch.list_jobs())
    assert refused.value.status_code == 401
    response: Any = refused.value.response
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert said in response.text()
    assert token.text not in response.text()


@pytest.mark.parametrize("token", ["abc", "a.b.c", "e30.W10.x", "..", "e30.e30.x", "e30.\u00e9.x"])
def test_what_is_no_token_is_refused_with_401(emulator: BatchAccount, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}".encode()}
    answer = web.client().get(
        f"{emulator.endpoint}/jobs",
        params={"api-version": "2025-06-01"},
        headers=headers,  # type: ignore[arg-type]
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "AuthenticationFailed")


def test_the_key_still_lets_in_beside_tokens(emulator: BatchAccount) -> None:
    with client(emulator) as batch:
        assert list(batch.list_jobs()) == []
