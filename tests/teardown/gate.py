"""A gate before an HTTP server: it lets through, holds, refuses and remembers requests, as a network may.

A run is stopped at an exact place by holding one of its requests, or the answer to one, for as long as a test
likes: no stage knows of it, and no timing decides.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

from tests.signing import connecting, listening

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
REFUSED = b'{"odata.metadata": "", "code": "Forbidden", "message": {"lang": "en-US", "value": "by the test"}}'


@dataclass(frozen=True)
class Request:
    """One request, as far as tests look at it."""

    method: str
    target: str
    body: bytes = field(repr=False)

    def concerns(self, run: str) -> bool:
        """Whether it is about the run with these 32 hex digits."""
        return run in self.target or run.encode() in self.body


@dataclass
class Hold:
    """What happens to the requests that match.

    "before": they wait and are not passed on until released. "after": they are passed on, but their answer
    waits. "refuse": they are answered with 403 at once.
    """

    matches: Callable[[Request], bool]
    how: Literal["before", "after", "refuse"]
    came: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    dropped: bool = False

    def release(self) -> None:
        """Let what waits go on; nothing is held any more."""
        self.released.set()

    def drop(self) -> None:
        """Let what waits vanish: its client is gone. Nothing is held any more."""
        self.dropped = True
        self.released.set()


class Gate:
    """The gate before one server."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.holds: list[Hold] = []
        self.seen: list[Request] = []
        self.server = _Server(self)
        self.url = f"{listening(self.server)}{urlsplit(upstream).path}"
        """What to use instead of the server's own URL."""

    def hold(self, matches: Callable[[Request], bool], how: Literal["before", "after", "refuse"]) -> Hold:
        """Begin to hold or refuse what matches."""
        held = Hold(matches, how)
        self.holds.append(held)
        return held

    def rule_for(self, request: Request) -> Hold | None:
        """The rule that is in force for the request."""
        rules = (hold for hold in self.holds if not hold.released.is_set())
        return next((hold for hold in rules if hold.matches(request)), None)


@contextmanager
def gate_before(upstream: str) -> Iterator[Gate]:
    """A gate before the server at this URL; at the end of the block everything held is dropped."""
    gate = Gate(upstream)
    thread = threading.Thread(target=gate.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield gate
    finally:
        for held in gate.holds:
            held.drop()
        gate.server.shutdown()
        gate.server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 200

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        assert isinstance(self.server, _Server)
        self.gate = self.server.gate
        self.upstream = connecting(self.gate.upstream)
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # a client that was killed
        finally:
            self.upstream.close()

    def pass_on(self) -> None:
        request = Request(self.command, self.path, self._body())
        self.gate.seen.append(request)
        rule = self.gate.rule_for(request)
        if rule is None:
            self._answer(*self._from_upstream(request))
            return
        rule.came.set()
        if rule.how == "refuse":
            self._answer(403, [("Content-Type", "application/json")], REFUSED)
        elif rule.how == "after":
            answer = self._from_upstream(request)
            rule.released.wait()
            self._answer(*answer)
        else:
            rule.released.wait()
            if rule.dropped:
                self.close_connection = True
            else:
                self._answer(*self._from_upstream(request))

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = pass_on  # noqa: N815

    def _body(self) -> bytes:
        if "chunked" not in (self.headers.get("Transfer-Encoding") or ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _from_upstream(self, request: Request) -> tuple[int, list[tuple[str, str]], bytes]:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        if request.body or self.headers.get("Content-Length") is not None:
            headers["Content-Length"] = str(len(request.body))
        self.upstream.request(request.method, request.target, request.body or None, headers)
        answer = self.upstream.getresponse()
        body = answer.read()
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP]
        if request.method == "HEAD" and (length := answer.getheader("Content-Length")) is not None:
            kept.append(("Content-Length", length))
        return answer.status, kept, body

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command != "HEAD" and status not in {204, 304}:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
