"""The operations on compute nodes: what they are, where to sign in, their extensions and logs."""

import uuid
from collections.abc import Mapping
from typing import Any

from batch_emulator import errors, schema
from batch_emulator.calls import Call, Reply, one
from batch_emulator.compute_node import node_logs
from batch_emulator.handlers import pools
from batch_emulator.handlers.listing import listing
from batch_emulator.node_events import UploadLogs
from batch_emulator.resources import Document, Node, Pool, key
from batch_emulator.wire import envelope
from batch_emulator.wire import nodes as documents
from batch_emulator.wire.values import parse_timestamp


def find(call: Call) -> Node:
    """The node that the path names, or PoolNotFound or NodeNotFound."""
    node = pools.find(call).nodes.get(call.path["nodeId"])
    if node is None:
        raise errors.NodeNotFound
    return node


def _document(call: Call, pool: Pool, node: Node) -> Document:
    return documents.node(call.base_url, pool, node)


def list_all(call: Call) -> Reply:
    """List the nodes of a pool."""
    pool = pools.find(call)
    return listing(
        call,
        "nodes",
        pool.nodes.values(),
        render=lambda node: _document(call, pool, node),
        position=lambda node: node.serial,
    )


def get(call: Call) -> Reply:
    """Show one node."""
    pool, node = pools.find(call), find(call)
    return one(call, "nodes", _document(call, pool, node), pool.etag, pool.modified)


def login_settings(call: Call) -> Reply:
    """Tell where to sign in to a node."""
    pool, node = pools.find(call), find(call)
    document = envelope.element(
        call.base_url, "computenoderemoteloginsettings", documents.login_settings(pool, node)
    )
    return Reply(200, document, envelope.version_headers(pool.etag, pool.modified))


def list_extensions(call: Call) -> Reply:
    """List the extensions of a node."""
    find(call)
    extensions = documents.extensions(pools.find(call))
    return listing(
        call, "extensions", extensions, render=lambda extension: extension, position=extensions.index
    )


def get_extension(call: Call) -> Reply:
    """Show one extension of a node."""
    find(call)
    pool, name = pools.find(call), call.path["extensionName"]
    for extension in documents.extensions(pool):
        if extension["vmExtension"]["name"].lower() == name.lower():
            return one(call, "extensions", extension, pool.etag, pool.modified)
    raise errors.ResourceNotFound


def upload_logs(call: Call) -> Reply:
    """Begin to store the log files of a node; it is answered before they are stored (documented)."""
    pool, node = pools.find(call), find(call)
    body = schema.check("UploadBatchServiceLogsOptions", call.body)
    if "identityReference" in body:
        raise errors.InvalidPropertyValue(
            PropertyName="identityReference",
            Reason="Logs are stored by SAS alone here; give a containerUrl with one.",
        )
    begin, end = _range(body, call.now)
    directories = call.emulator.runner.node_directories(pool.id, node.id)
    files = node_logs.files(node, directories, begin, end)
    directory = f"{pool.id}/{node.id}/{uuid.uuid4()}"
    call.emulator.submit(UploadLogs(key(pool.id), node.id, body["containerUrl"], directory, begin, end))
    result = {"virtualDirectoryName": directory, "numberOfFilesUploaded": len(files)}
    document = envelope.element(call.base_url, "uploadbatchservicelogsresult", result)
    return Reply(200, document, envelope.version_headers(pool.etag, pool.modified))


def _range(body: Mapping[str, Any], now: float) -> tuple[float, float]:
    end = parse_timestamp(body["endTime"]) if "endTime" in body else now
    begin = parse_timestamp(body["startTime"])
    if begin > end:
        raise errors.InvalidPropertyValue(
            PropertyName="startTime", PropertyValue=body["startTime"], Reason="It must be before the end."
        )
    return begin, end
