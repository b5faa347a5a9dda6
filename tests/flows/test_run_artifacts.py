"""What the UI shows of a run: bounded in size, and true to any name and any last words."""

import json
import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from batch_tasks.keep_report import Kept
from batch_tasks.money.spending import Spent
from batch_tasks.progress import Progress
from batch_tasks.report import FileReport, RunReport
from flows.run_artifacts import (
    LARGEST_TABLE,
    files_table,
    percent,
    progress_markdown,
    progress_words,
    report_markdown,
    table_words,
)
from tests.batch_tasks.runs import report_of

RESULTS, PAGE = Kept("results.json", "/out/results.json"), Kept("report.html", "/out/report.html")
LARGEST_ARTIFACT = 512 * 1024


def test_the_table_has_failures_first_and_says_where_the_rest_is() -> None:
    report = report_of(600, failures=2)
    rows = files_table(RunReport("w", "id", "/out", tuple(reversed(report.files))))
    assert [row["State"] for row in rows[:3]] == ["failed", "failed", "succeeded"]
    assert (rows[0]["Reason"], rows[0]["Exit code"], rows[0]["Attempts"]) == ("exit code 3", 3, 1)
    words = table_words(report, len(rows), RESULTS)
    assert words == "500 of 600 files, failures first. The full list: `/out/results.json`"


@settings(deadline=None, max_examples=25)
@given(st.text(st.characters(), min_size=250, max_size=250))
def test_artifacts_are_small_and_can_be_sent_whatever_files_are_called(name: str) -> None:
    files = tuple(
        FileReport(f"{name}{n}", "failed", f"t{n}", reason=name, stderr_tail=name * 8) for n in range(600)
    )
    report = RunReport("w", "id", "/out", files)
    rows = files_table(report)
    assert len(json.dumps(rows).encode()) <= LARGEST_TABLE + 2 * len(rows) + 2
    assert len(rows) >= 50
    markdown = report_markdown(report, RESULTS, PAGE)
    assert len(json.dumps(markdown)) < LARGEST_ARTIFACT
    assert re.search(r"\.\.\. and \d+ more\.", markdown)
    json.dumps(rows, ensure_ascii=False).encode()
    markdown.encode()


def test_ten_thousand_files_make_small_artifacts() -> None:
    report = report_of(10_000, nodes=200, failures=1000)
    assert len(json.dumps(files_table(report))) < LARGEST_ARTIFACT
    assert len(json.dumps(report_markdown(report, RESULTS, PAGE))) < LARGEST_ARTIFACT


def test_the_report_begins_with_the_outcome_and_the_picture() -> None:
    lines = report_markdown(report_of(3), RESULTS, Kept("report.html", url="https://a/b")).splitlines()
    assert lines[0] == "# 3 files succeeded"
    assert lines[2].startswith("![Which task ran on which node when](data:image/svg+xml;base64,")
    assert "- Report: [report.html in storage](https://a/b)" in lines
    assert "- Results of every file: `/out/results.json`" in lines


def test_the_cost_is_never_told_without_its_prices() -> None:
    prices = "by prices of westeurope of 2025-03-04"
    spent = Spent({"running": 3600.0, "idle": 36.0}, 3636.0, 0.12, "USD", prices)
    lines = report_markdown(replace(report_of(3), cost=spent), RESULTS, PAGE).replace("\\", "").splitlines()
    assert f"- Cost of nodes: 0.12 USD, {prices}" in lines
    assert "- Node-hours: 1.01 (0.01 idle, 1.00 running)" in lines
    assert "Cost" not in report_markdown(report_of(3), RESULTS, PAGE)


def test_last_words_stay_words() -> None:
    tail = "```\n# no heading\n[no link](x)\n````"
    file = FileReport("*a*_[b](c)", "failed", "t", exit_code=3, stderr_tail=tail)
    markdown = report_markdown(RunReport("w", "id", "/out", (file,)), Kept("r"), Kept("p"))
    assert "# 1 of 1 files failed" in markdown
    assert r"**\*a\*\_\[b\]\(c\)**: exit code 3" in markdown
    assert f"`````text\n{tail}\n`````" in markdown
    assert "could not be kept" in markdown


def test_last_words_are_wrapped_where_the_page_would_cut_them() -> None:
    tail = "    indented\n\n" + "word " * 30 + "x" * 100
    file = FileReport("a", "failed", "t", stderr_tail="start\n" + tail)
    block = report_markdown(RunReport("w", "id", "/out", (file,)), Kept("r"), Kept("p")).split("```")[1]
    lines = block.splitlines()
    assert lines[:4] == ["text", "start", "    indented", ""]
    assert max(map(len, lines)) <= 64
    assert "".join(lines[4:]) == "word " * 30 + "x" * 100


def test_progress_reads_as_a_line_and_as_a_table() -> None:
    nodes = {"running": 2, "idle": 1}
    progress = Progress("poll-tasks", 200, 120, 2, 75, 3, nodes, 65.0)
    assert progress_words(progress) == (
        "poll-tasks: 120 done, 2 running, 75 queued, 3 failed of 200, 1 min 5 s"
    )
    assert "| Nodes | 1 idle, 2 running |" in progress_markdown(progress)
    assert percent(progress) == 61.5
    assert (percent(Progress("upload-inputs", 0)), percent(Progress("upload-inputs", 3, 4))) == (100.0, 100.0)
    assert "Nodes" not in progress_markdown(Progress("upload-inputs", 3))
