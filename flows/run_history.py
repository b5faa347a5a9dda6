"""What a run leaves in Prefect's history: name, tags, progress, artifacts, events, and a short log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import PurePath
from typing import Any
from uuid import UUID

from prefect import runtime
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate

from batch_tasks.keep_report import Kept, keep_report
from batch_tasks.naming import RunNames
from batch_tasks.options import CleanUpPolicy
from batch_tasks.plan import RunPlan
from batch_tasks.progress import Progress, watching
from batch_tasks.report import RunReport
from batch_tasks.stage import log
from batch_tasks.stored_inputs import unsigned
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
from flows.run_log import only_the_story
from flows.sender import Sender

_OURS = ("files:", "failed-files:", "outcome:")


def run_name() -> str:
    """The name of a flow run that works on `input_files`: `top-n-words of texts and 2 more`."""
    # Without what signs a URL: names are shown to all.
    sources = [unsigned(str(source)) for source in runtime.flow_run.parameters.get("input_files") or ()]
    first = PurePath(sources[0]).name or sources[0] if sources else "nothing"
    more = f" and {len(sources) - 1} more" if len(sources) > 1 else ""
    return f"{runtime.flow_run.flow_name} of {plain(first)[:60]}{more}"


class RunHistory:
    """What one run tells. Outside of a flow run it writes the report and leaves Prefect alone."""

    def __init__(self, plan: RunPlan, policy: CleanUpPolicy, sender: Sender) -> None:
        self._plan = plan
        self._policy = policy
        self._sender = sender
        self._files = sum(1 for _ in plan.files)
        self._failed = 0

    def begin(self) -> None:
        """Name and tag the flow run."""
        run_events.run_started(self._plan.names, self._files, len(self._plan.tasks))
        self._tag()

    def tell(self, report: RunReport) -> None:
        """Write the report beside the outputs, and show it."""
        names = self._plan.names
        self._failed = len(report.failed)
        results, page = keep_report(self._plan, report, in_storage=not self._policy.output_container)
        log().info("%s", _kept_and_spent(report, results, page))
        if report.failed:
            run_events.tasks_failed(names, report)

        def show(client: SyncPrefectClient) -> None:
            create_artifact(client, names, "report", "markdown", report_markdown(report, results, page))
            rows = files_table(report)
            words = table_words(report, len(rows), results)
            create_artifact(client, names, "files", "table", json.dumps(rows), words)

        self._sender.send(show)

    def end(self, error: BaseException | None) -> None:
        """Tag the flow run with its outcome. What interrupts a run, a cancellation too, is no Exception."""
        if error is not None and not isinstance(error, Exception):
            self._sender.in_a_hurry = True
            self._tag("outcome:interrupted")
        else:
            failed = [f"failed-files:{self._failed}"] if self._failed else []
            self._tag("outcome:failed" if error else "outcome:succeeded", *failed)

    def _tag(self, *tags: str) -> None:
        names, files = self._plan.names, self._files
        self._sender.send(lambda client: tag(client, names.flow_run_id, names.workload, files, *tags))


@contextmanager
def run_history(plan: RunPlan, policy: CleanUpPolicy) -> Iterator[RunHistory]:
    """The history of the run that happens in the block; its end, good or bad, is told too."""
    sender = Sender(_ProgressShown(plan.names).show)
    history = RunHistory(plan, policy, sender)
    with ExitStack() as stack:
        if runtime.flow_run.id is not None:
            stack.enter_context(sender.sending())
            stack.enter_context(only_the_story())
        stack.enter_context(watching(sender.watch))
        history.begin()
        try:
            yield history
        except BaseException as error:
            history.end(error)
            raise
        history.end(None)


@contextmanager
def told_if_refused(workload: str, files: int | None = None) -> Iterator[None]:
    """Tag the flow run that ends in the block, before it made anything; `files` where they are counted."""
    try:
        yield
    except Exception:
        tag_alone(workload, files, "outcome:refused")
        raise
    except BaseException:
        tag_alone(workload, files, "outcome:interrupted", in_a_hurry=True)
        raise


def tag_alone(workload: str, files: int | None, *tags: str, in_a_hurry: bool = False) -> None:
    """Tag the flow run of this context, of which nothing else will be told; outside of one do nothing."""
    run_id = runtime.flow_run.id
    if run_id is None:
        return
    sender = Sender(lambda _client, _progress: None)
    sender.in_a_hurry = in_a_hurry
    with sender.sending():
        sender.send(lambda client: tag(client, run_id, workload, files, *tags))


def _kept_and_spent(report: RunReport, results: Kept, page: Kept) -> str:
    """One line of the log on where the report is and what the run cost."""
    kept = f"Every file's result is in {results.path}, a picture of the run in {page.path}"
    told = [kept if results.path and page.path else "The report could not be kept"]
    return ". ".join([*told, *([report.cost.words] if report.cost else [])])


class _ProgressShown:
    """The progress artifact and the small table beside it, made at the first step."""

    def __init__(self, names: RunNames) -> None:
        self._names = names
        self._ids: tuple[UUID, UUID] | None = None

    def show(self, client: SyncPrefectClient, progress: Progress) -> None:
        """Show where the run stands."""
        words, table = progress_words(progress), progress_markdown(progress)
        if self._ids is None:
            bar = create_artifact(client, self._names, "progress", "progress", percent(progress), words)
            text = create_artifact(client, self._names, "now", "markdown", table, "Where the run stands")
            self._ids = bar, text
            return
        bar, text = self._ids
        client.update_artifact(bar, ArtifactUpdate(data=percent(progress), description=words))
        client.update_artifact(text, ArtifactUpdate(data=table))


def create_artifact(
    client: SyncPrefectClient, names: RunNames, what: str, kind: str, data: str | float, description: str = ""
) -> UUID:
    """A new artifact of the run; its key, `<workload>-<what>`, has a version for each run."""
    content: dict[str, Any] = {"key": f"{names.workload}-{what}", "type": kind, "data": data}
    run_id = UUID(names.flow_run_id)
    return client.create_artifact(
        ArtifactCreate(**content, description=description or None, flow_run_id=run_id)
    ).id


def tag(client: SyncPrefectClient, run_id: str, workload: str, files: int | None, *tags: str) -> None:
    """Give the flow run our tags beside its own, and the number of files, where known, to its name.

    Tags of ours that an earlier attempt left go.
    """
    run = client.read_flow_run(UUID(run_id))
    others = [one for one in run.tags if not one.startswith(_OURS) and one != workload]
    counted = [] if files is None else [f"files:{files}"]
    suffix = "" if files is None else f" ({files} file{'s' * (files != 1)})"
    is_ours = " of " in run.name and not run.name.endswith(suffix)
    client.update_flow_run(
        run.id,
        name=run.name + suffix if is_ours else run.name,
        tags=[*others, workload, *counted, *tags],
    )
