"""The operations on compute nodes."""

from batch_emulator import errors
from batch_emulator.calls import Call, Reply, one
from batch_emulator.handlers import pools
from batch_emulator.handlers.listing import listing
from batch_emulator.resources import Node
from batch_emulator.wire import documents


def find(call: Call) -> Node:
    """The node that the path names, or PoolNotFound or NodeNotFound."""
    node = pools.find(call).nodes.get(call.path["nodeId"])
    if node is None:
        raise errors.NodeNotFound
    return node


def list_all(call: Call) -> Reply:
    """List the nodes of a pool."""
    pool = pools.find(call)
    return listing(
        call,
        "nodes",
        pool.nodes.values(),
        render=lambda node: documents.node(call.base_url, pool, node),
        position=lambda node: node.serial,
    )


def get(call: Call) -> Reply:
    """Show one node."""
    pool, node = pools.find(call), find(call)
    return one(call, "nodes", documents.node(call.base_url, pool, node), pool.etag, pool.modified)
