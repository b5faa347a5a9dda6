"""Pages: all items once, whatever is deleted or added meanwhile."""

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_emulator.errors import InvalidQueryParameterValue, OutOfRangeQueryParameterValue
from batch_emulator.wire.paging import next_link, page, page_size


@dataclass(frozen=True)
class Item:
    sequence: int


def sequence(item: Item) -> int:
    return item.sequence


ITEMS = [Item(n) for n in range(10)]


@pytest.mark.parametrize("size", range(1, 12))
@pytest.mark.parametrize("lazy", [False, True])
def test_the_pages_together_are_the_list(size: int, lazy: bool) -> None:
    seen: list[Item] = []
    token, more = None, True
    while more:
        part, token = page(iter(ITEMS) if lazy else ITEMS, sequence, size, token)
        assert len(part) <= size
        seen += part
        more = token is not None
    assert seen == ITEMS


def test_a_page_that_takes_all_that_is_left_has_no_next() -> None:
    assert page(ITEMS, sequence, 10, None) == (ITEMS, None)
    assert page([], sequence, 10, None) == ([], None)


@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)), st.integers(1, 7))
def test_what_is_deleted_between_pages_hides_nothing_else(
    before: set[int], deleted: set[int], size: int
) -> None:
    first, token = page([Item(n) for n in sorted(before)], sequence, size, None)
    left = [Item(n) for n in sorted(before - deleted)]
    rest = page(left, sequence, 100, token)[0] if token else []
    seen = [*first, *rest]
    assert len(seen) == len(set(seen))
    assert {item.sequence for item in seen} >= before - deleted


@pytest.mark.parametrize("token", ["", "x", "-1", "1+1", "9" * 30, "１"])
def test_a_token_that_is_not_ours_is_refused(token: str) -> None:
    with pytest.raises(InvalidQueryParameterValue) as caught:
        page(ITEMS, sequence, 1, token)
    assert caught.value.values["QueryParameterName"] == "$skiptoken"


def test_without_maxresults_a_page_holds_a_thousand() -> None:
    assert page_size(None) == 1000
    assert page_size("1") == 1
    assert page_size("1000") == 1000
    assert page_size(None, largest=10) == 10


@pytest.mark.parametrize("text", ["0", "-1", "1001"])
def test_a_page_size_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(OutOfRangeQueryParameterValue):
        page_size(text)


@pytest.mark.parametrize("text", ["ten", "1.5", "1e2"])
def test_a_page_size_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidQueryParameterValue):
        page_size(text)


def test_the_link_repeats_the_query_with_the_new_token() -> None:
    query = {
        "api-version": "2025-06-01",
        "maxresults": "1",
        "$filter": "startswith(id,'a+b %') and state eq 'active'",
        "$select": "id,state",
        "$skiptoken": "3",
    }
    link = next_link("http://127.0.0.1:10010/account", "/jobs/a%3Ab/tasks", query, "7")
    assert link.startswith("http://127.0.0.1:10010/account/jobs/a%3Ab/tasks?")
    assert "+" not in link
    assert parse_qs(urlsplit(link).query) == {
        name: [value] for name, value in {**query, "$skiptoken": "7"}.items()
    }
