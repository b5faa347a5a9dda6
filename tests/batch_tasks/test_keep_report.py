"""Results and page: beside the outputs, in storage where asked, and never in the place of anything else."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

import pytest

from batch_tasks.clients import blob_service
from batch_tasks.create_containers import create_containers
from batch_tasks.keep_report import free_name, keep_report, names_taken, own_folder
from batch_tasks.plan import RunPlan
from batch_tasks.workload import Workload
from tests.batch_tasks.runs import report_of

MakePlan = Callable[..., RunPlan]


def plan_of(make_plan: MakePlan, folder: Path, *names: str, output: str = "{stem}.out") -> RunPlan:
    for name in names:
        (folder / name).write_text("x")
    workload = Workload(name="test", command="cp {input} {output}", outputs=(output,))
    return make_plan([str(folder / name) for name in names], workload)


def test_results_tell_of_every_file_and_task(tmp_path: Path, make_plan: MakePlan) -> None:
    report = replace(report_of(3, failures=1), output_dir=str(tmp_path / "out"))
    plan = plan_of(make_plan, tmp_path, "a")
    results, page = keep_report(plan, report, in_storage=False)
    own = tmp_path / "out" / ".runs" / plan.names.flow_run_id
    assert (results.path, page.path) == (str(own / "results.json"), str(own / "report.html"))
    assert (results.url, page.url) == ("", "")
    told = json.loads(Path(results.path).read_text())
    assert (told["succeeded"], told["failed"], len(told["tasks"])) == (2, 1, 3)
    good = told["files"][1]
    assert (good["input"], good["state"], good["attempts"], good["exit_code"]) == (
        "clips/1.mp4",
        "succeeded",
        1,
        0,
    )
    assert good["outputs"] == [
        {
            "path": "clips/1.mp4.mp3",
            "blob": "outputs/clips/1.mp4.mp3",
            "size": 3,
            "md5": "acbd18db4cc2f85cedef654fccc4a4d8",
        }
    ]
    assert (good["task"], good["node"], good["seconds"] > 0) == ("t1", report.files[1].node_id, True)
    assert datetime.fromisoformat(told["tasks"][0]["started"]) == report.tasks[0].started
    assert Path(page.path).read_text().startswith("<!doctype html>")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        ".runs",
        "report.html",
        "results.json",
    ]
    assert (tmp_path / "out" / "results.json").read_text() == Path(results.path).read_text()


def test_the_reports_of_two_runs_into_one_folder_stay_apart(tmp_path: Path, make_plan: MakePlan) -> None:
    out = tmp_path / "out"
    kept = []
    for number in (1, 2):
        report = replace(report_of(number), output_dir=str(out))
        kept.append(keep_report(plan_of(make_plan, tmp_path, "a"), report, in_storage=False))
    assert [json.loads(Path(results.path).read_text())["succeeded"] for results, _ in kept] == [1, 2]
    assert json.loads((out / "results.json").read_text())["succeeded"] == 2
    for (results, page), newest in zip(kept, (None, out / "report.html"), strict=True):
        assert links_of(Path(page.path)) >= {Path(results.path), out / "clips" / "0.mp4.mp3"}
        if newest:
            assert links_of(newest) >= {out / "results.json", out / "clips" / "0.mp4.mp3"}


def links_of(page: Path) -> set[Path]:
    """Where the links of a page lead, as a browser follows them."""
    text = page.read_text()
    base = re.search(r'<base href="([^"]+)">', text)
    here = page.parent / (base[1] if base else "")
    return {(here / unquote(link)).resolve() for link in re.findall(r'<a href="([^"]+)"', text)}


def test_names_of_inputs_and_outputs_are_never_taken(tmp_path: Path, make_plan: MakePlan) -> None:
    plan = plan_of(make_plan, tmp_path, "results.txt", "report.html", output="{stem}.json")
    assert {"results.json", "report.json", "report.html"} <= names_taken(plan, str(tmp_path))
    results, page = keep_report(plan, replace(report_of(1), output_dir=str(tmp_path)), in_storage=False)
    assert (results.name, page.name) == ("run-results.json", "run-report.html")
    assert (tmp_path / "report.html").read_text() == "x"
    assert 'href="./run-results.json"' in (tmp_path / "run-report.html").read_text()
    assert Path(page.path).parent == own_folder(plan, str(tmp_path))
    assert free_name("a", {"a", "run-a"}) == "run-run-a"


@pytest.mark.usefixtures("storage")
def test_a_kept_container_keeps_both(tmp_path: Path, make_plan: MakePlan) -> None:
    plan = plan_of(make_plan, tmp_path, "a")
    create_containers.fn(plan.names, plan.metadata)
    kept = keep_report(plan, replace(report_of(1), output_dir=str(tmp_path)), in_storage=True)
    container = blob_service().get_container_client(plan.names.output_container)
    for file, kind in zip(kept, ("application/json", "text/html; charset=utf-8"), strict=True):
        blob = container.get_blob_client(f"outputs/{file.name}")
        assert blob.download_blob().readall() == (tmp_path / file.name).read_bytes()
        assert blob.get_blob_properties().content_settings.content_type == kind
        assert file.url.endswith(f"/{plan.names.output_container}/outputs/{file.name}")
        assert "?" not in file.url


@pytest.mark.usefixtures("storage")
def test_a_report_that_cannot_be_kept_is_a_warning(
    tmp_path: Path, make_plan: MakePlan, caplog: pytest.LogCaptureFixture
) -> None:
    plan = plan_of(make_plan, tmp_path, "file")
    report = replace(report_of(1), output_dir=str(tmp_path / "file"))
    assert [(one.path, one.url) for one in keep_report(plan, report, in_storage=True)] == [("", ""), ("", "")]
    assert "Cannot write" in caplog.text
    assert "Cannot keep report.html in storage: ContainerNotFound" in caplog.text
