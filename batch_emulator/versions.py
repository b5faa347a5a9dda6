"""Callers older than api-version 2025-06-01: what they send that is no more, and what they expect to get.

Everything else is written for 2025-06-01 alone. The members were documented in the versions named; the
emulator takes them and leaves them out, for what they asked for is gone from the service, unless another
member now says the same.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batch_emulator import errors

CURRENT = "2025-06-01"
OLDEST = "2017-05-01.5.0"
"""Older callers are not known any more."""
COUNTS_NESTED = "2020-09-01.12.0"
"""Since this version the counts of tasks stand beside those of slots, and slots are called so."""
IMAGES_LISTED = "2019-06-01.9.0"
"""Since this version images are asked for, and node agents no more."""
HTTP_URL = "2019-06-01.9.0"
"""Since this version a resource file has `httpUrl`, and `blobSource` no more."""

_FORM = re.compile(r"\d{4}-\d\d-\d\d(\.\d+\.\d+|-preview)?", re.ASCII)

RETIRED = frozenset(
    {
        "applicationLicenses",
        "authenticationTokenSettings",
        "certificateReferences",
        "forceAfterSeconds",
        "resourceTags",
        "targetNodeCommunicationMode",
    }
)
"""Members that 2025-06-01 has no more, at whatever place in a body (from the OpenAPI files of both)."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Version:
    """The api-version of one request."""

    text: str

    @property
    def is_current(self) -> bool:
        """Whether the caller knows 2025-06-01 or later."""
        return self.text >= CURRENT

    def body(self, body: Any) -> Any:
        """A request's body as a caller of 2025-06-01 would have sent it."""
        return body if self.is_current else self._modern(body)

    def _modern(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._modern(one) for one in value]
        if not isinstance(value, dict):
            return value
        members = {name: self._modern(one) for name, one in value.items() if name not in RETIRED}
        if self.text < COUNTS_NESTED and "maxTasksPerNode" in members:
            members["taskSlotsPerNode"] = members.pop("maxTasksPerNode")
        if self.text < HTTP_URL and "blobSource" in members:
            members["httpUrl"] = members.pop("blobSource")
        if "lun" in members and "storageAccountType" in members:  # of a data disk
            members["managedDisk"] = {"storageAccountType": members.pop("storageAccountType")}
        return members

    def document(self, document: Document | None) -> Document | None:
        """An answer as this version gave it."""
        if self.is_current or document is None:
            return document
        entity_set = document.get("odata.metadata", "").rsplit("#", 1)[-1].removesuffix("/@Element")
        changes = _ANSWERS.get(entity_set)
        if changes is None:
            return document
        if isinstance(document.get("value"), list):
            return {**document, "value": [changes(self, one) for one in document["value"]]}
        return changes(self, document)


def _node(version: Version, node: Document) -> Document:
    # Nodes that had booted told their certificates, even none (seen in recorded traffic of 2022-01-01.15.0).
    del version
    return {**node, "certificateReferences": []} if "lastBootTime" in node else node


def _pool(version: Version, pool: Document) -> Document:
    if version.text >= COUNTS_NESTED or "taskSlotsPerNode" not in pool:
        return pool
    renamed = dict(pool)
    renamed["maxTasksPerNode"] = renamed.pop("taskSlotsPerNode")
    return renamed


def _task_counts(version: Version, counts: Document) -> Document:
    if version.text >= COUNTS_NESTED:
        return counts
    return {"odata.metadata": counts["odata.metadata"], **counts["taskCounts"]}


_ANSWERS = {"nodes": _node, "pools": _pool, "taskcounts": _task_counts}


def version(query: Mapping[str, str]) -> Version:
    """The version that a request is written for, and its other common parameters checked.

    Raises:
        MissingRequiredQueryParameter: there is no `api-version`.
        UnsupportedRequestVersion: it is too old, or no version.
        InvalidQueryParameterValue, OutOfRangeQueryParameterValue: `timeout` is not 1 second or more.
    """
    text = query.get("api-version")
    if not text:
        raise errors.MissingRequiredQueryParameter(QueryParameterName="api-version")
    if text < OLDEST or not _FORM.fullmatch(text):
        raise errors.UnsupportedRequestVersion(Reason=f"The emulator answers {OLDEST} and later.")
    for name in ("timeout", "timeOut"):
        _check_wait(name, query.get(name))
    return Version(text)


def _check_wait(name: str, value: str | None) -> None:
    if value is None:
        return
    if not (value.isascii() and value.isdigit()):
        raise errors.InvalidQueryParameterValue(QueryParameterName=name, QueryParameterValue=value[:100])
    # More than the documented 30 seconds is taken as 30: the official SDK's tests send 45.
    if not value.strip("0"):
        raise errors.OutOfRangeQueryParameterValue(
            QueryParameterName=name, QueryParameterValue=value[:100], MinimumAllowed=1
        )
