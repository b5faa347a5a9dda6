"""Retrieve the outputs: tell what became of every file, and bring what succeeded into the output folder.

A file succeeded when its command did and every output it should have left is in storage, with the size that
the node saw, and came here whole. Outputs are written beside and renamed once size and MD5 are right; those
already here are not fetched again. One file's trouble never costs another its outputs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from batch_tasks.clients import blob_service
from batch_tasks.concurrently import concurrently
from batch_tasks.earlier_work import EarlierWork
from batch_tasks.file_reports import report_task
from batch_tasks.keep_report import own_folder
from batch_tasks.patience import patiently, stop_if_closing
from batch_tasks.plan import PlannedTask, RunPlan
from batch_tasks.progress import Counting
from batch_tasks.report import FileReport, FinishedTask, Output, RunReport
from batch_tasks.stage import log, stage
from batch_tasks.tries import reports_of
from batch_tasks.upload_inputs import md5_of, stored_blobs
from batch_tasks.verified_outputs import VerifiedOutputs

_TRIES = 2


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
    earlier = earlier or EarlierWork(plan, {})
    files = earlier.completed(plan, _reports(earlier.rest, finished))
    root = Path(output_dir).absolute()
    verified = VerifiedOutputs(own_folder(plan, str(root)))
    done = Counting("retrieve-outputs", sum(file.state == "succeeded" for file in files))

    def fetched(file: FileReport) -> FileReport:
        if file.state != "succeeded" or not download:
            return file
        stop_if_closing()
        result = _with_outputs_here(plan.names.output_container, file, root)
        verified.note(result)
        done.add_one()
        return result

    files = concurrently(fetched, files)
    report = _told(plan, files, finished, root)
    if not download:
        report = replace(report, output_container=plan.names.output_container)
    place = str(root) if download else f"container {plan.names.output_container}"
    counted = f"{len(report.succeeded)} of {len(report.files)}"
    log().info("%s files succeeded; their outputs are in %s", counted, place)
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
    """What became of each file of the plan in the end, the outputs being where they are."""
    ended = {task.task_id.lower(): task for task in finished}
    stored = stored_blobs(plan.names.output_container)

    def told(task: PlannedTask, finished: FinishedTask | None) -> list[FileReport]:
        return list(report_task(plan, task, finished, stored))

    def reports(task: PlannedTask) -> list[FileReport]:
        return list(reports_of(task, ended, plan.retry, told))

    return (file for some in concurrently(reports, plan.tasks) for file in some)


def _with_outputs_here(container: str, file: FileReport, root: Path) -> FileReport:
    """The same report once all outputs are here; a failed one when they cannot be had."""
    try:
        return replace(file, outputs=tuple(fetch_output(container, output, root) for output in file.outputs))
    except OutputDamaged as error:
        return replace(file, state="failed", reason=str(error), kind="output")


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
