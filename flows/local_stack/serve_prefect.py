"""The temporary Prefect server itself, run as `python -m flows.local_stack.serve_prefect`.

Prints `export PREFECT_API_URL=...` once it answers, and ends when its stdin closes or on SIGTERM.
"""

import socket
import sys
import threading

import uvicorn
from prefect.server.api.server import create_app


class _Announced(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            port = sockets[0].getsockname()[1]
            print(f"export PREFECT_API_URL=http://127.0.0.1:{port}/api", flush=True)


def main() -> None:
    """Serve Prefect's API on a free loopback port until told to end."""
    app = create_app(ephemeral=True, final=True)
    config = uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=3)
    server = _Announced(config)

    def end_with_stdin() -> None:
        sys.stdin.buffer.read()
        server.should_exit = True

    threading.Thread(target=end_with_stdin, daemon=True).start()
    server.run(sockets=[socket.create_server(("127.0.0.1", 0))])


if __name__ == "__main__":
    main()
