"""What the matrices found, as a table in the output of the tests."""

from collections.abc import Mapping, Sequence

import pytest


def show(
    capsys: pytest.CaptureFixture[str],
    title: str,
    heads: tuple[str, ...],
    rows: Mapping[str, tuple[str, ...]],
) -> None:
    """Print the rows under their heads, whether or not pytest captures."""
    table = [heads, *((name, *cells) for name, cells in rows.items())]
    widths = [max(len(row[column]) for row in table) for column in range(len(heads))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table]
    with capsys.disabled():
        print(f"\n\n{title}\n" + "\n".join(line.rstrip() for line in lines))


def asked_for(request: pytest.FixtureRequest, cells: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of the cells that a test of the session is about."""
    values = [
        tuple(item.callspec.params.values()) for item in request.session.items if hasattr(item, "callspec")
    ]
    return [cell for cell in cells if cell in values]
