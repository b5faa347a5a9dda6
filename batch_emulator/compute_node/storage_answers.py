"""What blob storage answers, sorted into the kinds of trouble that a task is told; URLs without secrets.

Status and `x-ms-error-code` are documented. No text made here holds the query of a URL, where a SAS stands.
"""

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlencode

if TYPE_CHECKING:
    import httpx

PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses after which the same request may well succeed."""


class Trouble(StrEnum):
    """What can be wrong with a transfer, as far as a task is told different things."""

    CONTAINER_NOT_FOUND = "container not found"
    NOT_FOUND = "not found"
    DENIED = "access denied"
    CONFLICT = "conflict"
    TIMED_OUT = "timed out"
    OTHER = "other"


_BY_CODE = {
    "ContainerNotFound": Trouble.CONTAINER_NOT_FOUND,
    "ContainerBeingDeleted": Trouble.CONTAINER_NOT_FOUND,
    "PublicAccessNotPermitted": Trouble.DENIED,
}
_BY_STATUS = {
    401: Trouble.DENIED,
    403: Trouble.DENIED,
    404: Trouble.NOT_FOUND,
    409: Trouble.CONFLICT,
    412: Trouble.CONFLICT,
}


class TransferError(Exception):
    """A transfer failed. Its text holds no query of a URL; `passing` says that it may help to try again."""

    def __init__(self, trouble: Trouble, text: str, *, passing: bool = False) -> None:
        """Say what and where; `text` must hold no secret."""
        super().__init__(text)
        self.trouble = trouble
        self.passing = passing


def check(answer: "httpx.Response", url: str) -> None:
    """Do nothing for a success.

    Raises:
        TransferError: storage has refused.
    """
    if answer.is_success:
        return
    code = answer.headers.get("x-ms-error-code", "")
    trouble = _BY_CODE.get(code) or _BY_STATUS.get(answer.status_code, Trouble.OTHER)
    text = f"{without_query(url)} answers {answer.status_code} {code or answer.reason_phrase}".rstrip()
    raise TransferError(trouble, text, passing=answer.status_code in PASSING)


def transport_trouble(error: Exception, url: str) -> TransferError:
    """What a request that got no answer is called. The text of `error` is not told: it may hold the URL."""
    import httpx  # noqa: PLC0415

    if isinstance(error, httpx.TimeoutException):
        return TransferError(Trouble.TIMED_OUT, f"{without_query(url)} does not answer in time", passing=True)
    text = f"{without_query(url)} cannot be reached ({type(error).__name__})"
    hopeless = not isinstance(error, httpx.TransportError) or isinstance(
        error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
    )
    return TransferError(Trouble.OTHER, text, passing=not hopeless)


def listed_page(content: bytes, url: str) -> tuple[list[str], str]:
    """Blob names and next marker ("" at the end) of a List Blobs answer.

    Raises:
        TransferError: this is not such an answer.
    """
    try:
        page = ET.fromstring(content)  # noqa: S314 (expat bounds entities itself)
    except ET.ParseError:
        text = f"{without_query(url)} does not answer as a blob container"
        raise TransferError(Trouble.OTHER, text) from None
    names = [_name(name) for name in page.iterfind("Blobs/Blob/Name")]
    return names, page.findtext("NextMarker") or ""


def _name(element: ET.Element) -> str:
    name = element.text or ""
    # Names with characters that XML cannot hold come percent-encoded and marked.
    return unquote(name) if element.get("Encoded") == "true" else name


def blob_url(container_url: str, name: str) -> str:
    """The URL of a blob: its name, percent-encoded, below the container's URL, whose SAS stays at the end."""
    path, mark, query = container_url.partition("?")
    return f"{path.rstrip('/')}/{quote(os.fsencode(name), safe='/')}{mark}{query}"


def with_query(url: str, query: Mapping[str, str]) -> str:
    """`url` with more query parameters; those with an empty value are left out."""
    more = urlencode({name: value for name, value in query.items() if value}, quote_via=quote)
    return f"{url}{'&' if '?' in url else '?'}{more}"


def without_query(url: str) -> str:
    """`url` as it may be shown: without query, fragment, user and password."""
    return re.sub(r"//[^/]*@", "//", re.split(r"[?#]", url, maxsplit=1)[0], count=1)
