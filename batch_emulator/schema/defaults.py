"""What the service fills in where the client said nothing.

As recorded: everything about pools, jobs and tasks that has no other mark. As documented: the defaults of
job manager, preparation and release tasks. Each function returns a new document and leaves its argument be.
"""

from collections.abc import Mapping
from typing import Any

from batch_emulator.wire.values import UNLIMITED

Document = dict[str, Any]

_RETENTION = "P7D"


def _user() -> Document:
    return {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}}


def pool_defaults(document: Mapping[str, Any]) -> Document:
    """A checked pool (or the pool of an auto pool specification) as the service keeps it.

    The VM size is put in lower case; the names of an image stay as they were sent (both recorded).
    """
    pool: Document = {
        "resizeTimeout": "PT15M",
        "targetDedicatedNodes": 0,
        "targetLowPriorityNodes": 0,
        "enableAutoScale": False,
        "enableInterNodeCommunication": False,
        "taskSlotsPerNode": 1,
        "taskSchedulingPolicy": {"nodeFillType": "Spread"},
        **document,
        "vmSize": document["vmSize"].lower(),
    }
    if pool["enableAutoScale"]:
        pool.setdefault("autoScaleEvaluationInterval", "PT15M")
    if "startTask" in pool:
        pool["startTask"] = start_task_defaults(pool["startTask"])
    machines = pool.get("virtualMachineConfiguration")
    if machines and "publisher" in machines["imageReference"]:
        image = {**machines["imageReference"]}
        image.setdefault("version", "latest")
        pool["virtualMachineConfiguration"] = {**machines, "imageReference": image}
    return pool


def start_task_defaults(document: Mapping[str, Any]) -> Document:
    """A start task: once, and nodes wait for it."""
    return {
        **document,
        "userIdentity": _identity(document),
        "maxTaskRetryCount": document.get("maxTaskRetryCount", 0),
        "waitForSuccess": document.get("waitForSuccess", True),
    }


def job_defaults(document: Mapping[str, Any]) -> Document:
    """A checked job, or the job specification of a schedule."""
    job: Document = {
        "priority": 0,
        "maxParallelTasks": -1,
        "usesTaskDependencies": False,
        "allowTaskPreemption": False,
        "onAllTasksComplete": "noaction",
        "onTaskFailure": "noaction",
        **document,
        "constraints": {
            "maxWallClockTime": UNLIMITED,
            "maxTaskRetryCount": 0,
            **document.get("constraints", {}),
        },
    }
    for member, fill in (
        ("jobManagerTask", _manager),
        ("jobPreparationTask", _preparation),
        ("jobReleaseTask", _release),
        ("poolInfo", _pool_info),
    ):
        if member in job:
            job[member] = fill(job[member])
    return job


def _manager(document: Mapping[str, Any]) -> Document:
    return {
        "requiredSlots": 1,
        "killJobOnCompletion": True,
        "runExclusive": True,
        "allowLowPriorityNode": True,
        **document,
        "userIdentity": _identity(document),
        "constraints": _constraints(document, 0),
    }


def _preparation(document: Mapping[str, Any]) -> Document:
    return {
        "id": "jobpreparation",
        "waitForSuccess": True,
        "rerunOnNodeRebootAfterSuccess": True,
        **document,
        "userIdentity": _identity(document),
        "constraints": _constraints(document, 0),
    }


def _release(document: Mapping[str, Any]) -> Document:
    return {
        "id": "jobrelease",
        "maxWallClockTime": "PT15M",
        "retentionTime": _RETENTION,
        **document,
        "userIdentity": _identity(document),
    }


def _pool_info(document: Mapping[str, Any]) -> Document:
    if "autoPoolSpecification" not in document:
        return dict(document)
    return {"autoPoolSpecification": {"keepAlive": False, **document["autoPoolSpecification"]}}


def task_defaults(document: Mapping[str, Any], job: Mapping[str, Any]) -> Document:
    """A checked task of this job; it inherits the job's maxTaskRetryCount (recorded).

    Args:
        document: of the task.
        job: document of the job, with its defaults.
    """
    task: Document = {
        "requiredSlots": 1,
        **document,
        "userIdentity": _identity(document),
        "constraints": _constraints(document, job["constraints"]["maxTaskRetryCount"]),
    }
    if "multiInstanceSettings" in task:
        task["multiInstanceSettings"] = {"numberOfInstances": 1, **task["multiInstanceSettings"]}
    return task


def schedule_defaults(document: Mapping[str, Any]) -> Document:
    """A checked job schedule: its job specification has the defaults of a job (documented example)."""
    return {
        "schedule": {},
        **document,
        "jobSpecification": job_defaults(document["jobSpecification"]),
    }


def _constraints(document: Mapping[str, Any], retries: int) -> Document:
    return {
        "maxWallClockTime": UNLIMITED,
        "retentionTime": _RETENTION,
        "maxTaskRetryCount": retries,
        **document.get("constraints", {}),
    }


def _identity(document: Mapping[str, Any]) -> Document:
    """Who runs it: by default an ordinary user that all tasks of the node share."""
    given: Mapping[str, Any] | None = document.get("userIdentity")
    if given is None:
        return _user()
    if "autoUser" not in given:
        return dict(given)
    return {"autoUser": {**_user()["autoUser"], **given["autoUser"]}}
