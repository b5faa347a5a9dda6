"""What the instances of a multi-instance task are told of each other, on one host.

All emulated nodes are this host, so that the hosts named here are loopback addresses that it answers at (on
Linux all of 127.0.0.0/8), made from the nodes' own: 10.0.0.7 is reached at 127.0.0.7. The shared directory of
an instance is the directory of the task on its own node, as it is on the service; its path is not the same on
every node, as it would be there. What a coordination command leaves in the background is ended with it.
"""

from collections.abc import Sequence
from pathlib import Path

PORT = 6000
"""The port in AZ_BATCH_MASTER_NODE (documented example)."""


def settings(addresses: Sequence[str], instance: int, directory: Path) -> list[dict[str, str]]:
    """The documented variables of one instance, as environment settings.

    Args:
        addresses: of the nodes, the primary's first.
        instance: its place among them; 0 is the primary.
        directory: of the task on this node.
    """
    hosts = [f"127.{address.split('.', 1)[1]}" for address in addresses]
    variables = {
        "AZ_BATCH_HOST_LIST": ",".join(hosts),
        "AZ_BATCH_NODE_LIST": ";".join(hosts),
        "AZ_BATCH_MASTER_NODE": f"{hosts[0]}:{PORT}",
        "AZ_BATCH_IS_CURRENT_NODE_MASTER": "false" if instance else "true",
        "AZ_BATCH_TASK_SHARED_DIR": str(directory),
        "CCP_NODES": " ".join([str(len(hosts)), *(f"{host} 1" for host in hosts)]),
    }
    return [{"name": name, "value": value} for name, value in variables.items()]
