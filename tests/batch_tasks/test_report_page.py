"""The picture and the page of a run: well-formed whatever the names are, small, and loading nothing."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_tasks.money.spending import Spent
from batch_tasks.report import FileReport, FinishedTask, RunReport
from batch_tasks.report_page import failures_first, report_page
from batch_tasks.run_picture import run_picture
from tests.batch_tasks.runs import at, report_of

SVG = "{http://www.w3.org/2000/svg}"
COST = Spent(
    {"preempted": 900.0, "running": 31400.0, "starting": 1310.0},
    34920.0,
    0.6571,
    "USD",
    "by prices of westeurope of 2025-03-04",
)
AWKWARD = "<script>alert(1)</script> & \"q\" 'a' \x01 \udcff \n ]]> 日本 {}.txt"


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def drawn(report: RunReport, kind: str, *, still: bool = False) -> list[ET.Element]:
    """The elements of the picture that have this class."""
    root = ET.fromstring(run_picture(report, still=still))
    return [element for element in root.iter() if kind in (element.get("class") or "").split()]


def test_each_task_is_a_bar_in_the_lane_of_its_node() -> None:
    report = report_of(5, nodes=2, failures=1)
    bars = drawn(report, "bar")
    assert len(bars) == 5
    assert sorted(bar.get("class", "") for bar in bars) == ["bar bad", *["bar ok"] * 4]
    names = [text.text for text in drawn(report, "end") if (text.text or "").startswith("node")]
    assert names == ["node 1", "node 2"]
    lanes = {float(lane.get("y", "")) for lane in drawn(report, "lane") if lane.tag == f"{SVG}rect"}
    assert {float(bar.get("y", "")) for bar in bars} <= lanes


def test_pointing_at_a_bar_tells_its_file_its_waiting_and_its_failure() -> None:
    told = [bar.findtext(f"{SVG}title") or "" for bar in drawn(report_of(3, failures=1), "bar")]
    assert [text for text in told if "clips/0.mp4: failed: exit code 3. Waited " in text]
    assert all(re.search(r"Waited .+ s, ran .+ s\.$", text) for text in told)


def test_a_still_picture_has_no_hover_texts_and_is_small() -> None:
    report = report_of(10_000, nodes=50, slots=2, failures=300)
    still = run_picture(report, still=True)
    assert "<title>" not in still
    assert len(still) < 100_000
    assert drawn(report, "bad", still=True)
    assert "font: 17px" in still


def test_ten_thousand_tasks_on_a_thousand_nodes_stay_a_small_page() -> None:
    report = report_of(10_000, nodes=1000, failures=200, name="some/folder/with a rather long name/{:05}.mp4")
    page = report_page(report)
    assert len(page.encode()) < 512 * 1024
    assert "80 of 1000 nodes have a lane" in page
    assert "The first 500, failures first. All 10,000 with sizes and MD5" in page


def test_a_run_in_which_nothing_ran_has_a_picture_that_says_so() -> None:
    assert "No task ran." in run_picture(RunReport("w", "id", "/out", ()))


@settings(deadline=None, max_examples=25)
@given(st.text(st.characters(), max_size=30))
def test_no_name_breaks_the_picture_or_the_page(name: str) -> None:
    report = report_of(3, failures=1, name=name.replace("{", "").replace("}", "") + "{}")
    ET.fromstring(run_picture(report))
    report_page(report).encode()


def test_the_page_runs_no_script_and_loads_nothing() -> None:
    elements = Elements(report_page(report_of(5, failures=2, name=AWKWARD)))
    assert not {tag for tag, _ in elements.found} & {"script", "link", "iframe", "img", "object"}
    assert not [attributes for _, attributes in elements.found if "src" in attributes]
    assert not [name for _, attributes in elements.found for name in attributes if name.startswith("on")]
    policy = elements.of("meta")[1]
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_links_are_relative_even_where_a_name_looks_like_an_address() -> None:
    links = [link["href"] for link in Elements(report_page(report_of(2, name="javascript:a#b?c {}"))).of("a")]
    assert links[0] == "./results.json"
    assert links[1] == "./javascript%3Aa%23b%3Fc%200.mp3"


def test_light_and_dark_are_both_there() -> None:
    assert report_page(report_of(1)).count("prefers-color-scheme: dark") == 2


@pytest.mark.parametrize("most", [1, 3, 100])
def test_failures_come_first(most: int) -> None:
    shown = failures_first(report_of(5, failures=2), most)
    assert [file.key for file in shown] == [f"clips/{number}.mp4" for number in range(5)][:most]
    report = report_of(5)
    turned = RunReport(
        "w", "id", "/out", tuple(reversed((*report_of(1, failures=1).files, *report.files[1:])))
    )
    assert failures_first(turned, 1)[0].state == "failed"


def test_a_merge_is_shown_among_the_files_and_its_failure_in_the_title() -> None:
    report = report_of(2)
    task = FinishedTask("m", False, "node-9", 1, created=at(60), started=at(100), ended=at(101))
    merged = FileReport("merge", "failed", "m", "node-9", 1, "a part is missing")
    page = report_page(replace(report, tasks=(*report.tasks, task), merged=merged))
    assert "transcode-media: 2 files succeeded, and their merge failed" in page
    assert "merge: failed: a part is missing. Waited" in page
    assert page.count("a part is missing") == 2
    results = replace(report, merged=merged).as_dict()
    assert (results["succeeded"], results["failed"], results["merge"]["state"]) == (2, 0, "failed")


def test_what_preemptions_took_is_told() -> None:
    report = report_of(2)
    tasks = (report.tasks[0].preempted(2, 95.0), report.tasks[1])
    assert "preemptions" not in report_page(report)
    page = report_page(replace(report, tasks=tasks))
    assert "<b>1 min 35 s</b><span>lost by 2 preemptions of Spot nodes</span>" in page


def test_the_cost_stands_with_its_prices_and_the_hours_apart() -> None:
    page = report_page(replace(report_of(2), cost=COST))
    assert "<b>0.66 USD</b><span>nodes, by prices of westeurope of 2025-03-04</span>" in page
    assert (
        "<b>9.70</b><span>node-hours: 0.36 starting, 8.72 running; 0.25 preempted, not billed</span>" in page
    )
    unpriced = report_page(replace(report_of(2), cost=replace(COST, amount=None)))
    assert "<b>No price known</b><span>nodes, by prices of westeurope of 2025-03-04</span>" in unpriced
    assert "node-hours" not in report_page(report_of(2))
