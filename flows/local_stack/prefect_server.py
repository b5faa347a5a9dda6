"""A temporary Prefect server for a run that is started from the command line.

Prefect would start one itself, but as a member of our process group: Ctrl-C would end it before the clean-up
task of the cancelled run could report to it, and after a SIGKILL it would be left behind.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flows.local_stack.emulator import exported
from flows.local_stack.service import Service

API_URL = "PREFECT_API_URL"
DRAIN_WITHIN_SECONDS = 5.0


@dataclass(frozen=True)
class PrefectServer:
    """The server as it starts; `api_url()` waits until it answers."""

    service: Service

    def api_url(self) -> str:
        """The value for PREFECT_API_URL, once the server answers.

        Raises:
            ServiceError: the server ended, or did not answer in time.
        """
        return self.service.announced(lambda line: exported(line).get(API_URL), within=120)


@contextmanager
def running_prefect_server() -> Iterator[PrefectServer]:
    """A Prefect server on a free loopback port, without UI; the runs stay in the database of PREFECT_HOME."""
    env = {name: value for name, value in os.environ.items() if name != API_URL}
    env.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    command = [sys.executable, "-m", "flows.local_stack.serve_prefect"]
    with Service("The temporary Prefect server", command, env=env) as service:
        yield PrefectServer(service)


@contextmanager
def using(api_url: str) -> Iterator[None]:
    """Let flows in this process report to the server at `api_url`, and hand over the last of it at the end.

    Prefect sends logs and events from a thread, in batches. Without this the last ones, among them the final
    states of the run's tasks, would be lost with the server.
    """
    # Prefect takes a second to import, and who has a server of their own never comes here.
    from prefect.events.worker import EventsWorker  # noqa: PLC0415
    from prefect.logging.handlers import APILogWorker  # noqa: PLC0415
    from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415

    with temporary_settings({PREFECT_API_URL: api_url}):
        try:
            yield
        finally:
            APILogWorker.drain_all(timeout=DRAIN_WITHIN_SECONDS)
            EventsWorker.drain_all(timeout=DRAIN_WITHIN_SECONDS)
