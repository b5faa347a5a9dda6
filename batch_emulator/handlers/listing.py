"""Lists as the service gives them: filtered, cut into pages, reduced to the members asked for."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

from batch_emulator import odata
from batch_emulator.calls import Call, Reply
from batch_emulator.queryable import FILTERABLE, SELECTABLE
from batch_emulator.resources import Document
from batch_emulator.wire import envelope, paging

R = TypeVar("R")


def listing(
    call: Call,
    entity_set: str,
    resources: Iterable[R],
    *,
    render: Callable[[R], Document],
    position: Callable[[R], int],
    read: Callable[[R, str], odata.Scalar] | None = None,
    queried: str | None = None,
) -> Reply:
    """One page of resources.

    Args:
        call: the request, with its `$filter`, `$select`, `maxresults` and `$skiptoken`.
        entity_set: the name after `$metadata#`.
        resources: all of them, in the order of their positions.
        render: a resource as a document.
        position: grows from one resource to the next; what a page's end is remembered by.
        read: a member of a resource by its path, where that is cheaper than rendering it.
        queried: the last part of the list's path, where it is not the entity set; its filters and members
            are known by it.

    Raises:
        InvalidQueryParameterValue, OutOfRangeQueryParameterValue: a query parameter is wrong.
    """
    queried = queried or entity_set
    chosen = _chosen(call, resources, queried, read or _reader(render))
    size = paging.page_size(call.query.get("maxresults"))
    page, token = paging.page(chosen, position, size, call.query.get("$skiptoken"))
    selection = odata.parse_select(call.query.get("$select"), SELECTABLE.get(queried, frozenset()))
    odata.parse_expand(call.query.get("$expand"))
    documents = [odata.select(render(one), selection) for one in page]
    link = paging.next_link(call.base_url, call.raw_path, call.query, token) if token else None
    return Reply(200, envelope.listing(call.base_url, entity_set, documents, link))


def _chosen(
    call: Call, resources: Iterable[R], queried: str, read: Callable[[R, str], odata.Scalar]
) -> Iterable[R]:
    text = call.query.get("$filter")
    if not text:
        return resources
    matches = odata.parse_filter(text, FILTERABLE.get(queried, {}))
    return (one for one in resources if matches(partial(read, one)))


def member(document: Mapping[str, Any], path: str) -> odata.Scalar:
    """A member of a document by its path, such as `executionInfo/exitCode`; None where it has none."""
    value: Any = document
    for name in path.split("/"):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, str | int | float | bool) else None


def _reader(render: Callable[[R], Document]) -> Callable[[R, str], odata.Scalar]:
    last: list[tuple[R, Document]] = []

    def read(resource: R, path: str) -> odata.Scalar:
        if not last or last[0][0] is not resource:
            last[:] = [(resource, render(resource))]
        return member(last[0][1], path)

    return read
