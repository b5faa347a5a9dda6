"""What became of each file of a Batch task: from Batch's word, the node's `result.json`, what storage holds.

A file succeeded when its command did and every output it should have left is in storage, with the size that
the node saw.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from azure.core.exceptions import AzureError, ResourceNotFoundError

from batch_tasks import naming
from batch_tasks.clients import batch_client, blob_service
from batch_tasks.errors import without_secrets
from batch_tasks.failures import failure_kind
from batch_tasks.patience import patiently
from batch_tasks.plan import PlannedFile, PlannedOutput, PlannedTask, RunPlan
from batch_tasks.report import FileReport, FinishedTask, Output
from batch_tasks.upload_inputs import Stored

_TAIL = 2000  # characters of stderr kept in a report


def report_task(
    plan: RunPlan, task: PlannedTask, finished: FinishedTask | None, stored: Mapping[str, Stored]
) -> Iterator[FileReport]:
    """What became of each file of one Batch task."""
    told = _result(plan, task, stored)
    for index, file in enumerate(task.files):
        entry = told[index] if index < len(told) else None
        report = report_file(file, task.task_id, finished, entry, stored)
        if report.state == "failed" and not report.stderr_tail:
            report = replace(report, stderr_tail=without_secrets(_stderr(plan, task, finished, stored)))
        yield report


def report_file(
    file: PlannedFile,
    task_id: str,
    finished: FinishedTask | None,
    entry: Mapping[str, Any] | None,
    stored: Mapping[str, Stored],
) -> FileReport:
    """What became of one file. Pure: `entry` is what the node told, `stored` what storage holds."""
    if finished is None:
        return FileReport(file.input.key, "not run", task_id, reason="the run ended before its task did")
    report = _as_told(file.input.key, task_id, finished, entry)
    if entry is None or entry.get("state") != "succeeded":
        return report
    outputs = list(_outputs(file, entry.get("outputs") or ()))
    missing = [
        output.blob for output in outputs if stored.get(output.blob, Stored(-1, "")).size != output.size
    ]
    unmet = [output.blob for output in file.outputs if not _met(output, outputs)]
    if missing or unmet:
        lacking = ", ".join((missing or unmet)[:3])
        reason = f"its output is not whole in storage: {lacking}. {finished.failure}".strip()
        return replace(report, reason=reason, kind="output")
    shown = tuple(output for output in outputs if output.path)
    return replace(report, state="succeeded", outputs=shown, stderr_tail="", reason="", kind=None)


def _as_told(key: str, task_id: str, finished: FinishedTask, entry: Mapping[str, Any] | None) -> FileReport:
    """That a file failed, as Batch and the node tell it: nothing is believed before its outputs are seen."""
    told = FileReport(
        key,
        "failed",
        task_id,
        finished.node_id,
        finished.exit_code,
        reason=finished.failure or "its node told nothing about it",
        attempts=finished.attempts,
        kind=failure_kind(finished.failure, finished.exit_code, told=entry is not None),
        preemptions=finished.preemptions,
        wasted_seconds=finished.wasted_seconds,
    )
    if entry is None:
        return told
    return replace(
        told,
        exit_code=entry.get("exit_code"),
        reason=without_secrets(str(entry.get("reason") or finished.failure)),
        stderr_tail=without_secrets(str(entry.get("stderr_tail") or "")[-_TAIL:]),
        seconds=entry.get("seconds"),
    )


def _outputs(file: PlannedFile, told: Iterable[Mapping[str, Any]]) -> Iterator[Output]:
    """The outputs the node told of, with the paths the plan gives them."""
    for entry in told:
        keep = str(entry["keep"])
        for output in file.outputs:
            if keep == output.keep and not output.is_pattern:
                path, blob = output.path, output.blob
            elif output.is_pattern and keep.startswith(f"{output.keep}/"):
                below = keep.removeprefix(output.keep)
                path, blob = output.path + below, output.blob + below
            else:
                continue
            yield Output(path, blob, int(entry["size"]), str(entry.get("md5") or ""))


def _met(planned: PlannedOutput, outputs: Iterable[Output]) -> bool:
    if planned.is_pattern:
        return any(output.blob.startswith(f"{planned.blob}/") for output in outputs)
    return any(output.blob == planned.blob for output in outputs)


def _result(plan: RunPlan, task: PlannedTask, stored: Mapping[str, Stored]) -> list[Mapping[str, Any]]:
    """What the node told about each file of the task; [] when it could not tell."""
    blob = naming.result_blob(task.task_id)
    if blob not in stored:
        return []
    text = _text(plan.names.output_container, blob)
    try:
        files = json.loads(text)["files"]
    except (ValueError, KeyError, TypeError):
        return []
    return [entry for entry in files if isinstance(entry, dict)] if isinstance(files, list) else []


def _stderr(
    plan: RunPlan, task: PlannedTask, finished: FinishedTask | None, stored: Mapping[str, Stored]
) -> str:
    """The end of the task's stderr: from storage, else from the node while that is there."""
    blob = f"{naming.log_prefix(task.task_id)}/stderr.txt"
    if blob in stored:
        return _text(plan.names.output_container, blob)[-_TAIL:]
    if finished is None or not finished.node_id:
        return ""
    try:
        data = b"".join(batch_client().download_task_file(plan.names.job_id, task.task_id, "stderr.txt"))
    except AzureError:  # the node may be gone, or the task may never have run: there is no stderr then
        return ""
    return data.decode(errors="replace")[-_TAIL:]


def _text(container: str, blob: str) -> str:
    try:
        data = patiently(lambda: blob_service().get_blob_client(container, blob).download_blob().readall())
    except ResourceNotFoundError:
        return ""
    return data.decode(errors="replace")
