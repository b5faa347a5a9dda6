"""The HTTP edge: what every request passes, in this order.

1. known Host, no foreign Origin   2. the planes beside the data plane      3. the signature or token
4. the api-version                 5. the route and its query               6. the body
7. the handler, with the faults that strike the request
Errors of all of them become the service's error document in one place.
"""

import json
import logging
import math
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from batch_emulator import auth, errors, queries, versions
from batch_emulator.calls import Call, Reply
from batch_emulator.emulator import Emulator
from batch_emulator.faults import requests as request_faults
from batch_emulator.handlers import control, management, retired
from batch_emulator.operations import Operation
from batch_emulator.routes import route
from batch_emulator.wire import envelope

log = logging.getLogger("batch_emulator")

MAX_BODY = 1024 * 1024
"""Bytes of a request body: documented for collections of tasks, asserted by the official SDK's tests."""

_JSON = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"))


class App:
    """The emulator as an ASGI application.

    Args:
        emulator: the account it serves.
        authenticators: vouch for requests, one for each scheme.
        hosts: names and addresses that a Host header may have, without ports.
        prefix: what the paths of the account begin with, such as `/account`; nothing by default.
        manager: answers what goes to Azure Resource Manager on Azure; None leaves it unanswered.
    """

    def __init__(
        self,
        emulator: Emulator,
        authenticators: Sequence[auth.Authenticator],
        hosts: set[str],
        prefix: str = "",
        manager: management.Management | None = None,
    ) -> None:
        self._emulator = emulator
        self._authenticators = authenticators
        self.hosts = hosts
        self._prefix = prefix
        self._manager = manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._emulator.open()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._emulator.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _respond(self, request: Request) -> Response:
        request_id = str(uuid.uuid4())
        base_url = f"{request.url.scheme}://{request.headers.get('host', '')}{self._prefix}"
        try:
            reply = await self._answer(request, base_url, request_id)
        except errors.BatchError as error:
            reply = self._refusal(error, base_url, request_id)
        except (request_faults.ConnectionDropped, ClientDisconnect):
            raise
        except Exception:
            log.exception("%s %s failed", request.method, request.url.path)
            reply = self._refusal(errors.InternalError(), base_url, request_id)
        return _response(request, reply, request_id)

    def _refusal(self, error: errors.BatchError, base_url: str, request_id: str) -> Reply:
        document = envelope.error_document(base_url, error, request_id, self._emulator.clock.now())
        return Reply(error.status, document, envelope.error_headers(error))

    async def _answer(self, request: Request, base_url: str, request_id: str) -> Reply:
        headers = {name.lower(): value for name, value in request.headers.items()}
        auth.check_source(headers, self.hosts)
        raw_path = request.scope["raw_path"].decode("ascii")
        raw_query = request.scope["query_string"].decode("ascii")
        path = raw_path.removeprefix(self._prefix) if raw_path.startswith(f"{self._prefix}/") else None
        if path is not None and path.startswith(control.PREFIX):
            body = await _body(request)
            return await control.answer(
                self._emulator, control.Request(request.method, path, raw_query, headers, body)
            )
        signed = auth.Request(request.method, raw_path, raw_query, headers)
        if self._manager is not None and raw_path.lower().startswith(management.PREFIX):
            return self._manager.answer(signed, await _body(request))
        # Held against real time, in which callers sign, whatever the emulated time is.
        auth.authenticate(signed, self._authenticators, time.time() + self._emulator.faults.account_skew)
        query = dict(parse_qsl(raw_query, keep_blank_values=True))
        version = versions.version(query)
        if path is None:
            raise errors.InvalidUri
        operation, ids = _operation(version, request.method, path)
        if operation.handler is None:
            raise errors.OperationNotImplemented(Operation=operation.name)
        queries.check(operation.name, query)
        body = version.body(await _body(request))
        call = Call(self._emulator, base_url, request_id, request.method, path, ids, query, headers, body)
        rules = self._emulator.rules
        reply = await request_faults.answer(rules, operation.name, operation.handler, call)
        return replace(reply, document=version.document(reply.document))


def _operation(version: versions.Version, method: str, path: str) -> tuple[Operation, dict[str, str]]:
    older = retired.find(version, method, path)
    return (older, {}) if older is not None else route(method, path)


async def _body(request: Request) -> Any:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY:
            raise errors.RequestBodyTooLarge
    if not content:
        return None
    try:
        return json.loads(content, parse_constant=_number, parse_float=_number)
    except (ValueError, RecursionError) as error:
        raise errors.InvalidRequestBody(Reason=str(error)) from None


def _number(text: str) -> float:
    """A number that JSON can say again: neither NaN nor one too large for a double."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a number that can be kept")
    return number


def _response(request: Request, reply: Reply, request_id: str) -> Response:
    headers = {**envelope.common_headers(request_id, request.headers), **reply.headers}
    if reply.content is not None:
        return StreamingResponse(reply.content, reply.status, headers)
    if reply.document is None or request.method == "HEAD" or reply.status == 304:
        return Response(None, reply.status, headers)
    return Response(_JSON.encode(reply.document).encode(), reply.status, headers, media_type=envelope.JSON)
