"""Keeps what the emulator answered to the official SDK, so that each answer can be checked."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import SansIOHTTPPolicy


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, as they were on the wire."""

    method: str
    path: str
    status: int
    headers: dict[str, str]
    body: Any
    """Parsed JSON, or None."""


class Recorder(SansIOHTTPPolicy[Any, Any]):
    """A pipeline policy that keeps every exchange."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
        """Note an answer; bodies that are streamed are not read."""
        http = response.http_response
        kind = http.headers.get("Content-Type", "")
        streamed = request.context.options.get("stream") or not kind.startswith("application/json")
        text = "" if streamed else http.text()
        self.exchanges.append(
            Exchange(
                http.request.method,
                urlsplit(http.request.url).path,
                http.status_code,
                {name.lower(): value for name, value in http.headers.items()},
                json.loads(text) if text else None,
            )
        )

    @property
    def last(self) -> Exchange:
        """The newest exchange."""
        return self.exchanges[-1]
