"""What docs/bounds.md promises is what the code does."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from batch_tasks.money.prices import SHIPPED
from batch_tasks.pools.scaling import EVALUATION, LEAVING, STARTUP, WINDOW, last_billed

ROOT = Path(__file__).parents[3]
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DEADLINE = NOON + timedelta(hours=24)


def minutes(time: timedelta) -> int:
    return round(time.total_seconds() / 60)


def test_the_page_tells_the_numbers_of_the_code() -> None:
    page = (ROOT / "docs" / "bounds.md").read_text("utf-8")
    ended = NOON + timedelta(hours=2)
    assert [int(number) for number in re.findall(r"\*\*(\d+) minutes\*\*", page)] == [
        minutes(STARTUP),
        minutes(WINDOW),
        minutes(EVALUATION),
        minutes(last_billed(NOON, DEADLINE, NOON) - NOON),
        minutes(last_billed(NOON, DEADLINE, ended) - ended),
        minutes(last_billed(NOON, DEADLINE) - DEADLINE),
    ]
    terms = [tuple(map(int, sum_.split(" + "))) for sum_ in re.findall(r"\((\d+(?: \+ \d+)+)\)", page)]
    tail = (minutes(EVALUATION), minutes(LEAVING))
    assert terms == [(minutes(STARTUP), *tail), (minutes(WINDOW), *tail), tail]
    assert SHIPPED.name in page
