"""Writes the pages of this folder that follow from the emulator's code; `--check` only says what is stale.

The list of operations comes from the route table, the behaviours from what the code says of its sources, in
docstrings and comments, the diagrams from the tables of states.
"""

import ast
import io
import re
import string
import sys
import tokenize
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path

from batch_emulator import lifecycle
from batch_emulator.operations import OPERATIONS, UNLIKE, Evidence, Operation

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = PROJECT / "batch_emulator"
MARKS = {
    "as recorded": re.compile(r"\((seen in )?recorded\b"),
    "as documented": re.compile(r"\(documented\b"),
    "assumed": re.compile(r"\((documented\b[^)]*\b)?assumed\b|\bAssumed:|\bis assumed\b"),
}
WHOLE = f"`{string.ascii_uppercase}"
"""How a sentence begins; what begins otherwise is the rest of a line of code."""
DIAGRAMS: Mapping[str, lifecycle.Table[StrEnum, StrEnum]] = {
    "Pool": lifecycle.POOL,
    "Allocation of a pool": lifecycle.ALLOCATION,
    "Node": lifecycle.NODE,
    "Job": lifecycle.JOB,
    "Task": lifecycle.TASK,
    "Job schedule": lifecycle.JOB_SCHEDULE,
}


def coverage() -> str:
    """The page of operations and behaviours."""
    emulated = [one for one in OPERATIONS if one.handler is not None]
    lines = [
        "# What the emulator answers, and how that is known",
        "",
        "Written by `docs/generate.py` from the route table and the code; a test compares.",
        "",
        f"{len(emulated)} of the {len(OPERATIONS)} operations of api-version 2025-06-01 are carried out.",
        "",
        *(f"- *{one.mark}*: {one.source}" for one in Evidence),
        "",
        "Where an operation does less than the service, the last column says so. What is assumed stands",
        "under behaviours, sentence by sentence.",
        "",
        "## Operations",
        "",
        "| Operation | Request | Known | Not like the service |",
        "|---|---|---|---|",
        *map(_operation, OPERATIONS),
        "",
        "## Behaviours",
        "",
        "What the code says of its sources, where it says it.",
        "",
        "| Known | Behaviour | Where |",
        "|---|---|---|",
        *(f"| {mark} | {_cell(text)} | `{where}` |" for where, mark, text in sorted(behaviours())),
    ]
    return "\n".join(lines) + "\n"


def _operation(one: Operation) -> str:
    known = one.evidence.mark if one.handler else "not carried out"
    return f"| `{one.name}` | {one.method} `{one.path}` | {known} | {UNLIKE.get(one.name, '')} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def behaviours() -> Iterator[tuple[str, str, str]]:
    """Module, mark and sentence of everything that the code gives a source for."""
    for file in PACKAGE.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        where = file.relative_to(PROJECT).as_posix()
        for said in (*_docstrings(text), *_comments(text)):
            for sentence in re.split(r"(?<=[.;])\s+(?=[A-Z`])|\n\s*\n", said):
                marks = dict.fromkeys(mark for mark, pattern in MARKS.items() if pattern.search(sentence))
                if marks and sentence.lstrip()[:1] in WHOLE:
                    yield where, ", ".join(marks), " ".join(sentence.split())


def _docstrings(text: str) -> Iterator[str]:
    """Docstrings, also those of attributes and constants: every text that is a statement."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


def _comments(text: str) -> Iterator[str]:
    """Comments; consecutive lines of them are one."""
    together: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            alone = not token.line[: token.start[1]].strip()
            if together and not (alone and token.start[0] == last + 1):
                yield " ".join(together)
                together = []
            together.append(token.string.lstrip("# "))
            last = token.start[0]
    if together:
        yield " ".join(together)


def lifecycles() -> str:
    """The page of diagrams."""
    lines = [
        "# States, and every way out of them",
        "",
        "Written by `docs/generate.py` from `batch_emulator/lifecycle.py`; a test compares. A move that is",
        "not drawn here cannot happen in the emulator.",
    ]
    for name, table in DIAGRAMS.items():
        lines += ["", f"## {name}", "", "```mermaid", "stateDiagram-v2", *_diagram(table), "```"]
    return "\n".join(lines) + "\n"


def _diagram(table: lifecycle.Table[StrEnum, StrEnum]) -> Iterator[str]:
    yield f"    [*] --> {next(iter(table)).value}"
    for state, ways in table.items():
        by_target: dict[str, list[str]] = {}
        for event, target in ways.items():
            by_target.setdefault(target.value, []).append(event.value)
        for target, events in by_target.items():
            yield f"    {state.value} --> {target}: {', '.join(events)}"


def pages() -> dict[Path, str]:
    """The text of each generated page."""
    folder = PROJECT / "docs"
    return {folder / "emulator-coverage.md": coverage(), folder / "lifecycles.md": lifecycles()}


def stale() -> list[Path]:
    """The pages that are not what the code says."""
    return [
        page
        for page, text in pages().items()
        if not page.is_file() or page.read_text(encoding="utf-8") != text
    ]


def main() -> None:
    """Write the pages, or with `--check` fail where one is stale."""
    if "--check" in sys.argv[1:]:
        if old := stale():
            sys.exit(f"stale, run docs/generate.py: {', '.join(page.name for page in old)}")
        return
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
