"""Calls are tried again while that may help, and no longer."""

import threading
from collections.abc import Iterator

import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.paging import ItemPaged
from azure.identity import CredentialUnavailableError

from batch_tasks.errors import RunClosing
from batch_tasks.patience import (
    FIRST_CONTACT,
    Patience,
    is_transient,
    open_run,
    patient_list,
    patiently,
    pause,
)


class Answer:
    """As much of an HTTP response as an error keeps."""

    reason = "for the test"

    def __init__(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.status_code = status
        self.headers = headers or {}

    def text(self) -> str:
        return ""


def http_error(status: int, **headers: str) -> HttpResponseError:
    error = HttpResponseError("refused")
    error.status_code = status
    error.response = Answer(status, {name.replace("_", "-"): value for name, value in headers.items()})  # type: ignore[assignment]
    return error


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds


def call_with(outcomes: Iterator[Exception | str], time: Time, patience: Patience | None = None) -> str:
    def call() -> str:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return patiently(
        call, patience=patience or Patience(), now=time.now, sleep=time.sleep, jitter=lambda: 0.0
    )


def test_transient_errors_are_waited_out_with_growing_waits() -> None:
    time = Time()
    outcomes: list[Exception | str] = [
        http_error(503),
        http_error(429),
        ServiceRequestError("broken"),
        "done",
    ]
    assert call_with(iter(outcomes), time) == "done"
    assert time.waits == [0.5, 1.0, 2.0]


def test_the_wait_the_service_asks_for_is_kept() -> None:
    time = Time()
    assert call_with(iter([http_error(429, Retry_After="7"), "done"]), time) == "done"
    assert time.waits == [7.0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 413])
def test_what_will_not_pass_is_raised_at_once(status: int) -> None:
    time = Time()
    with pytest.raises(HttpResponseError):
        call_with(iter([http_error(status)]), time)
    assert time.waits == []


def test_the_budget_bounds_all_waiting() -> None:
    time = Time()
    with pytest.raises(HttpResponseError):
        call_with(iter(lambda: http_error(500), None), time, Patience(budget=60))
    assert 30 < time.seconds <= 60


@pytest.mark.parametrize(
    "error",
    [
        CredentialUnavailableError("The network was away."),
        ClientAuthenticationError("No credential of the chain gave a token."),
        IncompleteReadError("cut short"),
        DecodeError("half a document"),
    ],
)
def test_a_token_that_could_not_be_had_and_half_an_answer_are_waited_out(error: AzureError) -> None:
    time = Time()
    assert call_with(iter([error, error, "done"]), time) == "done"


def test_who_is_refused_by_an_answer_is_told_at_once() -> None:
    error = ClientAuthenticationError("wrong key")
    error.response = Answer(401)  # type: ignore[assignment]
    time = Time()
    with pytest.raises(ClientAuthenticationError):
        call_with(iter([error]), time)
    assert time.waits == []


@pytest.mark.parametrize(
    ("error", "least", "most"),
    [
        (ServiceRequestError("no such host"), 10, 20),
        (CredentialUnavailableError("nobody is signed in"), 10, 20),
        (ServiceResponseError("the connection broke"), 270, 300),
        (http_error(503), 270, 300),
    ],
)
def test_at_first_contact_only_who_does_not_answer_at_all_is_given_up_soon(
    error: AzureError, least: float, most: float
) -> None:
    time = Time()
    with pytest.raises(type(error)):
        call_with(iter(lambda: error, None), time, FIRST_CONTACT)
    assert least < time.seconds <= most


def test_a_wait_of_minutes_is_kept_even_at_first_contact() -> None:
    time = Time()
    throttled = http_error(429, Retry_After="120")
    assert call_with(iter([throttled, "done"]), time, FIRST_CONTACT) == "done"
    assert time.waits == [120.0]


def test_a_page_that_fails_does_not_begin_the_list_anew() -> None:
    asked: list[str | None] = []

    def page(token: str | None) -> tuple[str | None, list[str]]:
        asked.append(token)
        if token == "second" and asked.count("second") == 1:
            raise throttled_for_no_time
        return {None: ("second", ["a", "b"]), "second": ("third", []), "third": (None, ["c"])}[token]

    throttled_for_no_time = http_error(429, Retry_After="0")
    assert patient_list(lambda: ItemPaged(page, lambda answer: answer)) == ["a", "b", "c"]
    assert asked == [None, "second", "second", "third"]


def test_errors_of_our_own_are_not_azures() -> None:
    assert not is_transient(ValueError())


def test_a_closing_run_ends_every_wait_at_once() -> None:
    with open_run() as closing:
        threading.Timer(0, closing.set).start()
        with pytest.raises(RunClosing):
            pause(60)


def test_a_closed_run_does_not_disturb_what_opens_after_it() -> None:
    with open_run() as closing:
        closing.set()
        with open_run():
            pause(0)
