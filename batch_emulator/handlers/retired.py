"""Operations that api-version 2025-06-01 has no more, for callers of their time."""

from collections.abc import Mapping

from batch_emulator import errors, images
from batch_emulator.calls import Call, Reply
from batch_emulator.operations import Operation
from batch_emulator.resources import Document
from batch_emulator.versions import CURRENT, IMAGES_LISTED, Version
from batch_emulator.wire import envelope


def find(version: Version, method: str, path: str) -> Operation | None:
    """The operation of an older api-version for a path; None if it has none such."""
    ended, operation = _OPERATIONS.get((method, path.lower()), ("", None))
    return operation if version.text < ended else None


def list_node_agents(call: Call) -> Reply:
    """List the node agents with the images that are verified for each."""
    _refuse_filter(call)
    agents: dict[str, Document] = {}
    for image in images.supported():
        name = image["nodeAgentSKUId"]
        agent = agents.setdefault(
            name, {"id": name, "verifiedImageReferences": [], "osType": image["osType"]}
        )
        if image["verificationType"] == "verified":
            agent["verifiedImageReferences"].append(image["imageReference"])
    return Reply(200, envelope.listing(call.base_url, "nodeagentskus", agents.values()))


def list_certificates(call: Call) -> Reply:
    """List the certificates: there are none, and none can be added any more."""
    _refuse_filter(call)
    return Reply(200, envelope.listing(call.base_url, "certificates", ()))


def _refuse_filter(call: Call) -> None:
    if "$filter" in call.query:
        raise errors.InvalidQueryParameterValue(
            QueryParameterName="$filter", Reason="The emulator does not filter this list."
        )


_OPERATIONS: Mapping[tuple[str, str], tuple[str, Operation]] = {
    ("GET", "/nodeagentskus"): (
        IMAGES_LISTED,
        Operation("list_node_agent_skus", "GET", "/nodeagentskus", list_node_agents),
    ),
    ("GET", "/certificates"): (
        CURRENT,
        Operation("list_certificates", "GET", "/certificates", list_certificates),
    ),
}
"""By method and path: the version that has it no more, and the operation."""
