"""One class per error code: code, status, message and details."""

import subprocess
import sys

import pytest

from batch_emulator import errors
from batch_emulator.errors import BatchError

CLASSES = sorted(
    (c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, BatchError)),
    key=lambda c: c.__name__,
)
CODES = [c for c in CLASSES if c is not BatchError and not c.__name__.startswith("_")]


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        ("PoolExists", 409, "The specified pool already exists."),
        ("JobExists", 409, "The specified job already exists."),
        ("JobNotFound", 404, "The specified job does not exist."),
        ("JobNotActive", 409, "The specified job is not in active state."),
        (
            "InvalidPropertyValue",
            400,
            "The value provided for one of the properties in the request body is invalid.",
        ),
        ("AuthenticationFailed", 403, None),
        ("InvalidAuthenticationInfo", 400, None),
        ("ConditionNotMet", 412, None),
        ("RequestBodyTooLarge", 413, None),
        ("TooManyRequests", 429, None),
        ("ServerBusy", 503, None),
    ],
)
def test_an_error_has_the_services_code_status_and_words(code: str, status: int, message: str | None) -> None:
    error = getattr(errors, code)()
    assert (error.code, error.status) == (code, status)
    assert message is None or error.message == message


def test_a_condition_that_a_read_does_not_meet_is_the_same_code_with_another_status() -> None:
    assert errors.ConditionNotMetOnRead.code == errors.ConditionNotMet.code == "ConditionNotMet"
    assert errors.ConditionNotMetOnRead.status == 304


@pytest.mark.parametrize("cls", CODES, ids=lambda c: c.__name__)
def test_every_error_says_something_in_one_line(cls: type[BatchError]) -> None:
    error = cls()
    assert error.message.endswith(".")
    assert "\n" not in error.message
    assert "  " not in error.message
    assert error.status >= 300


def test_keyword_arguments_become_the_details_in_their_order() -> None:
    error = errors.InvalidPropertyValue(PropertyName="enableAutoScale", PropertyValue=True, Reason="no")
    assert list(error.values.items()) == [
        ("PropertyName", "enableAutoScale"),
        ("PropertyValue", "true"),
        ("Reason", "no"),
    ]


def test_the_text_of_the_exception_leaves_the_details_out_for_they_can_hold_secrets() -> None:
    assert "sig=secret" not in repr(errors.InvalidPropertyValue(PropertyValue="https://x?sig=secret"))


def test_an_error_can_say_when_to_come_back() -> None:
    assert errors.TooManyRequests(retry_after=2.5).retry_after == 2.5
    assert errors.TooManyRequests().retry_after is None


def test_without_docstrings_the_code_speaks_for_itself() -> None:
    script = "from batch_emulator.errors import JobNotFound as E; print(E().message, '|', E())"
    run = subprocess.run([sys.executable, "-OO", "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "Job not found. | (JobNotFound) Job not found."
