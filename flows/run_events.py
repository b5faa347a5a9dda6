"""Prefect events about a run, for automations to react to. Emitting one never fails a run.

Their resource is `prefect-azure-batch.run.<flow run id>`; flow run, flow and deployment are related to it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from prefect.events import emit_event
from prefect.events.worker import EventsWorker

from batch_tasks.naming import OWNER, RunNames
from batch_tasks.report import RunReport
from batch_tasks.report_page import failures_first, reason_of
from flows.run_artifacts import plain

STARTED = f"{OWNER}.run.started"
TASKS_FAILED = f"{OWNER}.tasks.failed"
CLEANED_UP = f"{OWNER}.cleaned-up"
CLEAN_UP_FAILED = f"{OWNER}.clean-up.failed"
RUN, HOOK, COLLECTOR = "run", "hook", "collect-garbage"
"""Who cleans up: the run itself, Prefect's hook after it, or the collector."""
_NAMED = 20
_LONGEST = 2000


def run_started(names: RunNames, files: int, tasks: int) -> None:
    """The run begins to make things in the account."""
    _emit(STARTED, names, {"files": files, "tasks": tasks})


def tasks_failed(names: RunNames, report: RunReport) -> None:
    """Files of the run failed; some of them are named, with their reasons."""
    named = failures_first(report, min(_NAMED, len(report.failed)))
    failures = [{"file": plain(file.key)[:300], "reason": plain(reason_of(file))[:300]} for file in named]
    _emit(TASKS_FAILED, names, {"failed": len(report.failed), "files": len(report.files), "some": failures})


def cleaned_up(names: RunNames, deleted: Sequence[str], by: str) -> None:
    """The deletion of what the run made was asked for; what was, in words, and by whom."""
    _emit(CLEANED_UP, names, {"deleted": list(deleted), "by": by})


def clean_up_failed(names: RunNames, problem: str, by: str) -> None:
    """Something of the run could not be deleted, and may go on costing money; what, in words, and by whom."""
    _emit(CLEAN_UP_FAILED, names, {"problem": problem[:_LONGEST], "by": by})


def send_within(seconds: float) -> None:
    """Wait until all events of this process are sent, those about its task runs too, or for so long.

    A process that gets a SIGTERM ends by it as soon as its run is over, and what was not sent is lost.
    """
    with contextlib.suppress(Exception):
        EventsWorker.drain_all(timeout=seconds, at_exit=False)


def _emit(event: str, names: RunNames, payload: dict[str, Any]) -> None:
    resource = {
        "prefect.resource.id": f"{OWNER}.run.{names.flow_run_id}",
        "prefect.resource.name": names.pool_id,
        f"{OWNER}.workload": names.workload,
        f"{OWNER}.pool": names.pool_id,
        f"{OWNER}.job": names.job_id,
    }
    with contextlib.suppress(Exception):  # an event too large, a server that is gone: never worth a run
        emit_event(event, resource, payload={"workload": names.workload, **payload})
