"""Retrieve the outputs: tell what became of every file, and bring what succeeded into the output folder.

A file succeeded when its command did and every output it should have left is in storage, with the size that
the node saw, and came here whole. Outputs are written beside and renamed once size and MD5 are right; those
already here are not fetched again. One file's trouble never costs another its outputs.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from azure.core.exceptions import AzureError, ResourceNotFoundError

from batch_tasks import naming
from batch_tasks.clients import batch_client, blob_service
from batch_tasks.concurrently import concurrently
from batch_tasks.earlier_work import EarlierWork
from batch_tasks.errors import without_secrets
from batch_tasks.failures import failure_kind
from batch_tasks.patience import patiently, stop_if_closing
from batch_tasks.plan import PlannedFile, PlannedOutput, PlannedTask, RunPlan
from batch_tasks.progress import Counting
from batch_tasks.report import FileReport, FinishedTask, Output, RunReport
from batch_tasks.stage import log, stage
from batch_tasks.upload_inputs import Stored, md5_of, stored_blobs

_TRIES = 2
_TAIL = 2000  # characters of stderr kept in a report


class OutputDamaged(Exception):
    """An output did not come as the node wrote it, or cannot be written here."""


@stage("retrieve outputs of {plan.files_counted}")
def retrieve_outputs(
    plan: RunPlan,
    finished: Sequence[FinishedTask],
    output_dir: str,
    earlier: EarlierWork | None = None,
    *,
    download: bool = True,
) -> RunReport:
    """Fetch every output of the files that succeeded, and tell about all files of the plan.

    `earlier` is what an earlier attempt of the run has done; the finished tasks are of the rest.

    With `download` False outputs are looked at where they are, in storage, and stay there.

    Raises:
        AzureError: storage cannot be reached or refuses.
    """
    names = plan.names
    earlier = earlier or EarlierWork(plan, {})
    files = earlier.completed(plan, _reports(earlier.rest, finished))
    root = Path(output_dir).absolute()
    done = Counting("retrieve-outputs", sum(file.state == "succeeded" for file in files))

    def fetched(file: FileReport) -> FileReport:
        if file.state != "succeeded" or not download:
            return file
        stop_if_closing()
        result = _with_outputs_here(names.output_container, file, root)
        done.add_one()
        return result

    files = concurrently(fetched, files)
    report = _told(plan, files, finished, root)
    if not download:
        report = replace(report, output_container=names.output_container)
    place = str(root) if download else f"container {names.output_container}"
    number = len(report.files)
    log().info("%d of %d files succeeded; their outputs are in %s", len(report.succeeded), number, place)
    return report


def _told(
    plan: RunPlan, files: Sequence[FileReport], finished: Sequence[FinishedTask], root: Path
) -> RunReport:
    """The report of the run at this moment; the last file is the merge where the plan has one."""
    merged = files[-1] if plan.merge else None
    return RunReport(
        plan.workload.name,
        plan.names.flow_run_id,
        str(root),
        tuple(files[:-1] if merged else files),
        tuple(finished),
        plan.created,
        datetime.now(UTC),
        merged,
    )


def _reports(plan: RunPlan, finished: Sequence[FinishedTask]) -> Iterator[FileReport]:
    """What became of each file of the plan, the outputs being where they are."""
    ended = {task.task_id.lower(): task for task in finished}
    stored = stored_blobs(plan.names.output_container)

    def reports(task: PlannedTask) -> list[FileReport]:
        return list(report_task(plan, task, ended.get(task.task_id.lower()), stored))

    return (file for some in concurrently(reports, plan.tasks) for file in some)


def _with_outputs_here(container: str, file: FileReport, root: Path) -> FileReport:
    """The same report once all outputs are here; a failed one when they cannot be had."""
    try:
        return replace(file, outputs=tuple(fetch_output(container, output, root) for output in file.outputs))
    except OutputDamaged as error:
        return replace(file, state="failed", reason=str(error), kind="output")


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
    key = file.input.key
    if finished is None:
        return FileReport(key, "not run", task_id, reason="the run ended before its task did")
    attempts, exit_code = finished.attempts, finished.exit_code
    kind = failure_kind(finished.failure, exit_code, told=entry is not None)
    report = FileReport(key, "failed", task_id, finished.node_id, exit_code, attempts=attempts, kind=kind)
    if entry is None:
        return replace(report, reason=finished.failure or "its node told nothing about it")
    report = replace(
        report,
        exit_code=entry.get("exit_code"),
        reason=without_secrets(str(entry.get("reason") or finished.failure)),
        stderr_tail=without_secrets(str(entry.get("stderr_tail") or "")[-_TAIL:]),
        seconds=entry.get("seconds"),
    )
    if entry.get("state") != "succeeded":
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


def fetch_output(container: str, output: Output, root: Path) -> Output:
    """One output, brought below `root` unless it is there already; with its MD5 as found.

    Raises:
        OutputDamaged: its size or MD5 differs from what the node saw, twice, or it cannot be written here.
    """
    target = root / output.path
    if ".." in target.parts or not target.is_relative_to(root):
        raise OutputDamaged(f"the output {output.path!r} would be written outside of the output folder")
    try:
        if is_here(target, output):
            return output
        target.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(_TRIES):
            size, md5 = _written(container, output, target)
            if size == output.size and md5 == (output.md5 or md5):
                return replace(output, md5=md5)
    except OSError as error:
        raise OutputDamaged(f"cannot write the output {str(target)!r}: {error.strerror}") from error
    raise OutputDamaged(
        f"the output {output.path!r} came as {size} bytes with MD5 {md5}, but the node wrote {output.size} "
        f"bytes with MD5 {output.md5}: something else writes to the container {container}"
    )


def is_here(target: Path, output: Output) -> bool:
    """Whether the file is this very output; without an MD5 nobody can tell."""
    if not output.md5 or not target.is_file() or target.stat().st_size != output.size:
        return False
    return md5_of(target) == output.md5


def _written(container: str, output: Output, target: Path) -> tuple[int, str]:
    """Download beside the target; put in its place when it is right. Size and MD5 as they came."""
    partial = partial_file(target, container)
    try:
        size, md5 = patiently(lambda: _download(container, output.blob, partial))
        if size == output.size and md5 == (output.md5 or md5):
            partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return size, md5


def partial_file(target: Path, container: str) -> Path:
    """Where an output of the run with this container comes down: no other run writes there, not even one into
    the same folder. The name is short, since a target's name may be as long as names can be.
    """
    short = hashlib.sha256(os.fsencode(f"{container}/{target.name}")).hexdigest()[:16]
    return target.with_name(f".{short}.partial")


def _download(container: str, blob: str, path: Path) -> tuple[int, str]:
    digest = hashlib.md5(usedforsecurity=False)
    size = 0
    with path.open("wb") as file:
        for data in blob_service().get_blob_client(container, blob).download_blob().chunks():
            stop_if_closing()
            file.write(data)
            digest.update(data)
            size += len(data)
    return size, digest.hexdigest()


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
