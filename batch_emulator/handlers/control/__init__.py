"""The emulator's own operations, under a prefix that the service does not have.

They are for people and tests on this machine: no signature is asked; the Host header is checked as ever. What
changes something must carry the header `X-Batch-Emulator`, which no web page can send across origins.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from batch_emulator import errors, faults
from batch_emulator.calls import Reply
from batch_emulator.clock import SteppedClock, WallClock
from batch_emulator.emulator import Emulator
from batch_emulator.faults import Rule
from batch_emulator.handlers.control import history, state
from batch_emulator.operations import OPERATIONS
from batch_emulator.resources import Document
from batch_emulator.tables import Mistake

PREFIX = "/_emulator/"
HEADER = "x-batch-emulator"


@dataclass(frozen=True, slots=True)
class Request:
    """One request to the control plane; names of headers in lower case."""

    method: str
    path: str
    raw_query: str
    headers: Mapping[str, str]
    body: Any


async def answer(emulator: Emulator, request: Request) -> Reply:
    """Answer a request to the control plane.

    Raises:
        InvalidUri, UnsupportedHttpVerb: there is no such operation.
        MissingRequiredHeader: it would change something and lacks the header.
        BatchError: as the operation says.
    """
    name, _, rest = request.path.removeprefix(PREFIX).partition("/")
    methods = {method for method, known in _OPERATIONS if known == name}
    if not methods or (rest and name != "faults"):
        raise errors.InvalidUri
    if request.method not in methods:
        raise errors.UnsupportedHttpVerb
    if request.method != "GET" and HEADER not in request.headers:
        raise errors.MissingRequiredHeader(HeaderName="X-Batch-Emulator", Reason="Any value will do.")
    return await _OPERATIONS[request.method, name](emulator, request)


async def _health(emulator: Emulator, request: Request) -> Reply:
    del request
    return Reply(200, {"status": "ok", "account": emulator.account_name})


async def _state(emulator: Emulator, request: Request) -> Reply:
    del request
    return Reply(200, state.document(emulator))


async def _events(emulator: Emulator, request: Request) -> Reply:
    query = {name: values[0] for name, values in parse_qs(request.raw_query).items()}
    since = query.get("since", "0")
    if not (since.isascii() and since.isdigit()):
        raise errors.InvalidQueryParameterValue(QueryParameterName="since", QueryParameterValue=since[:100])
    follow = query.get("follow", "0") not in ("0", "false")
    lines = history.lines(emulator.history, int(since[:18]), follow=follow)
    return Reply(200, None, {"Content-Type": "application/x-ndjson"}, lines)


async def _reset(emulator: Emulator, request: Request) -> Reply:
    del request
    await emulator.reset()
    return Reply(204)


async def _show_clock(emulator: Emulator, request: Request) -> Reply:
    del request
    clock = emulator.clock
    document: Document = {"now": state.moment(clock.now()), "stepped": isinstance(clock, SteppedClock)}
    if isinstance(clock, WallClock):
        document["scale"] = clock.scale
    return Reply(200, document)


async def _move_clock(emulator: Emulator, request: Request) -> Reply:
    clock = emulator.clock
    if not isinstance(clock, SteppedClock):
        raise errors.OperationInvalidForCurrentState(
            Reason="This clock goes by itself; start the emulator with --time stepped."
        )
    body = request.body
    seconds = body.get("advance") if isinstance(body, dict) and len(body) == 1 else None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e9:
        raise errors.InvalidRequestBody(Reason='Send {"advance": seconds}, with 0 or more seconds.')
    await emulator.advance(float(seconds))
    return await _show_clock(emulator, request)


async def _show_faults(emulator: Emulator, request: Request) -> Reply:
    return Reply(200, {"faults": [_fault(rule) for rule in emulator.rules if _meant(request)(rule)]})


async def _add_faults(emulator: Emulator, request: Request) -> Reply:
    try:
        parsed = faults.parse(request.body, [operation.name for operation in OPERATIONS])
    except Mistake as mistake:
        raise errors.InvalidRequestBody(Reason=str(mistake)) from None
    added = [emulator.faults.add(fault) for fault in parsed]
    return Reply(201, {"faults": [_fault(rule) for rule in added]})


async def _remove_faults(emulator: Emulator, request: Request) -> Reply:
    for rule in emulator.rules:
        if _meant(request)(rule):
            emulator.faults.remove(rule.number)
    return Reply(204)


def _meant(request: Request) -> Callable[[Rule], bool]:
    number = request.path.removeprefix(PREFIX).partition("/")[2]
    return lambda rule: not number or str(rule.number) == number


def _fault(rule: Rule) -> Document:
    return {"id": rule.number, "seen": rule.seen, "struck": rule.hits, **faults.document(rule.fault)}


_OPERATIONS: Mapping[tuple[str, str], Callable[[Emulator, Request], Awaitable[Reply]]] = {
    ("GET", "health"): _health,
    ("GET", "state"): _state,
    ("GET", "events"): _events,
    ("POST", "reset"): _reset,
    ("GET", "clock"): _show_clock,
    ("POST", "clock"): _move_clock,
    ("GET", "faults"): _show_faults,
    ("POST", "faults"): _add_faults,
    ("DELETE", "faults"): _remove_faults,
}
