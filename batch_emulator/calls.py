"""What a handler is given and what it gives back; bytes and status lines are the app's."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batch_emulator import errors, odata
from batch_emulator.queryable import SELECTABLE
from batch_emulator.resources import Document
from batch_emulator.wire import envelope, values

if TYPE_CHECKING:
    from batch_emulator.emulator import Emulator


@dataclass(frozen=True, slots=True)
class Call:
    """One request to one operation, authenticated and parsed."""

    emulator: "Emulator"
    base_url: str
    request_id: str
    method: str
    raw_path: str
    path: Mapping[str, str]
    """Ids in the path, decoded."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Any = None

    @property
    def now(self) -> float:
        """The time of the call."""
        return self.emulator.clock.now()

    def check_conditions(self, etag: str, modified: float) -> None:
        """Hold the conditional headers of the request against a resource.

        Raises:
            ConditionNotMet: it is refused.
            ConditionNotMetOnRead: it is refused, as there is nothing newer to read.
            InvalidHeaderValue: a date among them is none.
        """
        if not _conditions_met(self.headers, etag, modified):
            raise errors.ConditionNotMetOnRead if self.method in ("GET", "HEAD") else errors.ConditionNotMet


def _conditions_met(headers: Mapping[str, str], etag: str, modified: float) -> bool:
    # Header dates have whole seconds, so the resource's time is cut to seconds as well.
    last_modified = int(modified)
    checks: dict[str, Callable[[str], bool]] = {
        "if-match": lambda sent: sent.strip() == "*" or values.same_etag(sent, etag),
        "if-none-match": lambda sent: sent.strip() != "*" and not values.same_etag(sent, etag),
        "if-modified-since": lambda sent: last_modified > values.parse_http_date(sent),
        "if-unmodified-since": lambda sent: last_modified <= values.parse_http_date(sent),
    }
    for name, check in checks.items():
        try:
            if name in headers and not check(headers[name]):
                return False
        except ValueError as error:
            raise errors.InvalidHeaderValue(HeaderName=name, Reason=str(error)) from None
    return True


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: a document, or bytes, or nothing but a status."""

    status: int = 200
    document: Document | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content: AsyncIterator[bytes] | None = None


def one(call: Call, entity_set: str, document: Document, etag: str, modified: float) -> Reply:
    """A single resource."""
    call.check_conditions(etag, modified)
    selection = odata.parse_select(call.query.get("$select"), SELECTABLE.get(entity_set, frozenset()))
    odata.parse_expand(call.query.get("$expand"))
    body = envelope.element(call.base_url, entity_set, odata.select(document, selection))
    return Reply(200, body, envelope.version_headers(etag, modified))


def created(url: str, etag: str, modified: float) -> Reply:
    """A resource that now exists; no body (seen in recorded traffic)."""
    return Reply(201, None, envelope.creation_headers(url, etag, modified))


def done(call: Call, status: int, etag: str, modified: float) -> Reply:
    """An action that was carried out, or begun."""
    return Reply(status, None, envelope.change_headers(call.base_url + call.raw_path, etag, modified))
