"""The emulator, writing down what it answers: `python recording_emulator.py FILE [its options]`.

Each line of the file is an answer as it went out: method, path, status, body.
"""

import json
import sys
from pathlib import Path
from typing import Any

from starlette.types import Message, Receive, Scope, Send

import batch_emulator.app
from batch_emulator.__main__ import main

RECORD = Path(sys.argv[1])


class RecordingApp(batch_emulator.app.App):
    """The application, with a look at what it sends."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and note the answer."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        status, kind, content = 0, "", bytearray()

        async def noting(message: Message) -> None:
            nonlocal status, kind
            if message["type"] == "http.response.start":
                status = message["status"]
                kind = dict(message["headers"]).get(b"content-type", b"").decode()
            elif kind.startswith("application/json"):
                content.extend(message.get("body", b""))
            await send(message)

        await super().__call__(scope, receive, noting)
        _note(scope, status, bytes(content))


def _note(scope: Scope, status: int, content: bytes) -> None:
    line: dict[str, Any] = {
        "method": scope["method"],
        "path": scope["raw_path"].decode(),
        "status": status,
        "body": json.loads(content) if content else None,
    }
    with RECORD.open("a", encoding="utf-8") as file:
        print(json.dumps(line), file=file)


if __name__ == "__main__":
    batch_emulator.app.App = RecordingApp  # type: ignore[misc]
    main(sys.argv[2:])
