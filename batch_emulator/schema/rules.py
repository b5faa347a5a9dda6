"""What the members of one object must be together.

From the official descriptions of the members ("mutually exclusive", "must not be specified if"...); where
the error is not stated there, InvalidPropertyValue is assumed.
"""

import posixpath
from collections.abc import Mapping, Sequence

from batch_emulator.errors import EmptyMetadataKey, TaskDependencyListTooLong
from batch_emulator.schema.flaw import HIDDEN, Flaw, invalid, missing
from batch_emulator.schema.notation import Document, Rule
from batch_emulator.vm_sizes import most_slots
from batch_emulator.wire.values import parse_duration, parse_timestamp

_SOURCES = ("httpUrl", "storageContainerUrl", "autoStorageContainerName")
_IMAGES = ("virtualMachineImageId", "sharedGalleryImageId", "communityGalleryImageId")
_NODE_AGENT_PORTS = {29876, 29877}
_LONGEST_DEPENDENCIES = 64_000
_FEWEST_FRONTEND_PORTS = 40


def exactly_one(*names: str) -> Rule:
    """A rule: one of these members and no second one."""

    def rule(document: Document) -> None:
        given = [name for name in names if name in document]
        if not given:
            missing(f"{', '.join(names[:-1])} or {names[-1]}", "one of these is required")
        if len(given) > 1:
            invalid(given[1], f"it excludes {given[0]}", HIDDEN)

    return rule


def at_least_one(*names: str) -> Rule:
    """A rule: one of these members or several. The service names them so in recorded answers."""

    def rule(document: Document) -> None:
        if not any(name in document for name in names):
            missing(" and/or ".join(names), "one of these is required")

    return rule


def resource_file(document: Document) -> None:
    """One source; a path, below the working directory, for what comes from a single URL."""
    given = [name for name in _SOURCES if name in document]
    if len(given) != 1:
        exactly_one(*_SOURCES)(document)
    if given[0] == "httpUrl":
        if not document.get("filePath"):
            missing("filePath", "with httpUrl it is required")
        if "blobPrefix" in document:
            invalid("blobPrefix", "it goes with a container, not with httpUrl", document["blobPrefix"])
    path = document.get("filePath")
    if path and ("/" in path or ".." in path) and _leaves(path):
        invalid("filePath", "it must not leave the working directory of the task", path)


def _leaves(path: str) -> bool:
    plain = posixpath.normpath(path.replace("\\", "/"))
    return plain == ".." or plain.startswith(("/", "../"))


def pool_size(document: Document) -> None:
    """Autoscale with a formula and without targets, or no autoscale and no formula."""
    if document.get("enableAutoScale"):
        if not document.get("autoScaleFormula"):
            missing("autoScaleFormula", "with enableAutoScale it is required")
        for name in ("targetDedicatedNodes", "targetLowPriorityNodes"):
            if name in document:
                invalid(name, "it must not be given with enableAutoScale", document[name])
        return
    if "autoScaleFormula" in document:
        invalid("autoScaleFormula", "it must not be given without enableAutoScale", HIDDEN)


def task_slots(document: Document) -> None:
    """No more task slots than a node of this size can have."""
    slots, size = document.get("taskSlotsPerNode"), document.get("vmSize")
    if slots is None or size is None:
        return
    most = most_slots(size)
    if slots > most:
        invalid("taskSlotsPerNode", f"a node of size {size} has {most} slots at most", slots)


def image(document: Document) -> None:
    """An image by id, in one of three ways, or by publisher, offer and sku."""
    given = [name for name in _IMAGES if name in document]
    named = [name for name in ("publisher", "offer", "sku") if name in document]
    if len(given) > 1 or (given and named):
        invalid(given[-1], f"it excludes {(given[:-1] + named)[0]}", document[given[-1]])
    if not given:
        for name in ("publisher", "offer", "sku"):
            if not document.get(name):
                missing(name, "without the id of an image it is required")


def nat_pool(document: Document) -> None:
    """Ports that the node agent does not use, and enough of them."""
    first, last = document["frontendPortRangeStart"], document["frontendPortRangeEnd"]
    if document["backendPort"] in _NODE_AGENT_PORTS:
        invalid("backendPort", "this port is reserved", document["backendPort"])
    if first <= 55000 and last >= 50000:
        invalid("frontendPortRangeStart", "the ports from 50000 to 55000 are reserved", first)
    if last - first + 1 < _FEWEST_FRONTEND_PORTS:
        invalid("frontendPortRangeEnd", "the range must have at least 40 ports", last)


def linux_user(document: Document) -> None:
    """Both a user id and a group id, or neither."""
    if ("uid" in document) != ("gid" in document):
        missing("gid" if "uid" in document else "uid", "uid and gid go together")


def parallel_tasks(document: Document) -> None:
    """No limit (-1) or a positive one."""
    if document.get("maxParallelTasks") == 0:
        invalid("maxParallelTasks", "it must be -1 or greater than 0", 0)


def release_task(document: Document) -> None:
    """A job release task undoes what a job preparation task did."""
    if "jobReleaseTask" in document and "jobPreparationTask" not in document:
        invalid("jobReleaseTask", "it goes with a jobPreparationTask only", HIDDEN)


def schedule_times(document: Document) -> None:
    """It ends after it begins, and a start window fits between two recurrences."""
    begin, end = document.get("doNotRunUntil"), document.get("doNotRunAfter")
    if begin and end and parse_timestamp(begin) >= parse_timestamp(end):
        invalid("doNotRunAfter", "it must be after doNotRunUntil", end)
    window, every = document.get("startWindow"), document.get("recurrenceInterval")
    if window and every and _seconds(window) > _seconds(every):
        invalid("startWindow", "it must not be longer than recurrenceInterval", window)


def _seconds(text: str) -> float:
    seconds = parse_duration(text)
    return float("inf") if seconds is None else seconds


def number_range(document: Document) -> None:
    """From a number to no smaller one."""
    if document["start"] > document["end"]:
        invalid("end", "it must not be less than start", document["end"])


def dependencies(document: Document) -> None:
    """A list of tasks short enough to be stored: 64,000 characters (documented)."""
    if sum(map(len, document.get("taskIds", ()))) > _LONGEST_DEPENDENCIES:
        raise Flaw(
            TaskDependencyListTooLong, f"the ids have more than {_LONGEST_DEPENDENCIES} characters", HIDDEN
        ).within("taskIds")


def metadata_item(document: Document) -> None:
    """A name that is not empty."""
    if not document["name"]:
        raise Flaw(EmptyMetadataKey, "the name must not be empty", "").within("name")


def environment_setting(document: Document) -> None:
    """A name that an operating system takes."""
    if "=" in document["name"]:
        invalid("name", "the name of an environment variable has no '='", document["name"])


_POOL: Sequence[Rule] = (pool_size, task_slots)
_JOB: Sequence[Rule] = (parallel_tasks, release_task)

RULES: Mapping[str, Sequence[Rule]] = {
    "AzureBlobFileSystemConfiguration": (exactly_one("accountKey", "sasKey", "identityReference"),),
    "BatchInboundNatPool": (nat_pool,),
    "BatchJob": _JOB,
    "BatchJobCreateOptions": _JOB,
    "BatchJobScheduleConfiguration": (schedule_times,),
    "BatchJobSpecification": _JOB,
    "BatchJobUpdateOptions": (parallel_tasks,),
    "BatchMetadataItem": (metadata_item,),
    "BatchPoolCreateOptions": _POOL,
    "BatchPoolEnableAutoScaleOptions": (at_least_one("autoScaleFormula", "autoScaleEvaluationInterval"),),
    "BatchPoolInfo": (exactly_one("poolId", "autoPoolSpecification"),),
    "BatchPoolResizeOptions": (at_least_one("targetDedicatedNodes", "targetLowPriorityNodes"),),
    "BatchPoolSpecification": _POOL,
    "BatchTaskDependencies": (dependencies,),
    "BatchTaskIdRange": (number_range,),
    "BatchVmImageReference": (image,),
    "EnvironmentSetting": (environment_setting,),
    "ExitCodeRangeMapping": (number_range,),
    "LinuxUserConfiguration": (linux_user,),
    "MountConfiguration": (
        exactly_one(
            "azureBlobFileSystemConfiguration",
            "nfsMountConfiguration",
            "cifsMountConfiguration",
            "azureFileShareConfiguration",
        ),
    ),
    "ResourceFile": (resource_file,),
    "UserIdentity": (exactly_one("username", "autoUser"),),
}
"""The rules by model."""
