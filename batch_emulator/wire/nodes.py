"""Nodes as the service shows them, with their endpoints, extensions, counts and bill."""

from collections import Counter
from collections.abc import Iterable

from batch_emulator.ledger import Stay
from batch_emulator.lifecycle import NodeState
from batch_emulator.outcomes import Failure, StartTaskRun
from batch_emulator.resources import Document, Node, Pool, RecentTask
from batch_emulator.wire.documents import container_info, failure_info, task_execution
from batch_emulator.wire.members import moment, present
from batch_emulator.wire.values import timestamp

AGENT_VERSION = "1.12.15"
LATEST, UNKNOWN_VERSION = "latest", "0.0.0"
"""A version of an image, and what stands for it where the service tells which one that was."""
LOGIN_PORTS = 50000
"""The public port of the first node's SSH endpoint (seen in recorded traffic); the next ones follow."""
_PUBLIC = {"publicIPAddress": "127.0.0.1", "publicFQDN": "localhost"}

_COUNTED = {
    NodeState.START_TASK_FAILED: "startTaskFailed",
    NodeState.LEAVING_POOL: "leavingPool",
    NodeState.WAITING_FOR_START_TASK: "waitingForStartTask",
    NodeState.UPGRADING_OS: "upgradingOS",
}

_AGENT_EXTENSION: Document = {
    "name": "batchNodeExtension",
    "publisher": "Microsoft.Azure.Extensions",
    "type": "CustomScript",
    "typeHandlerVersion": "2.0",
    "autoUpgradeMinorVersion": True,
}
"""What the service itself puts on every node (documented example)."""


def node(base_url: str, pool: Pool, node: Node) -> Document:
    """A node as GET shows it."""
    return present(
        {
            "id": node.id,
            "url": f"{base_url}/pools/{pool.id}/nodes/{node.id}",
            "state": node.state.value,
            "schedulingState": "enabled" if node.scheduling_enabled else "disabled",
            "stateTransitionTime": timestamp(node.state_since),
            "lastBootTime": moment(node.booted),
            "allocationTime": timestamp(node.allocated),
            "ipAddress": node.ip_address,
            "ipv6Address": ipv6_address(pool, node),
            "affinityId": f"TVM:{node.id}",
            "vmSize": pool.document["vmSize"],
            "totalTasksRun": node.tasks_run,
            # Preparation and release tasks do not count (documented); they take no slots.
            "runningTasksCount": sum(slots > 0 for slots in node.runs.values()),
            "runningTaskSlotsCount": node.slots_taken,
            "totalTasksSucceeded": node.tasks_succeeded,
            "recentTasks": [_recent_task(base_url, one) for one in node.recent],
            "startTask": node.start_task.document if node.start_task else None,
            "startTaskInfo": _start_task_info(node.start_task),
            "errors": [_node_error(error) for error in node.errors],
            "isDedicated": node.dedicated,
            "endpointConfiguration": {"inboundEndpoints": list(_endpoints(pool, node))},
            "nodeAgentInfo": _agent(node),
            "virtualMachineInfo": _image(pool),
        }
    )


def _recent_task(base_url: str, recent: RecentTask) -> Document:
    return {
        "taskUrl": f"{base_url}/jobs/{recent.job_id}/tasks/{recent.task_id}",
        "jobId": recent.job_id,
        "taskId": recent.task_id,
        "taskState": recent.task.state.value,
        "executionInfo": task_execution(recent.task),
    }


def _image(pool: Pool) -> Document | None:
    image = pool.document.get("virtualMachineConfiguration", {}).get("imageReference")
    if not image:
        return None
    version = image.get("version", LATEST)
    exact = UNKNOWN_VERSION if version == LATEST else version
    return {"imageReference": {**image, "exactVersion": exact}}


def _node_error(failure: Failure) -> Document:
    details = [{"name": name, "value": value} for name, value in failure.details]
    return present({"code": failure.code, "message": failure.message, "errorDetails": details})


def _agent(node: Node) -> Document | None:
    if node.booted is None:
        return None
    return {"lastUpdateTime": timestamp(node.booted), "version": AGENT_VERSION}


def _start_task_info(run: StartTaskRun | None) -> Document | None:
    if run is None:
        return None
    result = None if run.ended is None else "failure" if run.failure else "success"
    return present(
        {
            "state": "running" if run.ended is None else "completed",
            "startTime": timestamp(run.started),
            "endTime": moment(run.ended),
            "exitCode": run.exit_code if run.ended is not None else None,
            "result": result,
            "containerInfo": container_info(run.container),
            "failureInfo": failure_info(run.failure),
            "retryCount": run.retries,
            "lastRetryTime": moment(run.last_retry),
        }
    )


def _endpoints(pool: Pool, node: Node) -> Iterable[Document]:
    """The pool's own endpoints, each with the node's number in its name and port; then the one for SSH."""
    network = pool.document.get("networkConfiguration", {})
    for nat_pool in network.get("endpointConfiguration", {}).get("inboundNATPools", ()):
        yield {
            "name": f"{nat_pool['name']}.{node.place}",
            "protocol": nat_pool["protocol"],
            **_PUBLIC,
            "frontendPort": nat_pool["frontendPortRangeStart"] + node.place,
            "backendPort": nat_pool["backendPort"],
        }
    yield {
        "name": f"SSHRule.{node.place}",  # on Windows too (seen in recorded traffic)
        "protocol": "tcp",
        **_PUBLIC,
        "frontendPort": LOGIN_PORTS + node.place,
        "backendPort": 3389 if pool.on_windows else 22,
    }


def ipv6_address(pool: Pool, node: Node) -> str | None:
    """The address that a node of a dual-stack pool has beside its other one."""
    network = pool.document.get("networkConfiguration", {})
    families = network.get("publicIPAddressConfiguration", {}).get("ipFamilies", ())
    return f"fd00::{node.serial >> 16 & 0xFFFF:x}:{node.serial & 0xFFFF:x}" if "IPv6" in families else None


def login_settings(pool: Pool, node: Node) -> Document:
    """Where one would sign in to a node. No emulated node answers there."""
    port = LOGIN_PORTS + node.place
    settings: Document = {"remoteLoginIPAddress": "127.0.0.1", "remoteLoginPort": port}
    if ipv6_address(pool, node) is not None:
        settings |= {"ipv6RemoteLoginIPAddress": "::1", "ipv6RemoteLoginPort": port}
    return settings


def extensions(pool: Pool) -> list[Document]:
    """The extensions on each node of a pool: its own ones, then the service's.

    They are only told about: nothing is installed on an emulated node. What is protected is never shown
    (documented).
    """
    own = pool.document.get("virtualMachineConfiguration", {}).get("extensions", ())
    return [_extension(one) for one in (*own, _AGENT_EXTENSION)]


def _extension(extension: Document) -> Document:
    status = {
        "code": "ProvisioningState/succeeded",
        "level": "Info",
        "displayStatus": "Provisioning succeeded",
    }
    shown = {name: value for name, value in extension.items() if name != "protectedSettings"}
    return {
        "provisioningState": "Succeeded",
        "vmExtension": shown,
        "instanceView": {"name": extension["name"], "statuses": [status]},
    }


def node_counts(pool: Pool) -> Document:
    """How many nodes of a pool are in each state, dedicated and low-priority ones apart."""

    def counted(*, dedicated: bool) -> Document:
        states = Counter(node.state for node in pool.nodes.values() if node.dedicated is dedicated)
        each = {_COUNTED.get(state, state.value): states[state] for state in NodeState}
        return {**each, "total": states.total()}

    return {
        "poolId": pool.id,
        "dedicated": counted(dedicated=True),
        "lowPriority": counted(dedicated=False),
    }


def stay(stay: Stay, now: float) -> Document:
    """One node in the bill, for `/_emulator/state`: node-seconds, in all and by state."""
    return present(
        {
            "poolId": stay.pool_id,
            "nodeId": stay.node_id,
            "isDedicated": stay.dedicated,
            "vmSize": stay.vm_size,
            "allocationTime": timestamp(stay.allocated),
            "leftTime": moment(stay.left),
            "nodeSeconds": stay.node_seconds(now),
            "secondsByState": stay.seconds_by_state(now),
        }
    )
