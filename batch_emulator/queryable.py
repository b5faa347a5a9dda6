"""What a query can name: the properties that a list is filtered on, and the members of each resource.

The filters are those of the service's page on OData filters, with two liberties: tasks take `lastModified`,
the name in the document, beside the documented `lastModifiedTime`; and a `state` takes `ne` everywhere, as
the newer edition of the page has it.
"""

from collections.abc import Mapping
from enum import Enum


class Kind(Enum):
    """The type of a property, and what it can be compared with and by."""

    ID = ("text", "'abc'", ("startswith", "eq", "ne", "gt", "ge", "lt", "le"))
    NAME = ("text", "'active'", ("eq", "ne"))
    EXACT = ("text", "'active'", ("eq",))
    PREFIX = ("text", "'wd/'", ("startswith",))
    TIME = ("time", "DateTime'2025-01-31T12:00:00Z'", ("eq", "ne", "gt", "ge", "lt", "le"))
    INT = ("number", "0", ("eq", "ne", "gt", "ge", "lt", "le"))
    BOOL = ("boolean", "true", ("eq", "ne"))

    def __init__(self, literal: str, example: str, operations: tuple[str, ...]) -> None:
        """Spell the parts of the value."""
        self.literal = literal
        self.example = example
        self.operations = operations


_CHANGES = {
    "state": Kind.NAME,
    "stateTransitionTime": Kind.TIME,
    "creationTime": Kind.TIME,
    "lastModified": Kind.TIME,
}
_JOBS_OF_A_SCHEDULE = {
    **_CHANGES,
    "executionInfo/startTime": Kind.TIME,
    "executionInfo/endTime": Kind.TIME,
    "executionInfo/poolId": Kind.ID,
}


def _run(prefix: str) -> dict[str, Kind]:
    return {
        f"{prefix}/state": Kind.EXACT,
        f"{prefix}/startTime": Kind.TIME,
        f"{prefix}/endTime": Kind.TIME,
        f"{prefix}/exitCode": Kind.INT,
        f"{prefix}/result": Kind.NAME,
    }


FILTERABLE: Mapping[str, Mapping[str, Kind]] = {
    "pools": {
        "id": Kind.ID,
        **_CHANGES,
        "allocationState": Kind.NAME,
        "allocationStateTransitionTime": Kind.TIME,
        "enableAutoScale": Kind.BOOL,
        "vmSize": Kind.NAME,
        "enableInterNodeCommunication": Kind.BOOL,
    },
    "nodes": {
        "state": Kind.NAME,
        "stateTransitionTime": Kind.TIME,
        "lastBootTime": Kind.TIME,
        "allocationTime": Kind.TIME,
        **_run("startTaskInfo"),
    },
    "jobs": {"id": Kind.ID, "priority": Kind.INT, **_JOBS_OF_A_SCHEDULE},
    "jobsofschedule": _JOBS_OF_A_SCHEDULE,
    "jobschedules": {
        "id": Kind.ID,
        **_CHANGES,
        "executionInfo/endTime": Kind.TIME,
        "schedule/doNotRunUntil": Kind.TIME,
        "schedule/doNotRunAfter": Kind.TIME,
    },
    "tasks": {
        "id": Kind.ID,
        **_CHANGES,
        "lastModifiedTime": Kind.TIME,
        "executionInfo/startTime": Kind.TIME,
        "executionInfo/endTime": Kind.TIME,
        "executionInfo/exitCode": Kind.INT,
        "executionInfo/result": Kind.NAME,
    },
    "files": {"name": Kind.PREFIX},
    "nodecounts": {"poolId": Kind.EXACT},
    "supportedimages": {"osType": Kind.NAME, "verificationType": Kind.NAME, "nodeAgentSKUId": Kind.NAME},
    "jobpreparationandreleasetaskstatus": {
        "poolId": Kind.NAME,
        "nodeId": Kind.NAME,
        **_run("jobPreparationTaskExecutionInfo"),
        **_run("jobReleaseTaskExecutionInfo"),
    },
    "poolusagemetrics": {"poolId": Kind.ID},
}
"""The properties by list, named after the last part of its path; files are those of a task or of a node."""

_JOB_MEMBERS = """
    id displayName usesTaskDependencies url eTag lastModified creationTime state
    stateTransitionTime previousState previousStateTransitionTime priority allowTaskPreemption
    maxParallelTasks constraints jobManagerTask jobPreparationTask jobReleaseTask
    commonEnvironmentSettings poolInfo onAllTasksComplete onTaskFailure networkConfiguration
    metadata executionInfo stats
    """
_MEMBERS = {
    "pools": """
        id displayName url eTag lastModified creationTime state stateTransitionTime
        allocationState allocationStateTransitionTime vmSize virtualMachineConfiguration
        resizeTimeout resizeErrors currentDedicatedNodes currentLowPriorityNodes
        targetDedicatedNodes targetLowPriorityNodes enableAutoScale autoScaleFormula
        autoScaleEvaluationInterval autoScaleRun enableInterNodeCommunication networkConfiguration
        startTask applicationPackageReferences taskSlotsPerNode taskSchedulingPolicy userAccounts
        metadata stats mountConfiguration identity upgradePolicy
        """,
    "jobs": _JOB_MEMBERS,
    "jobsofschedule": _JOB_MEMBERS,
    "jobschedules": """
        id displayName url eTag lastModified creationTime state stateTransitionTime previousState
        previousStateTransitionTime schedule jobSpecification executionInfo metadata stats
        """,
    "tasks": """
        id displayName url eTag lastModified creationTime exitConditions state stateTransitionTime
        previousState previousStateTransitionTime commandLine containerSettings resourceFiles
        outputFiles environmentSettings affinityInfo constraints requiredSlots userIdentity
        executionInfo nodeInfo multiInstanceSettings stats dependsOn applicationPackageReferences
        """,
    "nodes": """
        id url state schedulingState stateTransitionTime lastBootTime allocationTime ipAddress
        ipv6Address affinityId vmSize totalTasksRun runningTasksCount runningTaskSlotsCount
        totalTasksSucceeded recentTasks startTask startTaskInfo errors isDedicated
        endpointConfiguration nodeAgentInfo virtualMachineInfo
        """,
    "subtasksinfo": """
        id nodeInfo startTime endTime exitCode containerInfo failureInfo state stateTransitionTime
        previousState previousStateTransitionTime result
        """,
    "extensions": """
        provisioningState vmExtension instanceView
        """,
    "jobpreparationandreleasetaskstatus": """
        poolId nodeId nodeUrl jobPreparationTaskExecutionInfo jobReleaseTaskExecutionInfo
        """,
}

SELECTABLE: Mapping[str, frozenset[str]] = {
    path: frozenset(names.split()) for path, names in _MEMBERS.items()
}
"""The members of each resource, named after the last part of the path of its list."""
