"""What the service answered in recorded traffic, the emulator answers too: 135 requests, replayed in order.

The recordings (2022, api-version 2022-01-01.15.0) are not part of this repository. The test runs where
BATCH_RECORDINGS names them, or where they lie beside the file that BATCH_OPENAPI names.
"""

import asyncio
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from batch_emulator import auth
from batch_emulator.app import App
from batch_emulator.clock import SteppedClock
from batch_emulator.delays import AZURE
from batch_emulator.emulator import Emulator
from batch_emulator.simulation.work import Kind, Profile, Seconds

BEGAN = 1662507849.0
"""2022-09-06T23:44:09Z, when the first request was recorded."""
PATIENCE = 240
"""Seconds of emulated time in which an answer must become what was recorded."""
HEADERS = ("content-type", "dataserviceid", "dataserviceversion", "etag", "last-modified", "location")
VARYING = [
    (re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+Z$"), "<time>"),
    (re.compile(r"^0x8D[0-9A-F]+$"), "<etag>"),
    (re.compile(r"^\w{3}, \d\d \w{3} \d{4} [\d:]+ GMT$"), "<date>"),
    (re.compile(r"https://[^/]+/"), "<account>/"),
    (re.compile(r"^\d+(\.\d+){2,3}$"), "<version or address>"),
    (re.compile(r"^dns[-0-9a-f]+-azurebatch-cloudservice\.\w+\.cloudapp\.azure\.com$|^localhost$"), "<host>"),
    (re.compile(r"tvmps_[0-9a-f]+_d"), "<node>"),
    (re.compile(r"RequestId:\S+\nTime:\S+"), "<request>"),
]


class AnyCaller:
    """Lets everybody in: the signatures were taken out of the recordings."""

    scheme = "sharedkey"

    def authenticate(self, credentials: str, request: auth.Request, now: float) -> None:
        """Everyone is welcome."""


def interactions() -> list[dict[str, Any]]:
    """The recorded requests and answers; skips the test where they are not."""
    beside = Path(os.environ.get("BATCH_OPENAPI", "nowhere")).with_name("recordings.json")
    file = Path(os.environ.get("BATCH_RECORDINGS", beside))
    if not file.is_file():
        pytest.skip("BATCH_RECORDINGS names no recordings")
    found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["interactions"]
    return found


def comparable(value: Any) -> Any:
    """A value without what differs from one run to the next."""
    if isinstance(value, dict):
        return {key: comparable(part) for key, part in value.items()}
    if isinstance(value, list):
        parts = [comparable(part) for part in value]
        named = all(isinstance(part, dict) and "taskId" in part for part in parts)
        return sorted(parts, key=lambda part: str(part["taskId"])) if named else parts
    if isinstance(value, str):
        for pattern, stand_in in VARYING:
            value = pattern.sub(stand_in, value)
    return value


def differences(recorded: Any, answered: Any, where: str = "") -> Iterator[str]:
    """Where two comparable values differ."""
    if isinstance(recorded, dict) and isinstance(answered, dict):
        for name in sorted({*recorded, *answered}):
            here = f"{where}/{name}"
            if name not in answered:
                yield f"{here} is missing: {recorded[name]!r}"
            elif name not in recorded:
                yield f"{here} is not in the recording: {answered[name]!r}"
            else:
                yield from differences(recorded[name], answered[name], here)
    elif isinstance(recorded, list) and isinstance(answered, list) and len(recorded) == len(answered):
        for index, pair in enumerate(zip(recorded, answered, strict=True)):
            yield from differences(*pair, f"{where}/{index}")
    elif recorded != answered:
        yield f"{where}: recorded {recorded!r}, answered {answered!r}"


def image_differences(recorded: list[dict[str, Any]], answered: list[dict[str, Any]]) -> Iterator[str]:
    """Images have come since: those of the recording must all be there, described in the same way."""

    def named(images: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        return {"/".join(map(str, image["imageReference"].values())): image for image in images}

    known = named(answered)
    for name, image in named(recorded).items():
        yield from differences(image, known.get(name), name)


class Replay:
    """Sends recorded requests to an emulator whose time stands still until an answer needs it to pass."""

    def __init__(self, root: Path) -> None:
        self.clock = SteppedClock(BEGAN)
        work = Profile((Kind(seconds=Seconds(0.1, 0.1)),))
        self.emulator = Emulator(
            "account", root, url="https://localhost", clock=self.clock, delays=AZURE, simulated=work
        )
        app = App(self.emulator, [AnyCaller()], {"localhost"})
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://localhost")

    async def findings(self, interaction: dict[str, Any]) -> list[str]:
        """How the answer differs from the recorded one, after what time it may take."""
        found = await self._compared(interaction)
        end = self.clock.now() + PATIENCE
        while found and interaction["request"]["method"] == "GET" and self.clock.now() < end:
            for _ in self.clock.steps(0.1):
                await asyncio.sleep(0)
            found = await self._compared(interaction)
        return found

    async def _compared(self, interaction: dict[str, Any]) -> list[str]:
        asked, recorded = interaction["request"], interaction["response"]
        url = urlsplit(asked["uri"])
        headers = {name: values[0] for name, values in asked["headers"].items() if values}
        headers["Authorization"] = "SharedKey account:none"
        answer = await self.client.request(
            asked["method"], f"{url.path}?{url.query}", headers=headers, content=asked["body"]
        )
        if answer.status_code != recorded["status"]["code"]:
            return [f"{answer.status_code} {answer.text}"]
        text = (recorded["body"] or {}).get("string") or "null"
        bodies = json.loads(text), json.loads(answer.text or "null")
        if url.path == "/supportedimages":
            return list(image_differences(*(body["value"] for body in bodies)))
        kept = {name.lower(): values[0] for name, values in recorded["headers"].items()}
        both = [{name: one[name] for name in HEADERS if name in one} for one in (kept, answer.headers)]
        recorded_headers, answered_headers = map(comparable, both)
        recorded_body, answered_body = map(comparable, bodies)
        return [
            *differences(recorded_headers, answered_headers, "headers"),
            *differences(recorded_body, answered_body),
        ]


def test_the_recorded_requests_are_answered_as_the_service_answered_them(tmp_path: Path) -> None:
    recorded = interactions()

    async def replayed() -> dict[int, list[str]]:
        replay = Replay(tmp_path)
        await replay.emulator.open()
        async with replay.client:
            found = {index: await replay.findings(one) for index, one in enumerate(recorded)}
        await replay.emulator.close()
        return found

    found = asyncio.run(replayed())
    wrong = {index: texts for index, texts in found.items() if texts}
    told = "\n".join(
        f"{index} {recorded[index]['request']['method']} {recorded[index]['request']['uri']}\n    "
        + "\n    ".join(texts[:12])
        for index, texts in wrong.items()
    )
    assert not wrong, f"{len(found) - len(wrong)} of {len(found)} are the same\n{told}"
    assert len(found) == 135
