"""The server process: listens, says when it is ready, and ends on a signal with everything cleaned up."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import h11
import uvicorn
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from batch_emulator.faults.requests import ConnectionDropped

GRACE = 1
"""Seconds that open requests get when the server ends."""
KEPT = 120
"""Seconds that an idle connection is kept: with fewer, clients that ask every few seconds meet its end."""


class _Uvicorn(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Uvicorn's own handlers raise the signal again at the end, which would skip our cleaning up.
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        yield

    def stop(self) -> None:
        self.should_exit = True


class Server:
    """Serves an application on a listening socket until SIGTERM or SIGINT.

    Args:
        app: what answers the requests.
        tls_cert: certificate chain, PEM; with `tls_key` it serves https.
        tls_key: private key, PEM.
        on_ready: called once requests are answered.
    """

    def __init__(
        self, app: ASGIApp, *, tls_cert: Path | None, tls_key: Path | None, on_ready: Callable[[], None]
    ) -> None:
        self._app = app
        config = uvicorn.Config(
            self._answer,
            http="h11",
            interface="asgi3",
            log_level="warning",
            access_log=False,
            ws="none",  # Batch speaks none, and to import them takes most of a start
            lifespan="on",
            server_header=False,
            ssl_certfile=tls_cert,
            ssl_keyfile=tls_key,
            timeout_keep_alive=KEPT,
            timeout_graceful_shutdown=GRACE,
        )
        self._uvicorn = _Uvicorn(config, on_ready)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except (ClientDisconnect, h11.LocalProtocolError):
            pass  # the caller is gone, or has been told that the rest of its request is none
        except ConnectionDropped:
            for connection in list(self._uvicorn.server_state.connections):
                transport = getattr(connection, "transport", None)
                if getattr(connection, "client", None) == scope["client"] and transport is not None:
                    transport.abort()
            while (await receive())["type"] != "http.disconnect":
                pass

    def exit_when_closed(self, stream: BinaryIO) -> None:
        """End when this stream is closed at its other end: with the process that holds it."""
        loop = asyncio.get_running_loop()

        def readable() -> None:
            if not stream.raw.read(4096):  # type: ignore[attr-defined]
                loop.remove_reader(stream)
                self._uvicorn.stop()

        try:
            loop.add_reader(stream, readable)
        except PermissionError:  # a file or /dev/null: there is nobody at its other end
            self._uvicorn.stop()

    async def run(self, listener: socket.socket) -> None:
        """Serve until told to stop."""
        await self._uvicorn.serve(sockets=[listener])
