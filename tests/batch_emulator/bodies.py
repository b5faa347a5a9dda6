"""Small bodies of requests, and changes to them."""

from typing import Any

Document = dict[str, Any]

UBUNTU = {
    "imageReference": {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
    "nodeAgentSKUId": "batch.node.ubuntu 24.04",
}
POOL = {"id": "p", "vmSize": "STANDARD_D1_V2", "virtualMachineConfiguration": UBUNTU}
JOB = {"id": "j", "poolInfo": {"poolId": "p"}}
TASK = {"id": "t", "commandLine": "/bin/true"}
BLOB = "https://a.blob.core.windows.net/c/b?sig=secret"


def pool(**changes: Any) -> tuple[str, Document]:
    return "BatchPoolCreateOptions", {**POOL, **changes}


def machines(**changes: Any) -> tuple[str, Document]:
    return pool(virtualMachineConfiguration={**UBUNTU, **changes})


def job(**changes: Any) -> tuple[str, Document]:
    return "BatchJobCreateOptions", {**JOB, **changes}


def task(**changes: Any) -> tuple[str, Document]:
    return "BatchTaskCreateOptions", {**TASK, **changes}


def schedule(**times: Any) -> tuple[str, Document]:
    return "BatchJobScheduleUpdateOptions", {"schedule": times}


def nat(**changes: Any) -> tuple[str, Document]:
    ports = {"backendPort": 80, "frontendPortRangeStart": 1000, "frontendPortRangeEnd": 1100}
    endpoint = {"name": "web", "protocol": "TCP", **ports, **changes}
    return pool(networkConfiguration={"endpointConfiguration": {"inboundNATPools": [endpoint]}})
