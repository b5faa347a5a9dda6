"""How long and how often a call to Azure is tried again.

Batch asks its clients to retry for at least five minutes with growing waits (documented). The SDK's own
retries give up sooner, skip 429 on POST, and sleep through `Retry-After` where nothing can interrupt them:
they are switched off, and this layer stands around every call. A run that is being closed interrupts all
waiting at once.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.paging import ItemPaged

from batch_tasks.errors import RunClosing

T = TypeVar("T")
TRANSIENT_STATUS = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Patience:
    """Seconds: how long to go on in all, to wait first, and to wait at most between tries.

    `unreachable` is how long to go on while nobody answers at all: no connection, or no token to sign in
    with. None: as long as with any other trouble.
    """

    budget: float = 300.0
    first_wait: float = 0.5
    longest_wait: float = 30.0
    unreachable: float | None = None

    def lasts(self, error: BaseException) -> float:
        """How long to go on with errors such as this one."""
        nobody = isinstance(error, ServiceRequestError | ClientAuthenticationError)
        return self.budget if self.unreachable is None or not nobody else min(self.unreachable, self.budget)

    def wait(self, tries: int) -> float:
        """How long to wait after so many failed tries, before jitter."""
        return float(min(self.longest_wait, self.first_wait * 2 ** min(tries - 1, 30)))


USUAL = Patience()
FIRST_CONTACT = Patience(unreachable=20.0)
"""For the first calls of a run: a mistyped endpoint, or nobody being signed in, should not take five minutes
to be found out. A service that answers, if only that it is busy, is asked for as long as ever.
"""
CLEANING = Patience(budget=6.0, longest_wait=2.0)
"""Prefect grants a cancelled run 30 s in all (measured), so clean-up may not insist."""

_closing: ContextVar[threading.Event] = ContextVar("run_is_closing")


@contextmanager
def open_run() -> Iterator[threading.Event]:
    """Within the block, setting the event ends every wait of this context and of threads that copied it."""
    closing = threading.Event()
    token = _closing.set(closing)
    try:
        yield closing
    finally:
        _closing.reset(token)


def stop_if_closing() -> None:
    """Raise RunClosing when the run is being closed."""
    closing = _closing.get(None)
    if closing is not None and closing.is_set():
        raise RunClosing("The run is being closed.")


def pause(seconds: float) -> None:
    """Sleep, unless the run is being closed: then raise RunClosing at once."""
    closing = _closing.get(None)
    if closing is None:
        time.sleep(seconds)
    else:
        closing.wait(seconds)
        stop_if_closing()


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed a little later: throttling, server trouble, a connection that broke
    or an answer that was cut short, and no token, as when the network or a sign-in service was away.
    """
    if isinstance(error, ClientAuthenticationError):
        return error.response is None  # nobody refused us: there was no token to show
    if isinstance(error, HttpResponseError):
        return isinstance(error, DecodeError) or error.status_code in TRANSIENT_STATUS
    return isinstance(error, ServiceRequestError | ServiceResponseError)


def retry_after(error: BaseException) -> float | None:
    """The seconds the service asks to wait, where it does. Dates, which Batch does not send, are ignored."""
    response = getattr(error, "response", None)
    headers = getattr(response, "headers", None) or {}
    try:
        return max(0.0, float(headers["Retry-After"]))
    except (KeyError, ValueError):
        return None


def patiently(
    call: Callable[[], T],
    *,
    patience: Patience = USUAL,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = pause,
    jitter: Callable[[], float] = random.random,
) -> T:
    """The result of `call`, tried again while its errors are transient and the budget lasts.

    Args:
        call: one request; it must be harmless to repeat.
        patience: the budget and the waits.
        now: a clock in seconds.
        sleep: waits; raises to give up.
        jitter: a number in [0, 1); the wait is stretched by up to half of itself.

    Raises:
        AzureError: what is not transient, at once; what is, when the budget is spent.
    """
    began = now()
    tries = 0
    while True:
        try:
            return call()
        except AzureError as error:
            tries += 1
            asked = retry_after(error)
            wait = patience.wait(tries) * (1 + jitter() / 2) if asked is None else asked
            if not is_transient(error) or now() + wait > began + patience.lasts(error):
                raise
        sleep(wait)


def patient_list(listing: Callable[[], ItemPaged[T]], *, patience: Patience = USUAL) -> list[T]:
    """All items of a list that comes in pages, each page asked for patiently: a page that fails does not
    begin the list anew.

    Raises:
        AzureError: as `patiently`.
    """
    pages = listing().by_page()
    items: list[T] = []
    while (page := patiently(lambda: next(pages, None), patience=patience)) is not None:
        items.extend(page)
    return items
