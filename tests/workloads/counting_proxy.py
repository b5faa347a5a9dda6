"""A proxy before the blob store that counts what is sent to it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.signing import connecting, listening

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}


@dataclass(frozen=True)
class Request:
    """A request that came by: its path without query, and the bytes that it brought."""

    method: str
    path: str
    sent: int


@dataclass
class Counter:
    """All requests so far, and the endpoint to use instead of the store's own."""

    endpoint: str
    requests: list[Request] = field(default_factory=list)


@contextmanager
def counting_proxy(endpoint: str) -> Iterator[Counter]:
    """Counts what goes through it to the store at `endpoint`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_request(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            counter.requests.append(Request(self.command, self.path.partition("?")[0], len(body)))
            connection = connecting(endpoint)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            data = answer.read()
            self.send_response(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in {*HOP_BY_HOP, "content-length"}:
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            self.wfile.write(data)
            connection.close()

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_request  # noqa: N815

        def log_message(self, *_words: object) -> None:
            """Nothing: the requests are kept."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    counter = Counter(f"{listening(server)}{urlsplit(endpoint).path}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield counter
    finally:
        server.shutdown()
        server.server_close()
