"""Whether what goes to Batch fits, and whether the signatures that people bring last as long as the run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from batch_tasks.plan import PlannedTask, RunPlan
from batch_tasks.pre_flight.findings import Findings
from batch_tasks.task_options import NodeUrls, task_options

MOST_BYTES = 1_000_000
"""Of one request; a task that is larger by itself cannot be submitted at all (documented: below 1 MB)."""
_URL = "https://account.blob.core.windows.net/" + "x" * 600
"""As long as a signed URL gets under Entra ID, without the blob's name."""
_SHOWN = 3


def size_of_requests(plan: RunPlan) -> Findings:
    """Whether the largest task fits into a request."""
    if not plan.tasks:
        return Findings()
    largest = max(plan.tasks, key=lambda task: len(task.files) + sum(map(len, task.after)))
    size = _bytes(largest, plan)
    if size < MOST_BYTES:
        return Findings()
    enough = max(1, len(largest.files) * MOST_BYTES // size - 1)
    problem = (
        f"A task of {len(largest.files)} files makes a request of {size:,} bytes; Batch takes {MOST_BYTES:,}."
        f" Set --files-per-task {enough}."
    )
    return Findings([problem])


def _bytes(task: PlannedTask, plan: RunPlan) -> int:
    urls = NodeUrls(
        read=lambda blob: f"{_URL}{blob}",
        stored=lambda url: f"{url}{_URL}",
        read_outputs=_URL,
        write_outputs=_URL,
    )
    return len(json.dumps(task_options(task, plan.workload, urls).as_dict()))


def signatures(plan: RunPlan) -> Findings:
    """Whether URLs that came signed let nodes read, and until the end of the run: a task may start late."""
    signed = {file.input.url for file in plan.files if "?" in file.input.url}
    late, blind = _too_short(signed, plan.expires), [url for url in signed if not _reads(url)]
    found = Findings()
    if blind:
        found.problems.append(
            f"The signature of {_named(blind)} does not allow to read (sp=r): sign with the permissions read "
            "and list."
        )
    if late:
        earliest = min(late.values())
        hours = (earliest - plan.created).total_seconds() / 3600
        remedy = f"Sign for longer, or set --max-hours {hours:.1f}." if hours > 0.1 else "Sign anew."
        found.problems.append(
            f"The signature of {_named(late)} ends at {earliest:%Y-%m-%d %H:%M} UTC, but tasks may start and "
            f"read until {plan.expires:%Y-%m-%d %H:%M} UTC. {remedy}"
        )
    found.problems.extend(_too_early(signed, plan.created))
    found.notes.extend(_for_some_addresses(signed))
    return found


def _too_early(urls: Iterable[str], now: datetime) -> Iterator[str]:
    begins = {url: begin for url in urls if (begin := _time(url, "st")) is not None and begin > now}
    if begins:
        yield (
            f"The signature of {_named(begins)} begins at {max(begins.values()):%Y-%m-%d %H:%M} UTC (st): "
            "run after that, or sign without a beginning."
        )


def _for_some_addresses(urls: Iterable[str]) -> Iterator[str]:
    limited = {url: said[0] for url in urls if (said := parse_qs(urlsplit(url).query).get("sip"))}
    if limited:
        addresses = ", ".join(sorted(set(limited.values())))
        yield (
            f"The signature of {_named(limited)} works from {addresses} only (sip): nodes with other "
            "addresses cannot read."
        )


def _too_short(urls: Iterable[str], needed: datetime) -> dict[str, datetime]:
    ends = {url: _time(url, "se") for url in urls}
    return {url: end for url, end in ends.items() if end is not None and end < needed}


def _time(url: str, member: str) -> datetime | None:
    """From when (`st`) or until when (`se`) a signed URL works; None where it does not say so, as when a
    stored access policy does, which we cannot see.
    """
    said = parse_qs(urlsplit(url).query).get(member)
    if not said:
        return None
    time = datetime.fromisoformat(said[0])
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _reads(url: str) -> bool:
    said = parse_qs(urlsplit(url).query)
    return "sp" not in said or "r" in said["sp"][0]


def _named(urls: Iterable[str]) -> str:
    names = sorted(url.partition("?")[0] for url in urls)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
