"""What a run leaves in Prefect's history: name, tags, progress, artifacts, events, and a short log.

The pipeline tells; a thread of its own sends. So a slow or absent Prefect server neither slows the polling of
Batch nor fails a run.
"""

from __future__ import annotations

import contextvars
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import PurePath
from uuid import UUID

from prefect import get_client, runtime
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, create_table_artifact
from prefect.client.schemas.actions import ArtifactUpdate

from batch_tasks.keep_report import keep_report
from batch_tasks.options import CleanUpPolicy
from batch_tasks.plan import RunPlan
from batch_tasks.progress import Progress, watching
from batch_tasks.report import RunReport
from batch_tasks.stage import log
from flows import run_events
from flows.run_artifacts import (
    files_table,
    percent,
    plain,
    progress_markdown,
    progress_words,
    report_markdown,
    table_words,
)

EVERY_SECONDS = 2.0
"""How often the progress in the UI moves."""
_LAST_WORDS_WITHIN = {True: 15.0, False: 3.0}  # seconds; an interrupted run has 30 in all, for everything
_OURS = ("files:", "failed-files:", "outcome:")


def run_name() -> str:
    """The name of a flow run that works on `input_files`: `top-n-words of texts and 2 more`."""
    sources = [str(source) for source in runtime.flow_run.parameters.get("input_files") or ()]
    first = PurePath(sources[0]).name or sources[0] if sources else "nothing"
    more = f" and {len(sources) - 1} more" if len(sources) > 1 else ""
    return f"{runtime.flow_run.flow_name} of {plain(first)[:60]}{more}"


class RunHistory:
    """What one run tells. Outside of a flow run it writes the report and leaves Prefect alone."""

    def __init__(self, plan: RunPlan, policy: CleanUpPolicy, sender: Sender) -> None:
        self._plan = plan
        self._policy = policy
        self._sender = sender
        self._failed = 0

    def begin(self) -> None:
        """Name and tag the flow run; the progress artifact appears."""
        files = len(list(self._plan.files))
        run_events.run_started(self._plan.names, files, len(self._plan.tasks))
        self._sender.send(lambda: _tag(self._plan, f"files:{files}", counted=files))

    def tell(self, report: RunReport) -> None:
        """Write the report beside the outputs, and show it."""
        self._failed = len(report.failed)
        results, page = keep_report(self._plan, report, in_storage=not self._policy.output_container)
        log().info("Results of every file are in %s, the picture of the run in %s", results.path, page.path)
        if report.failed:
            run_events.tasks_failed(self._plan.names, report)
        workload = self._plan.names.workload

        def show() -> None:
            rows = files_table(report)
            create_markdown_artifact(report_markdown(report, results, page), key=f"{workload}-report")
            words = table_words(report, len(rows), results)
            create_table_artifact(rows, key=f"{workload}-files", description=words)

        self._sender.send(show)

    def end(self, outcome: str) -> None:
        """Tag the flow run with its outcome."""
        failed = [f"failed-files:{self._failed}"] if self._failed else []
        files = len(list(self._plan.files))
        self._sender.send(lambda: _tag(self._plan, f"files:{files}", f"outcome:{outcome}", *failed))


@contextmanager
def run_history(plan: RunPlan, policy: CleanUpPolicy) -> Iterator[RunHistory]:
    """The history of the run that happens in the block; its end, good or bad, is told too."""
    with ExitStack() as stack:
        sender = Sender(_ProgressShown(plan.names.workload).show)
        if runtime.flow_run.id is not None:
            stack.enter_context(sender.sending())
            stack.enter_context(_only_the_story())
        stack.enter_context(watching(sender.watch))
        history = RunHistory(plan, policy, sender)
        history.begin()
        try:
            yield history
        except BaseException as error:
            # Prefect's own interrupts, cancellation among them, are no Exceptions.
            history.end("failed" if isinstance(error, Exception) else "interrupted")
            sender.in_a_hurry = not isinstance(error, Exception)
            raise
        history.end("succeeded")


class Sender:
    """Sends to the Prefect server from a thread, in order; of progress only the latest, now and then."""

    def __init__(self, show: Callable[[Progress], None], every: float = EVERY_SECONDS) -> None:
        self._show = show
        self._every = every
        self._latest: Progress | None = None
        self._shown: Progress | None = None
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._is_told = False
        self.in_a_hurry = False

    def send(self, job: Callable[[], None]) -> None:
        """Have it done soon; returns at once."""
        self._jobs.put(job)

    def watch(self, progress: Progress) -> None:
        """Remember where the run stands; returns at once."""
        self._latest = progress

    @contextmanager
    def sending(self) -> Iterator[None]:
        """The thread works during the block; at its end it may finish, within seconds."""
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(self._work,), name="run-history", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._jobs.put(None)
            thread.join(_LAST_WORDS_WITHIN[not self.in_a_hurry])

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=self._every)
            except queue.Empty:
                job = self._show_latest
            self._safely(job or self._show_latest)
            if job is None:
                return

    def _show_latest(self) -> None:
        latest = self._latest
        if latest is not None and latest is not self._shown:
            self._show(latest)
            self._shown = latest

    def _safely(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception as error:  # noqa: BLE001  whatever the server does, the run goes on
            if not self._is_told:
                self._is_told = True
                log().warning("The run's history in Prefect is incomplete: %s", type(error).__name__)


class _ProgressShown:
    """The progress artifact and the small table beside it, made at the first step."""

    def __init__(self, workload: str) -> None:
        self._workload = workload
        self._ids: tuple[UUID, UUID] | None = None

    def show(self, progress: Progress) -> None:
        """Show where the run stands."""
        words, table = progress_words(progress), progress_markdown(progress)
        if self._ids is None:
            bar = create_progress_artifact(
                percent(progress), key=f"{self._workload}-progress", description=words
            )
            text = create_markdown_artifact(
                table, key=f"{self._workload}-now", description="Where the run stands"
            )
            self._ids = UUID(str(bar)), UUID(str(text))
            return
        client = get_client(sync_client=True)
        bar_id, text_id = self._ids
        client.update_artifact(bar_id, ArtifactUpdate(data=percent(progress), description=words))
        client.update_artifact(text_id, ArtifactUpdate(data=table))


def _tag(plan: RunPlan, *tags: str, counted: int | None = None) -> None:
    """Give the flow run these tags beside its own; those of an earlier attempt go."""
    client = get_client(sync_client=True)
    run_id = UUID(plan.names.flow_run_id)
    run = client.read_flow_run(run_id)
    kept = [tag for tag in run.tags if not tag.startswith(_OURS) and tag != plan.names.workload]
    name = run.name
    suffix = f" ({counted} file{'s' * (counted != 1)})"
    if counted is not None and " of " in name and not name.endswith(suffix):
        name += suffix
    client.update_flow_run(run_id, name=name, tags=[*kept, plan.names.workload, *tags])


@contextmanager
def _only_the_story() -> Iterator[None]:
    """Leave out of the log what the states of the task runs show anyway: that each of them completed."""
    logger = logging.getLogger("prefect.task_runs")
    logger.addFilter(_tells_more)
    try:
        yield
    finally:
        logger.removeFilter(_tells_more)


def _tells_more(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Finished in state Completed")
