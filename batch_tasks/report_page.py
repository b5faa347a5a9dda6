"""The report of a run as one HTML page: the picture, the failures with their last words, the files.

It loads nothing and runs nothing: no scripts, fonts or styles from elsewhere. Links to outputs are relative,
so that the page goes where the output folder goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from statistics import median
from urllib.parse import quote

from batch_tasks.report import FileReport, Output, RunReport
from batch_tasks.run_picture import run_picture, shown
from batch_tasks.timeline import Timeline, duration, timeline

FILES_SHOWN = 500
FAILURES_SHOWN = 100
_OUTPUTS_SHOWN = 3
_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2328; --soft: #59636e; --line: #d1d9e0;
  --bad: #cf222e; --link: #0969da; --tile: #f6f8fa }
@media (prefers-color-scheme: dark) { :root { --paper: #0d1117; --ink: #f0f6fc; --soft: #9198a1;
  --line: #30363d; --bad: #ff6a61; --link: #4a9bef; --tile: #161b22 } }
body { margin: 0 auto; padding: 24px; max-width: 1000px; background: var(--paper); color: var(--ink);
  font: 14px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif }
h1 { font-size: 22px; margin: 0 }
h2 { font-size: 16px; margin: 28px 0 8px }
p { margin: 4px 0; color: var(--soft) }
a { color: var(--link) }
.tiles { display: flex; flex-wrap: wrap; gap: 8px; margin: 16px 0 }
.tiles div { background: var(--tile); border-radius: 8px; padding: 8px 14px }
.tiles b { display: block; font-size: 20px; font-weight: 600 }
.tiles span { color: var(--soft) }
.tiles .bad b, .failed { color: var(--bad) }
svg { max-width: 100%; height: auto; display: block }
pre { margin: 4px 0 12px; padding: 8px 12px; background: var(--tile); border-radius: 6px;
  white-space: pre-wrap; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: 4px 10px 4px 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere }
th { color: var(--soft); font-weight: 500; white-space: nowrap }
.number { text-align: right; white-space: nowrap }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def report_page(report: RunReport, results_name: str = "results.json", up: str = "") -> str:
    """The page. Of many files it shows the failures first, and `results_name` lists all. `up` leads from the
    page's folder to the one that all links begin at, the output folder, as in `../../`.
    """
    title = shown(f"{report.workload}: {report.outcome}")
    return "\n".join(
        (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f'<base href="{up}">' if up else "",
            f"<title>{title}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{title}</h1>",
            f"<p>{shown(_when(report))}Flow run {shown(report.flow_run_id)}</p>",
            *_tiles(report),
            run_picture(report),
            *_failures(report),
            *_files(report, results_name),
            "</body></html>\n",
        )
    )


def failures_first(report: RunReport, most: int) -> list[FileReport]:
    """At most so many files, the merge too: those that failed, then those that never ran, then the others."""
    order = {"failed": 0, "not run": 1, "succeeded": 2}
    merged = (report.merged,) if report.merged else ()
    return sorted((*merged, *report.files), key=lambda file: order[file.state])[:most]


def reason_of(file: FileReport) -> str:
    """Why the file failed, in words; "" when it did not."""
    if file.state == "succeeded":
        return ""
    return file.reason or (f"exit code {file.exit_code}" if file.exit_code is not None else file.state)


def _when(report: RunReport) -> str:
    return f"{report.created:%Y-%m-%d %H:%M:%S} UTC. " if report.created else ""


def _tiles(report: RunReport) -> Iterator[str]:
    line = timeline(report)
    yield '<div class="tiles">'
    yield _tile(f"{len(report.succeeded):,}", "files succeeded")
    yield _tile(f"{len(report.failed):,}", "failed", "bad" if report.failed else "")
    if report.preemptions:
        yield _tile(
            duration(report.wasted_seconds), f"lost by {report.preemptions:,} preemptions of Spot nodes"
        )
    yield from _times(line)
    if report.cost:
        yield _tile(report.cost.cost, f"nodes, {report.cost.prices}")
        yield _tile(report.cost.hours, f"node-hours{': ' * bool(report.cost.doing)}{report.cost.doing}")
    yield "</div>"


def _times(line: Timeline) -> Iterator[str]:
    if not line.ran:
        return
    yield _tile(duration(line.seconds), "in all")
    yield _tile(str(line.nodes), f"node{'s' * (line.nodes != 1)} ran {len(line.ran):,} tasks")
    yield _tile(duration(median(one.ended - one.started for one in line.ran)), "a task, typically")
    yield _tile(duration(median(one.started - one.submitted for one in line.ran)), "a task's typical wait")


def _tile(number: str, words: str, name: str = "") -> str:
    return f'<div class="{name}"><b>{shown(number)}</b><span>{shown(words)}</span></div>'


def _failures(report: RunReport) -> Iterator[str]:
    if not report.failed:
        return
    yield "<h2>What failed</h2>"
    for file in failures_first(report, min(FAILURES_SHOWN, len(report.failed))):
        yield f'<div><b>{shown(file.key)}</b> <span class="failed">{shown(reason_of(file))}</span></div>'
        if file.stderr_tail.strip():
            lines = "\n".join(shown(text) for text in file.stderr_tail.strip().splitlines())
            yield f"<pre>{lines}</pre>"
    if len(report.failed) > FAILURES_SHOWN:
        yield f"<p>... and {len(report.failed) - FAILURES_SHOWN:,} more.</p>"


def _files(report: RunReport, results_name: str) -> Iterator[str]:
    files = failures_first(report, FILES_SHOWN)
    yield "<h2>Files</h2>"
    which = f"The first {len(files):,}, failures first. " if len(files) < len(report.files) else ""
    link = f'<a href="{_href(results_name)}">{shown(results_name)}</a>'
    yield f"<p>{which}All {len(report.files):,} with sizes and MD5: {link}</p>"
    yield "<table><tr><th>File</th><th>State</th>"
    yield '<th class="number">Seconds</th><th class="number">Attempts</th><th>Outputs</th></tr>'
    for file in files:
        seconds = "" if file.seconds is None else f"{file.seconds:.2f}"
        name = "" if file.state == "succeeded" else ' class="failed"'
        yield (
            f"<tr><td>{shown(file.key)}</td><td{name}>{file.state}</td>"
            f'<td class="number">{seconds}</td><td class="number">{file.attempts}</td>'
            f"<td>{_links(file.outputs)}</td></tr>"
        )
    yield "</table>"


def _links(outputs: tuple[Output, ...]) -> str:
    links = [
        f'<a href="{_href(output.path)}">{shown(output.path)}</a>' for output in outputs[:_OUTPUTS_SHOWN]
    ]
    more = f" and {len(outputs) - _OUTPUTS_SHOWN} more" if len(outputs) > _OUTPUTS_SHOWN else ""
    return ", ".join(links) + more


def _href(path: str) -> str:
    """A path below the page's folder; `./` keeps a colon in a name from being taken for a scheme."""
    path = re.sub("[\ud800-\udc7f\udd00-\udfff]", "?", path)  # halves of letters, which no file name has
    return shown("./" + quote(path.encode("utf-8", "surrogateescape"), safe="/"))
