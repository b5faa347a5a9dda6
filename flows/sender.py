"""Sends to the Prefect server from a thread of its own: slow or absent, it neither slows nor fails a run."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient

from batch_tasks.progress import Progress
from batch_tasks.stage import log

EVERY_SECONDS = 2.0
"""How often the progress in the UI moves."""
ANSWER_WITHIN_SECONDS = 15.0
LAST_WORDS_WITHIN, IN_A_HURRY_WITHIN = 15.0, 3.0
"""Seconds; an interrupted run has 30 in all, for everything."""

Job = Callable[[SyncPrefectClient], None]


def own_client() -> AbstractContextManager[SyncPrefectClient]:
    """A client that the thread of the flow does not use as well."""
    return get_client(sync_client=True, httpx_settings={"timeout": ANSWER_WITHIN_SECONDS})


class Sender:
    """Does jobs in the order they come; of progress it shows the latest only, now and then.

    `show` shows a progress; `every` is how many seconds lie between two. Nothing is sent outside of the block
    of `sending()`.
    """

    def __init__(
        self,
        show: Callable[[SyncPrefectClient, Progress], None],
        every: float = EVERY_SECONDS,
        client: Callable[[], AbstractContextManager[SyncPrefectClient]] = own_client,
    ) -> None:
        self._show = show
        self._every = every
        self._client = client
        self._latest: Progress | None = None
        self._shown: Progress | None = None
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._has_warned = False
        self.in_a_hurry = False

    def send(self, job: Job) -> None:
        """Have it done soon; returns at once."""
        self._jobs.put(job)

    def watch(self, progress: Progress) -> None:
        """Remember where the run stands; returns at once."""
        self._latest = progress

    @contextmanager
    def sending(self) -> Iterator[None]:
        """The thread works during the block, and may take some seconds to finish at its end."""
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(self._work,), name="run-history", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._jobs.put(None)
            thread.join(IN_A_HURRY_WITHIN if self.in_a_hurry else LAST_WORDS_WITHIN)

    def _work(self) -> None:
        try:
            with self._client() as client:
                self._do_jobs(client)
        except Exception as error:  # noqa: BLE001  whatever the server does, the run goes on
            self._warn_once(error)

    def _do_jobs(self, client: SyncPrefectClient) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=self._every)
            except queue.Empty:
                job = self._show_latest
            try:
                (job or self._show_latest)(client)
            except Exception as error:  # noqa: BLE001
                self._warn_once(error)
            if job is None:
                return

    def _show_latest(self, client: SyncPrefectClient) -> None:
        latest = self._latest
        if latest is not None and latest is not self._shown:
            self._shown = latest
            self._show(client, latest)

    def _warn_once(self, error: Exception) -> None:
        if not self._has_warned:
            self._has_warned = True
            log().warning("The run's history in Prefect is incomplete: %s", type(error).__name__)
