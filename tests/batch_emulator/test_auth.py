"""Signatures: those of the official client are accepted, anything else is not."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.batch import BatchClient, models
from azure.core import MatchConditions
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline.transport import HttpTransport
from azure.core.rest import HttpRequest

from batch_emulator.auth import (
    Request,
    SharedKey,
    allowed_host,
    allowed_origin,
    authenticate,
    check_source,
    strings_to_sign,
)
from batch_emulator.errors import AuthenticationFailed, BatchError, InvalidAuthenticationInfo

ACCOUNT = "myaccount"
KEY = base64.b64encode(b"0123456789abcdef" * 4).decode()
OURS = SharedKey.from_text(ACCOUNT, KEY)


class Recorder(HttpTransport[HttpRequest, Any]):
    """Keeps the request that the client would send, and fails to send it."""

    def __init__(self) -> None:
        self.sent: list[HttpRequest] = []

    def open(self) -> None: ...

    def close(self) -> None: ...

    def __exit__(self, *args: object) -> None: ...

    def send(self, request: HttpRequest, **_: Any) -> Any:
        self.sent.append(request)
        raise ServiceRequestError("not sent")


def sent_by(call: Callable[[BatchClient], Any], endpoint: str = "http://127.0.0.1:10010") -> Request:
    """What the official client sends for a call."""
    recorder = Recorder()
    client = BatchClient(endpoint, AzureNamedKeyCredential(ACCOUNT, KEY), transport=recorder, retry_total=0)
    with pytest.raises(ServiceRequestError):
        call(client)
    request = recorder.sent[0]
    url = urlsplit(request.url)
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Request(request.method, url.path, url.query, headers)


def clock(request: Request) -> float:
    return (
        datetime.strptime(request.headers["ocp-date"], "%a, %d %b %Y %H:%M:%S %Z")
        .replace(tzinfo=UTC)
        .timestamp()
    )


def refusal(request: Request, now: float | None = None) -> BatchError:
    with pytest.raises(BatchError) as caught:
        authenticate(request, [OURS], clock(request) if now is None else now)
    return caught.value


CALLS: dict[str, Callable[[BatchClient], Any]] = {
    "GET": lambda c: c.get_pool("p"),
    "GET a list with a filter": lambda c: list(
        c.list_tasks(
            "j", filter="startswith(id,'a b+c') and state eq 'ä'", select=["id", "state"], max_results=7
        )
    ),
    "GET a list in time": lambda c: list(
        c.list_pool_usage_metrics(starttime=datetime(2025, 1, 1, tzinfo=UTC), service_timeout=30)
    ),
    "GET part of a file": lambda c: c.download_task_file("j", "t", "wd/a b#%ü.txt", ocp_range="bytes=0-9"),
    "HEAD": lambda c: c.pool_exists("p"),
    "HEAD a file": lambda c: c.get_node_file_properties("p", "n", "startup/std out.txt"),
    "HEAD unless modified": lambda c: c.job_schedule_exists(
        "s",
        if_modified_since=datetime(2025, 1, 1, tzinfo=UTC),
        if_unmodified_since=datetime(2026, 1, 1, tzinfo=UTC),
    ),
    "POST": lambda c: c.create_job(
        models.BatchJobCreateOptions(id="j", pool_info=models.BatchPoolInfo(pool_id="p"), display_name="é")
    ),
    "POST without a body": lambda c: c.enable_node_scheduling("p", "n"),
    "POST if it matches": lambda c: c.reactivate_task(
        "j", "t", etag='"0x8D1"', match_condition=MatchConditions.IfNotModified
    ),
    "PUT": lambda c: c.replace_task("j", "t", models.BatchTask(constraints=models.BatchTaskConstraints())),
    "PATCH": lambda c: c.update_job("S:job-1", models.BatchJobUpdateOptions(priority=1)),
    "PATCH if there is none": lambda c: c.update_pool(
        "p", models.BatchPoolUpdateOptions(), etag="x", match_condition=MatchConditions.IfModified
    ),
    "DELETE": lambda c: c.delete_task("j", "t"),
    "DELETE with a date of its own": lambda c: c.delete_task_file(
        "j", "t", "wd/x", recursive=True, ocp_date=datetime(2025, 1, 1, tzinfo=UTC)
    ),
}


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:10010", "http://127.0.0.1:10010/with%20prefix/"])
@pytest.mark.parametrize("name", CALLS)
def test_what_the_official_client_signs_is_accepted(name: str, endpoint: str) -> None:
    request = sent_by(CALLS[name], endpoint)
    assert request.method in name
    authenticate(request, [OURS], clock(request))


@pytest.mark.parametrize("name", ["GET a list with a filter", "POST", "DELETE"])
def test_one_call_is_accepted_at_the_first_try_of_the_ways_to_sign(name: str) -> None:
    request = sent_by(CALLS[name])
    first = next(iter(strings_to_sign(ACCOUNT, request)))
    assert request.headers["authorization"] == f"SharedKey {ACCOUNT}:{OURS.sign(first)}"


@pytest.mark.parametrize("name", CALLS)
def test_another_key_is_refused(name: str) -> None:
    request = sent_by(CALLS[name])
    other = SharedKey(ACCOUNT, b"another key")
    with pytest.raises(AuthenticationFailed):
        authenticate(request, [other], clock(request))


@pytest.mark.parametrize(
    "change",
    [
        {"method": "DELETE"},
        {"raw_path": "/pools/q"},
        {"raw_query": "api-version=2020-09-01.12.0"},
        {"raw_query": "api-version=2025-06-01&force=true"},
    ],
    ids=str,
)
def test_a_request_that_was_changed_on_the_way_is_refused(change: dict[str, Any]) -> None:
    request = replace(sent_by(CALLS["GET"]), **change)
    assert isinstance(refusal(request), AuthenticationFailed)


def test_the_length_of_a_body_is_signed() -> None:
    request = sent_by(CALLS["POST"])
    longer = replace(request, headers={**request.headers, "content-length": "1"})
    assert isinstance(refusal(longer), AuthenticationFailed)


def signed(request: Request, text: str) -> Request:
    headers = {**request.headers, "authorization": f"SharedKey {ACCOUNT}:{OURS.sign(text)}"}
    return replace(request, headers=headers)


@pytest.mark.parametrize(
    ("method", "length", "signed_length"),
    [("DELETE", "0", ""), ("DELETE", None, ""), ("POST", None, "0"), ("GET", "0", ""), ("GET", "0", "0")],
)
def test_no_body_may_be_signed_as_length_zero_or_as_none(
    method: str, length: str | None, signed_length: str
) -> None:
    date = "Fri, 31 Jan 2025 12:00:00 GMT"
    headers = {"ocp-date": date} | ({} if length is None else {"content-length": length})
    request = Request(method, "/jobs/j", "api-version=2025-06-01", headers)
    lines = f"{method}\n\n\n{signed_length}" + "\n" * 9
    text = f"{lines}ocp-date:{date}\n/{ACCOUNT}/jobs/j\napi-version:2025-06-01"
    authenticate(signed(request, text), [OURS], clock(request))


def test_names_of_parameters_may_be_signed_in_lower_case_and_a_date_left_out() -> None:
    date = "Fri, 31 Jan 2025 12:00:00 GMT"
    request = Request("GET", "/jobs", "timeOut=30&api-version=1", {"ocp-date": date, "date": date})
    text = f"GET{chr(10) * 12}ocp-date:{date}\n/{ACCOUNT}/jobs\napi-version:1\ntimeout:30"
    authenticate(signed(request, text), [OURS], clock(request))


@pytest.mark.parametrize(("offset", "accepted"), [(-901, False), (-900, True), (900, True), (901, False)])
def test_a_request_is_good_for_fifteen_minutes(offset: int, accepted: bool) -> None:
    request = sent_by(CALLS["GET"])
    now = clock(request) + offset
    if accepted:
        authenticate(request, [OURS], now)
    else:
        assert "15 minutes" in refusal(request, now).values["AuthenticationErrorDetail"]


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_a_request_without_a_date_is_refused(date: str | None) -> None:
    request = sent_by(CALLS["GET"])
    headers = {**request.headers, "ocp-date": date or ""}
    assert isinstance(refusal(replace(request, headers=headers), 0.0), AuthenticationFailed)


def test_a_request_without_a_signature_is_refused() -> None:
    error = refusal(replace(sent_by(CALLS["GET"]), headers={}), 0.0)
    assert (error.code, error.status) == ("AuthenticationFailed", 403)


@pytest.mark.parametrize(
    "header",
    ["SharedKey", "SharedKey abc", "SharedKey :abc", "SharedKey myaccount:", "Basic eA==", "Bearer x"],
)
def test_a_malformed_header_is_refused_as_such(header: str) -> None:
    request = sent_by(CALLS["GET"])
    error = refusal(replace(request, headers={**request.headers, "authorization": header}))
    assert (error.code, error.status) == ("InvalidAuthenticationInfo", 400)


@pytest.mark.parametrize(
    "header", ["SharedKey other:abc", "SharedKey myaccount:é", "sharedkey myaccount:AAAA"]
)
def test_a_signature_that_proves_nothing_is_refused(header: str) -> None:
    request = sent_by(CALLS["GET"])
    error = refusal(replace(request, headers={**request.headers, "authorization": header}))
    assert isinstance(error, AuthenticationFailed)


def test_another_scheme_fits_beside_the_shared_key() -> None:
    class Password:
        scheme = "basic"

        def authenticate(self, credentials: str, request: Request, now: float) -> None:
            del request, now
            if credentials != "eA==":
                raise InvalidAuthenticationInfo

    request = Request("GET", "/", "", {"authorization": "Basic eA=="})
    authenticate(request, [OURS, Password()], 0.0)


def test_the_key_is_never_shown() -> None:
    request = sent_by(CALLS["GET"])
    assert "0123456789" not in repr(OURS)
    assert "SharedKey" not in repr(request)
    error = refusal(
        replace(request, headers={**request.headers, "authorization": f"SharedKey {ACCOUNT}:AAAA"})
    )
    assert KEY not in str(error.values)


def test_a_key_that_is_no_base64_is_refused_without_showing_it() -> None:
    with pytest.raises(ValueError, match="base64") as caught:
        SharedKey.from_text(ACCOUNT, "not base64!")
    assert "not base64!" not in str(caught.value)


OWN = {"localhost", "127.0.0.1", "::1"}


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1:10010", True),
        ("localhost", True),
        ("LOCALHOST:1", True),
        ("localhost.:1", True),
        ("[::1]:10010", True),
        ("evil.example:10010", False),
        ("127.0.0.1.evil.example", False),
        ("localhost@evil.example", False),
        ("evil@localhost", False),
        ("localhost/evil", False),
        ("[::1", False),
        ("", False),
        (None, False),
    ],
)
def test_only_the_emulators_own_names_are_hosts(host: str | None, allowed: bool) -> None:
    assert allowed_host(host, OWN) is allowed


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://127.0.0.1:10010", True),
        ("http://127.0.0.1:3000", False),
        ("https://evil.example", False),
        ("null", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_pages_of_other_origins_are_refused(origin: str | None, allowed: bool) -> None:
    assert allowed_origin(origin, "127.0.0.1:10010") is allowed


def test_host_and_origin_are_refused_as_not_authenticated() -> None:
    check_source({"host": "127.0.0.1:10010"}, OWN)
    with pytest.raises(AuthenticationFailed):
        check_source({"host": "evil.example"}, OWN)
    with pytest.raises(AuthenticationFailed):
        check_source({"host": "localhost:1", "origin": "http://evil.example"}, OWN)


def test_a_colon_that_was_signed_encoded_may_be_sent_as_a_colon() -> None:
    signed_as = sent_by(lambda client: client.get_job("schedule:job-1"))
    assert "%3Ajob-1" in signed_as.raw_path
    sent_as = Request(
        signed_as.method, signed_as.raw_path.replace("%3A", ":"), signed_as.raw_query, signed_as.headers
    )
    authenticate(sent_as, [OURS], clock(sent_as))
