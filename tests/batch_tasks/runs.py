"""Reports of runs that never were: so many files on so many nodes, drawn from a seed."""

import heapq
import random
from datetime import UTC, datetime, timedelta

from batch_tasks.report import FileReport, FinishedTask, Output, RunReport

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def report_of(
    files: int, *, nodes: int = 2, slots: int = 1, failures: int = 0, name: str = "clips/{}.mp4"
) -> RunReport:
    """A run whose first `failures` files failed; nodes come after a minute, results 8 s later."""
    draw = random.Random(1)
    free = [(60 + draw.random() * 20, f"node-{node}") for node in range(nodes) for _ in range(slots)]
    heapq.heapify(free)
    tasks, reports = [], []
    for number in range(files):
        started, node = heapq.heappop(free)
        ended = started + draw.lognormvariate(2, 0.6)
        heapq.heappush(free, (ended + 0.3, node))
        ok = number >= failures
        key = name.format(number)
        tasks.append(
            FinishedTask(
                f"t{number}", ok, node, 0 if ok else 3, created=at(9), started=at(started), ended=at(ended)
            )
        )
        reports.append(
            FileReport(
                key,
                "succeeded" if ok else "failed",
                f"t{number}",
                node,
                0 if ok else 3,
                "" if ok else "exit code 3",
                "" if ok else "it\nbroke",
                ended - started,
                (Output(f"{key}.mp3", f"outputs/{key}.mp3", 3, "acbd18db4cc2f85cedef654fccc4a4d8"),)
                if ok
                else (),
                1,
            )
        )
    last = max(task.ended for task in tasks if task.ended)
    return RunReport(
        "transcode-media",
        "b7a0d2a1-2f0d-4b5c-8f4e-5f3b6f1c2a3d",
        "/out",
        tuple(reports),
        tuple(tasks),
        BEGAN,
        last + timedelta(seconds=8),
    )
