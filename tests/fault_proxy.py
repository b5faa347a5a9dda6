"""A proxy before a server that has no faults of its own, such as Azurite: it refuses, breaks and cuts short.

What it strikes is counted, not drawn: the same requests meet the same faults.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from tests.signing import connecting, listening
from tests.tokens import Certificate

Headers = Sequence[tuple[str, str]]
_SET_HERE = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass
class Fault:
    """Strikes each `every`-th request of a method and path (with query; patterns as of a shell; paths like
    `but` are spared), at most so often; `struck` tells how often it has.

    busy: 503 with Retry-After, nothing is done. dropped: the connection breaks, nothing is done. answer lost:
    it is done, then the connection breaks. cut short: half of the answer comes.
    """

    kind: Literal["busy", "dropped", "answer lost", "cut short"]
    method: str = "*"
    path: str = "*"
    but: str = ""
    every: int = 1
    most: int = 10**9
    retry_after: str = "0"
    seen: int = 0
    struck: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def strikes(self, method: str, path: str) -> bool:
        """Whether this request is struck."""
        concerned = fnmatchcase(method, self.method) and fnmatchcase(path, self.path)
        if not concerned or fnmatchcase(path, self.but):
            return False
        with self._lock:
            self.seen += 1
            strikes = self.seen % self.every == 0 and self.struck < self.most
            self.struck += strikes
        return strikes


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, upstream: str, faults: Sequence[Fault], certificate: Certificate | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.faults = faults
        self.certificate = certificate

    def handle_error(self, *_: Any) -> None:
        """A client that has gone is nothing to talk about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Any request."""
        server = cast("_Server", self.server)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = next((one for one in server.faults if one.strikes(self.command, self.path)), None)
        struck = fault.kind if fault else None
        if fault is not None and struck == "busy":
            self.reply(503, [("Retry-After", fault.retry_after)], b"")
            return
        if struck == "dropped":
            self.close_connection = True
            return
        status, headers, answer = self.forward(server, body)
        if struck == "answer lost":
            self.close_connection = True
            return
        self.reply(status, headers, answer, cut=struck == "cut short")

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815

    def forward(self, server: _Server, body: bytes) -> tuple[int, Headers, bytes]:
        """What the server behind answers. The Host header is passed on as it came."""
        connection = connecting(server.upstream, server.certificate)
        try:
            connection.request(self.command, self.path, body or None, dict(self.headers))
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def reply(self, status: int, headers: Headers, body: bytes, *, cut: bool = False) -> None:
        """Send this, or half of it."""
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _SET_HERE:
                self.send_header(name, value)
        told = {name.lower(): value for name, value in headers}.get("content-length", "0")
        if status not in (204, 304):
            self.send_header("Content-Length", told if self.command == "HEAD" else str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut

    def log_message(self, *_: Any) -> None:
        """Tests are to be quiet."""


@contextmanager
def faulty(upstream: str, *faults: Fault, certificate: Certificate | None = None) -> Iterator[str]:
    """A server that stands before `upstream`; yields its endpoint, with the path of the upstream's.

    With a certificate and its key it speaks https, and trusts that certificate of the upstream.
    """
    server = _Server(upstream, faults, certificate)
    address = listening(server, certificate)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{address}{urlsplit(upstream).path}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
