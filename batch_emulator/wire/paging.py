"""Long lists in pages.

A token names the last position that was seen, not an offset, so that what is deleted or added between two
pages neither repeats nor hides the rest.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import dropwhile, islice
from typing import TypeVar
from urllib.parse import quote

from batch_emulator.errors import InvalidQueryParameterValue, OutOfRangeQueryParameterValue

T = TypeVar("T")

LARGEST_PAGE = 1000


def page_size(text: str | None, largest: int = LARGEST_PAGE) -> int:
    """How many items a page holds, from the `maxresults` of the query; without it the largest page.

    Raises:
        InvalidQueryParameterValue: it is not an integer.
        OutOfRangeQueryParameterValue: it is not within 1 and `largest`.
    """
    if text is None or not text.strip():
        return largest
    try:
        size = int(text)
    except ValueError:
        raise InvalidQueryParameterValue(
            QueryParameterName="maxresults", QueryParameterValue=text, Reason="It must be an integer."
        ) from None
    if not 1 <= size <= largest:
        raise OutOfRangeQueryParameterValue(
            QueryParameterName="maxresults",
            QueryParameterValue=text,
            MinimumAllowed=1,
            MaximumAllowed=largest,
        )
    return size


def page(
    items: Iterable[T], position: Callable[[T], int], max_results: int, skiptoken: str | None
) -> tuple[list[T], str | None]:
    """The items of one page, and the token of the next one or None when this is the last.

    Args:
        items: in the order of their positions; a sequence is searched, anything else is walked through.
        position: an item's place in the list, a number >= 0 that never changes.
        max_results: how many items at most.
        skiptoken: from the link to this page; None for the first.

    Raises:
        InvalidQueryParameterValue: the token is not one of ours.
    """
    after = _position_in(skiptoken)
    rest: Iterable[T]
    if after is None:
        rest = items
    elif isinstance(items, Sequence):
        start = bisect_right(items, after, key=position)
        rest = items[start : start + max_results + 1]
    else:
        rest = dropwhile(lambda item: position(item) <= after, items)
    found = list(islice(rest, max_results + 1))
    if len(found) <= max_results:
        return found, None
    found.pop()
    return found, str(position(found[-1]))


def _position_in(skiptoken: str | None) -> int | None:
    if skiptoken is None:
        return None
    if not (skiptoken.isascii() and skiptoken.isdigit() and len(skiptoken) <= 18):
        raise InvalidQueryParameterValue(
            QueryParameterName="$skiptoken",
            QueryParameterValue=skiptoken,
            Reason="It must be taken from an odata.nextLink as it stands.",
        )
    return int(skiptoken)


def next_link(base_url: str, path: str, query: Mapping[str, str], token: str) -> str:
    """The absolute URL of the next page: this request's, with another token.

    It repeats the query, for the official client keeps nothing but what the link says, and it has no `+`,
    which that client would read as a blank.

    Args:
        base_url: where the account is, without a slash at the end.
        path: of this request below `base_url`, as sent.
        query: of this request, decoded.
        token: of the next page.
    """
    kept = {name: value for name, value in query.items() if name.lower() != "$skiptoken"}
    pairs = [*kept.items(), ("$skiptoken", token)]
    return f"{base_url}{path}?" + "&".join(f"{quote(k, safe='$')}={quote(v, safe='')}" for k, v in pairs)
