"""The events that a run of ours sent to the Prefect server."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.events.worker import EventsWorker

from batch_tasks.naming import OWNER
from tests.flows.processes import eventually


def events_of(run_id: UUID | str, name: str, *, at_once: bool = False) -> list[dict[str, Any]]:
    """The payloads of the run's events of this name; waits for one, or tells what is there at once."""
    EventsWorker.drain_all(timeout=10)
    now = datetime.now(UTC)
    wanted = {
        "filter": {
            "event": {"name": [name]},
            "resource": {"id": [f"{OWNER}.run.{run_id}"]},
            "occurred": {
                "since": (now - timedelta(hours=1)).isoformat(),
                "until": (now + timedelta(hours=1)).isoformat(),
            },
        }
    }
    found: list[dict[str, Any]] = []

    def arrived() -> bool:
        with get_client(sync_client=True) as client:
            found[:] = client.request("POST", "/events/filter", json=wanted).json()["events"]
        return found != [] or at_once

    eventually(arrived, f"{name} of {run_id} arrives")
    return [event["payload"] for event in found]
