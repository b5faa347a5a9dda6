"""The picture of a run as one SVG: phases, how many tasks waited and ran, and a lane for each node.

It stands alone (no script, no font, nothing from elsewhere), is light or dark as its viewer is, and stays
small: of 10,000 tasks, those too short to be seen apart share a bar. Hover texts name the files.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from batch_tasks.report import RunReport
from batch_tasks.timeline import Bar, Ran, Row, Timeline, bars, duration, load, phases, ticks, timeline

WIDTH = 960
MOST_BARS, STILL_BARS = 3000, 700
_LEFT, _RIGHT, _PHASES, _LOAD, _GAP, _AXIS = 76, 16, 46, 64, 26, 44
_COLUMNS = 220
_FONT, _STILL_FONT = "font: 12px", "font: 17px"
_LETTER = 9  # the width of a letter in the larger font; in the smaller one there is room to spare
_KEYS_SHOWN = 3
_STYLE = """
.rp { --paper: #fff; --ink: #1f2328; --soft: #59636e; --lane: #eef1f4; --line: #d1d9e0; --ok: #2f7fd1;
  --bad: #cf222e; --wait: #c3cbd4; font: 12px system-ui, -apple-system, "Segoe UI", sans-serif }
@media (prefers-color-scheme: dark) { .rp { --paper: #0d1117; --ink: #f0f6fc; --soft: #9198a1;
  --lane: #1b222b; --line: #30363d; --ok: #4a9bef; --bad: #ff6a61; --wait: #4a535e } }
.rp text { fill: var(--soft) }
.rp .ink { fill: var(--ink) }
.rp .paper { fill: var(--paper) }
.rp .lane { fill: var(--lane) }
.rp .ok { fill: var(--ok) }
.rp .bad { fill: var(--bad) }
.rp .wait { fill: var(--wait) }
.rp .grid { stroke: var(--line) }
.rp .end { text-anchor: end }
.rp .middle { text-anchor: middle }
.rp .bar { stroke: var(--paper); stroke-width: .6 }
.rp .bar:hover { opacity: .7 }
"""


def run_picture(report: RunReport, *, still: bool = False) -> str:
    """The SVG, about 960 wide; valid XML whatever the names of files are.

    A `still` one is for where nothing can be pointed at: no hover texts and fewer bars make it under 100 KB.
    Its letters are larger, as Prefect's page of an artifact shows it at two thirds of its width (seen).
    """
    line = timeline(report)
    row_height = 20 if len(line.rows) <= 20 else 12 if len(line.rows) <= 40 else 8
    lanes_top = _PHASES + _LOAD + _GAP
    bottom = lanes_top + max(1, len(line.rows)) * row_height
    height = bottom + _AXIS
    opening = (
        f'<svg class="rp" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" aria-label="{shown(_in_words(line))}">'
    )
    parts = [
        opening,
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
        *(_nothing_ran() if not line.ran else ()),
        *_grid(line, bottom),
        *_phases(line),
        *_load(line),
        *_lanes(line, lanes_top, row_height, STILL_BARS if still else MOST_BARS),
        *_legend(line, bottom),
        "</svg>",
    ]
    picture = "\n".join(parts)
    return re.sub(r"<title>[^<]*</title>", "", picture).replace(_FONT, _STILL_FONT) if still else picture


def shown(text: str) -> str:
    """Any text, such as a file's name, for XML and HTML; what cannot be printed as an escape."""
    visible = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    return html.escape(visible)


def _in_words(line: Timeline) -> str:
    failed = sum(not one.ok for one in line.ran)
    return f"{len(line.ran)} tasks on {line.nodes} nodes in {duration(line.seconds)}, {failed} failed"


def _x(line: Timeline, moment: float) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * max(0.0, min(1.0, moment / (line.seconds or 1.0)))


def _nothing_ran() -> Iterator[str]:
    yield f'<text x="{WIDTH / 2}" y="30" class="middle ink">No task ran.</text>'


def _grid(line: Timeline, bottom: float) -> Iterator[str]:
    for moment in ticks(line.seconds) if line.ran else ():
        x = _x(line, moment)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_PHASES - 6}" y2="{bottom + 4}"/>'
        yield f'<text class="middle" x="{x:.1f}" y="{bottom + 18}">{duration(moment)}</text>'


def _phases(line: Timeline) -> Iterator[str]:
    for name, began, ended in phases(line):
        left, right = _x(line, began), _x(line, ended)
        lasted = duration(max(0.0, ended - began))
        fill = {"run tasks": "ok", "wait for nodes": "wait"}.get(name, "lane")
        yield (
            f'<rect class="{fill} phase" x="{left:.1f}" y="26" width="{max(0.5, right - left - 1):.1f}" '
            f'height="8" rx="2"><title>{name}: {lasted}</title></rect>'
        )
        if right - left > _LETTER * len(f"{name} {lasted}"):
            yield f'<text x="{left:.1f}" y="18"><tspan class="ink">{name}</tspan> {lasted}</text>'


def _load(line: Timeline) -> Iterator[str]:
    """Two areas: how many tasks ran, and on top of them how many waited."""
    if not line.ran:
        return
    columns = load(line, _COLUMNS)
    top = max(running + waiting for running, waiting in columns) or 1
    floor = _PHASES + _LOAD
    yield _area("wait", [(running + waiting) / top for running, waiting in columns], floor)
    yield _area("ok", [running / top for running, _ in columns], floor)
    yield f'<text class="end" x="{_LEFT - 8}" y="{_PHASES + 8}">{top:,}</text>'
    yield f'<text class="end" x="{_LEFT - 8}" y="{floor}">tasks</text>'


def _area(name: str, heights: list[float], floor: float) -> str:
    step = (WIDTH - _LEFT - _RIGHT) / len(heights)
    path = "".join(
        f"V{floor - _LOAD * height:.1f}H{_LEFT + step * (index + 1):.1f}"
        for index, height in enumerate(heights)
    )
    return f'<path class="{name} load" d="M{_LEFT} {floor}{path}V{floor}Z"/>'


def _lanes(line: Timeline, top: float, height: float, most_bars: int) -> Iterator[str]:
    gap = 2 if height > 8 else 1
    for index, row in enumerate(line.rows):
        y = top + index * height
        yield (
            f'<rect class="lane" x="{_LEFT}" y="{y + gap / 2}" width="{WIDTH - _LEFT - _RIGHT}" '
            f'height="{height - gap}"/>'
        )
        if row.is_first and height >= 8:
            yield _node_name(row, y + height / 2 + min(4, height / 2 - 1), height)
    pixel = line.seconds / (WIDTH - _LEFT - _RIGHT) * 1.5
    for index, bar in bars(line, pixel, most_bars):
        yield _bar(line, bar, top + index * height + gap / 2, height - gap)


def _node_name(row: Row, y: float, height: float) -> str:
    size = "" if height >= 20 else f' font-size="{height:g}"'
    return (
        f'<text class="end" x="{_LEFT - 8}" y="{y:.1f}"{size}>node {row.number}'
        f"<title>{shown(row.node_id)}</title></text>"
    )


def _bar(line: Timeline, bar: Bar, y: float, height: float) -> str:
    left, right = _x(line, bar.began), _x(line, bar.ended)
    state = "ok" if bar.ran[0].ok else "bad"
    width = max(right - left, 1.2 if state == "ok" else 2.5)
    return (
        f'<rect class="bar {state}" x="{left:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'rx="1.5"><title>{shown(_told(bar))}</title></rect>'
    )


def _told(bar: Bar) -> str:
    if len(bar.ran) > 1:
        ended = "ended well" if bar.ran[0].ok else "failed"
        return f"{len(bar.ran)} tasks {ended} within {duration(bar.ended - bar.began)}: {_keys(*bar.ran)}"
    one = bar.ran[0]
    again = f", attempt {one.task.attempts}" if one.task.attempts > 1 else ""
    ended = "succeeded" if one.ok else f"failed: {_reason(one)}"
    return (
        f"{_keys(one)}: {ended}. Waited {duration(one.started - one.submitted)}, "
        f"ran {duration(one.ended - one.started)}{again}."
    )


def _keys(*ran: Ran) -> str:
    keys = [file.key for one in ran[: _KEYS_SHOWN + 1] for file in one.files]
    total = sum(len(one.files) for one in ran)
    names = ", ".join(key if len(key) <= 60 else f"...{key[-57:]}" for key in keys[:_KEYS_SHOWN])
    return names + (f" and {total - _KEYS_SHOWN} more" if total > _KEYS_SHOWN else "")


def _reason(one: Ran) -> str:
    told = (file.reason for file in one.files if file.state != "succeeded" and file.reason)
    return next(told, one.task.failure or f"exit code {one.task.exit_code}")[:200]


def _legend(line: Timeline, bottom: float) -> Iterator[str]:
    x = float(_LEFT)
    for name, words in (("ok", "ran"), ("bad", "failed"), ("wait", "waiting for a free node")):
        yield f'<rect class="{name}" x="{x:.0f}" y="{bottom + 28}" width="11" height="11" rx="2"/>'
        yield f'<text x="{x + 16:.0f}" y="{bottom + 38}">{words}</text>'
        x += 34 + _LETTER * len(words)
    if line.nodes_shown < line.nodes:
        words = f"{line.nodes_shown} of {line.nodes} nodes have a lane: those with failures, then the busiest"
        yield f'<text class="end" x="{WIDTH - _RIGHT}" y="{bottom + 38}">{words}</text>'
