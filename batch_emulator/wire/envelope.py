"""What stands around a resource on the wire: OData metadata, error bodies and headers, as recorded."""

from collections.abc import Iterable, Mapping
from typing import Any

from batch_emulator.errors import BatchError
from batch_emulator.wire.values import http_date, timestamp

Document = dict[str, Any]

JSON = "application/json;odata=minimalmetadata"
"""The content type of every JSON body."""

_ERRORS = "Microsoft.Azure.Batch.Protocol.Entities.Container.errors"


def element(base_url: str, entity_set: str, document: Mapping[str, Any]) -> Document:
    """The body of an answer that is one resource.

    Args:
        base_url: where the account is, without a slash at the end.
        entity_set: pools, jobs, tasks, nodes...
        document: the resource.
    """
    return {"odata.metadata": f"{base_url}/$metadata#{entity_set}/@Element", **document}


def listing(
    base_url: str, entity_set: str, items: Iterable[Mapping[str, Any]], next_link: str | None = None
) -> Document:
    """The body of an answer that is one page of a list.

    Args:
        base_url: where the account is, without a slash at the end.
        entity_set: pools, jobs, tasks, taskaddresult, supportedimages...
        items: the resources of this page.
        next_link: absolute URL of the next page; None on the last one.
    """
    body: Document = {"odata.metadata": f"{base_url}/$metadata#{entity_set}", "value": list(items)}
    if next_link is not None:
        body["odata.nextLink"] = next_link
    return body


def error_part(error: BatchError, request_id: str, now: float) -> Document:
    """An error without the envelope: as it stands inside the result of an add-collection."""
    said = f"{error.message}\nRequestId:{request_id}\nTime:{timestamp(now, trim=False)}"
    part: Document = {"code": error.code, "message": {"lang": "en-US", "value": said}}
    if error.values:
        part["values"] = [{"key": key, "value": value} for key, value in error.values.items()]
    return part


def error_document(base_url: str, error: BatchError, request_id: str, now: float) -> Document:
    """The body of an answer that is an error.

    Args:
        base_url: where the account is, without a slash at the end.
        error: what was refused.
        request_id: as in the `request-id` header.
        now: seconds since 1970.
    """
    return element(base_url, _ERRORS, error_part(error, request_id, now))


def common_headers(request_id: str, request_headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of every answer.

    `Strict-Transport-Security`, which the service sends too, is left out: from an emulator with TLS it would
    keep a browser from plain http on localhost for a year.

    Args:
        request_id: a fresh id.
        request_headers: by lower-case name; the caller's `client-request-id` is returned on request.
    """
    headers = {
        "request-id": request_id,
        "DataServiceVersion": "3.0",
        "Server": "Microsoft-HTTPAPI/2.0",
        "X-Content-Type-Options": "nosniff",
    }
    wanted = request_headers.get("return-client-request-id", "").strip().lower() == "true"
    if wanted and "client-request-id" in request_headers:
        headers["client-request-id"] = request_headers["client-request-id"]
    return headers


def version_headers(etag: str, modified: float) -> dict[str, str]:
    """The headers that go with one resource: its ETag and when it last changed (seconds since 1970)."""
    return {"ETag": etag, "Last-Modified": http_date(modified)}


def change_headers(url: str, etag: str, modified: float) -> dict[str, str]:
    """The headers of a change or an action on a resource; `url` is the action's own."""
    return {"DataServiceId": url, **version_headers(etag, modified)}


def creation_headers(url: str, etag: str, modified: float) -> dict[str, str]:
    """The headers of a creation; `url` is the new resource's (a new job's reads `.../jobs/job-1` live)."""
    return {"Location": url, **change_headers(url, etag, modified)}


def error_headers(error: BatchError) -> dict[str, str]:
    """The headers that only an error has."""
    headers = {} if error.retry_after is None else {"Retry-After": f"{max(0, round(error.retry_after))}"}
    return {**headers, "WWW-Authenticate": "Bearer"} if error.status == 401 else headers
