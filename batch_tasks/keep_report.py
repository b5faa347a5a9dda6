"""Write what became of a run beside its outputs: `results.json` for machines, `report.html` for people.

The output folder may be that of many runs: each has a folder of its own in `.runs`, to which its artifacts
point, and the plain names are those of the latest. Where the output container is kept, which is of one run
alone, both are kept there too.
"""

from __future__ import annotations

import json
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from azure.core.exceptions import AzureError
from azure.storage.blob import ContentSettings

from batch_tasks import naming
from batch_tasks.clients import blob_service
from batch_tasks.errors import error_code
from batch_tasks.patience import CLEANING, patiently
from batch_tasks.plan import RunPlan
from batch_tasks.report import RunReport
from batch_tasks.report_page import report_page
from batch_tasks.stage import log

RESULTS, PAGE = "results.json", "report.html"
RUNS = ".runs"
"""Hidden, so that it is no input where somebody names the output folder as one."""


@dataclass(frozen=True)
class Kept:
    """A file of the report: the run's own path here and its blob's URL (without any signature); "" where it
    is not.
    """

    name: str
    path: str = ""
    url: str = ""


def keep_report(plan: RunPlan, report: RunReport, *, in_storage: bool) -> tuple[Kept, Kept]:
    """Write results and page into the output folder and, if asked, into the output container.

    Never raises for what storage or disk refuse: the run's outputs are there already, so it is a warning.
    """
    folder = Path(report.output_dir)
    taken = names_taken(plan, report.output_dir)
    results, page = free_name(RESULTS, taken), free_name(PAGE, taken)
    own = own_folder(plan, report.output_dir)
    all_results = json.dumps(report.as_dict(), indent=1) + "\n"
    paths = (
        write_whole(own, RESULTS, all_results),
        write_whole(own, PAGE, report_page(report, f"{own.relative_to(folder)}/{RESULTS}", up="../../")),
    )
    container = plan.names.output_container if in_storage else ""
    contents = (
        (results, "application/json", all_results),
        (page, "text/html; charset=utf-8", report_page(report, results)),
    )
    urls = []
    for name, kind, text in contents:
        write_whole(folder, name, text)
        urls.append(_stored(container, name, kind, text))
    return Kept(results, paths[0], urls[0]), Kept(page, paths[1], urls[1])


def own_folder(plan: RunPlan, output_dir: str) -> Path:
    """Where this run's report is, whatever runs into the same output folder come after it."""
    runs = free_name(RUNS, names_taken(plan, output_dir))
    return Path(output_dir, runs, plan.names.flow_run_id)


def names_taken(plan: RunPlan, output_dir: str) -> frozenset[str]:
    """The names in the output folder that belong to inputs and outputs of this run."""
    folder = Path(output_dir).resolve()
    inputs = (Path(file.input.path).resolve() for file in plan.files)
    outputs = {output.path.split("/")[0] for file in plan.files for output in file.outputs}
    return frozenset({path.name for path in inputs if path.parent == folder} | outputs)


def free_name(name: str, taken: Container[str]) -> str:
    """The name, or the same after as many `run-` as it takes."""
    while name in taken:
        name = f"run-{name}"
    return name


def write_whole(folder: Path, name: str, text: str) -> str:
    """Write a file beside and rename it; its path, or "" with a warning where the disk refuses."""
    path = folder / name
    partial = folder / f".{name}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(text.encode("utf-8", "backslashreplace"))
        partial.replace(path)
    except OSError as error:
        log().warning("Cannot write %s: %s", path, error.strerror)
        return ""
    return str(path)


def _stored(container: str, name: str, kind: str, text: str) -> str:
    if not container:
        return ""
    blob = blob_service().get_blob_client(container, naming.output_blob(name))
    data = text.encode("utf-8", "backslashreplace")
    settings = ContentSettings(content_type=kind)
    try:
        patiently(
            lambda: blob.upload_blob(data, overwrite=True, content_settings=settings), patience=CLEANING
        )
    except AzureError as error:
        log().warning("Cannot keep %s in storage: %s", name, error_code(error) or type(error).__name__)
        return ""
    return str(blob.url)
