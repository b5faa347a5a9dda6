"""The operations that change compute nodes: restarting them, setting them aside, their user accounts."""

from typing import Any
from urllib.parse import quote

from batch_emulator import schema
from batch_emulator.calls import Call, Reply, created, done
from batch_emulator.handlers import nodes, pools
from batch_emulator.lifecycle import NodeEvent
from batch_emulator.node_events import (
    AddNodeUser,
    DeleteNodeUser,
    DisableScheduling,
    EnableScheduling,
    ReplaceNodeUser,
    RestartKind,
    RestartNode,
    StartNode,
)
from batch_emulator.resources import NodeUser, key
from batch_emulator.wire.values import parse_timestamp

USER_EXPIRY = 24 * 3600.0
"""Seconds after which a user account expires unless the client says otherwise (documented)."""


def _place(call: Call) -> tuple[str, str]:
    """The keys of the node that the path names."""
    node = nodes.find(call)
    return key(node.pool_id), node.id


def _option(call: Call, model: str, member: str) -> Any:
    """What is to become of the tasks; a body is optional, and so is what it says."""
    body = schema.check(model, call.body) if call.body is not None else {}
    return body.get(member, "requeue")


def _done(call: Call, status: int) -> Reply:
    pool = pools.find(call)
    return done(call, status, pool.etag, pool.modified)


def _restart(call: Call, how: RestartKind, model: str, member: str) -> Reply:
    place = _place(call)
    call.emulator.submit(RestartNode(*place, how, _option(call, model, member)))
    return _done(call, 202)


def reboot(call: Call) -> Reply:
    """Begin to reboot a node."""
    return _restart(call, NodeEvent.REBOOT, "BatchNodeRebootOptions", "nodeRebootOption")


def reimage(call: Call) -> Reply:
    """Begin to give a node new disks."""
    return _restart(call, NodeEvent.REIMAGE, "BatchNodeReimageOptions", "nodeReimageOption")


def deallocate(call: Call) -> Reply:
    """Begin to give the machine of a node back, and keep the node."""
    return _restart(call, NodeEvent.DEALLOCATE, "BatchNodeDeallocateOptions", "nodeDeallocateOption")


def start(call: Call) -> Reply:
    """Begin to start a deallocated node."""
    call.emulator.submit(StartNode(*_place(call)))
    return _done(call, 202)


def disable_scheduling(call: Call) -> Reply:
    """Let a node take no more tasks."""
    place = _place(call)
    option = _option(call, "BatchNodeDisableSchedulingOptions", "nodeDisableSchedulingOption")
    call.emulator.submit(DisableScheduling(*place, option))
    return _done(call, 200)


def enable_scheduling(call: Call) -> Reply:
    """Let a node take tasks again."""
    call.emulator.submit(EnableScheduling(*_place(call)))
    return _done(call, 200)


def create_user(call: Call) -> Reply:
    """Add a user account; there is none on the machine that emulates the node, so it opens nothing."""
    place = _place(call)
    body = schema.check("BatchNodeUserCreateOptions", call.body)
    user = NodeUser(body["name"], body.get("isAdmin", False), _expiry(call, body))
    call.emulator.submit(AddNodeUser(*place, user))
    pool = pools.find(call)
    name = quote(user.name, safe="")
    return created(f"{call.base_url}{call.raw_path}/{name}", pool.etag, pool.modified)


def replace_user(call: Call) -> Reply:
    """Change a user account; what is left out gets its default."""
    place = _place(call)
    body = schema.check("BatchNodeUserReplaceOptions", call.body)
    call.emulator.submit(ReplaceNodeUser(*place, call.path["userName"], _expiry(call, body)))
    return _done(call, 200)


def delete_user(call: Call) -> Reply:
    """Remove a user account."""
    call.emulator.submit(DeleteNodeUser(*_place(call), call.path["userName"]))
    return Reply(200)


def _expiry(call: Call, body: dict[str, Any]) -> float:
    return parse_timestamp(body["expiryTime"]) if "expiryTime" in body else call.now + USER_EXPIRY
