"""Checked request documents as resources: what the emulator acts upon is read out of them once, here."""

from batch_emulator.resources import AutoScale, Document, Job, JobSchedule, JobTask, Pool, Task, Timing
from batch_emulator.schema import defaults
from batch_emulator.wire.values import etag, parse_duration, parse_timestamp

DEFAULT_RETENTION = 7 * 24 * 3600.0


def new_etag(now: float) -> str:
    """The ETag of a resource that was changed at this time."""
    return etag(int(now * 1e9))


def pool(document: Document, now: float) -> Pool:
    """The pool that a complete creation document describes, not yet allocated."""
    policy = document["taskSchedulingPolicy"]
    return Pool(
        id=document["id"],
        document=document,
        created=now,
        modified=now,
        etag=new_etag(now),
        allocation_since=now,
        target_dedicated=document.get("targetDedicatedNodes", 0),
        target_low_priority=document.get("targetLowPriorityNodes", 0),
        resize_timeout=parse_duration(document["resizeTimeout"]) or 0.0,
        slots_per_node=document["taskSlotsPerNode"],
        fill="pack" if policy["nodeFillType"].lower() == "pack" else "spread",
        auto_scale=auto_scale(document) if document.get("enableAutoScale") else None,
    )


def pool_of_specification(pool_id: str, specification: Document, now: float) -> Pool:
    """The pool that an auto pool specification describes."""
    return pool(defaults.pool_defaults({"id": pool_id, **specification}), now)


def auto_scale(document: Document) -> AutoScale:
    """The formula and interval of a document; every 15 minutes unless it says otherwise (documented)."""
    interval = parse_duration(document.get("autoScaleEvaluationInterval", "PT15M"))
    return AutoScale(formula=document["autoScaleFormula"], interval=interval or 0.0)


def job(document: Document, now: float) -> Job:
    """The job that a complete creation document describes."""
    return Job(
        id=document["id"],
        document=document,
        created=now,
        modified=now,
        etag=new_etag(now),
        priority=document["priority"],
        pool_id=document["poolInfo"].get("poolId"),
        wall_clock=parse_duration(document["constraints"]["maxWallClockTime"]),
        manager=_manager(document, now),
        ends_with_manager=document.get("jobManagerTask", {}).get("killJobOnCompletion", False),
        preparation_task=_preparation(document.get("jobPreparationTask")),
        release_task=_release(document.get("jobReleaseTask")),
    )


def _manager(job_document: Document, now: float) -> Task | None:
    document: Document | None = job_document.get("jobManagerTask")
    if document is None:
        return None
    of_managers = ("killJobOnCompletion", "runExclusive", "allowLowPriorityNode")
    own = {name: value for name, value in document.items() if name not in of_managers}
    manager = task(job_document["id"], own, now)
    manager.exclusive = document["runExclusive"]
    manager.dedicated_only = not document["allowLowPriorityNode"]
    return manager


def _preparation(document: Document | None) -> JobTask | None:
    if document is None:
        return None
    return JobTask(
        id=document["id"],
        max_retries=document["constraints"]["maxTaskRetryCount"],
        wall_clock=parse_duration(document["constraints"]["maxWallClockTime"]),
        waits_for_success=document["waitForSuccess"],
        reruns_after_reboot=document["rerunOnNodeRebootAfterSuccess"],
    )


def _release(document: Document | None) -> JobTask | None:
    if document is None:
        return None
    return JobTask(id=document["id"], wall_clock=parse_duration(document["maxWallClockTime"]))


def task(job_id: str, document: Document, now: float) -> Task:
    """The task that a complete creation document describes."""
    constraints = document["constraints"]
    return Task(
        id=document["id"],
        job_id=job_id,
        document=document,
        created=now,
        modified=now,
        etag=new_etag(now),
        sequence=0,
        slots=document["requiredSlots"],
        max_retries=constraints["maxTaskRetryCount"],
        wall_clock=parse_duration(constraints["maxWallClockTime"]),
        retention=parse_duration(constraints["retentionTime"]),
        instances=document.get("multiInstanceSettings", {}).get("numberOfInstances", 0),
    )


def job_schedule(document: Document, now: float) -> JobSchedule:
    """The job schedule that a complete creation document describes."""
    return JobSchedule(
        id=document["id"],
        document=document,
        created=now,
        modified=now,
        etag=new_etag(now),
        timing=timing(document["schedule"]),
    )


def timing(document: Document) -> Timing:
    """When a schedule creates jobs."""
    begin, end = document.get("doNotRunUntil"), document.get("doNotRunAfter")
    window, interval = document.get("startWindow"), document.get("recurrenceInterval")
    return Timing(
        begin=None if begin is None else parse_timestamp(begin),
        end=None if end is None else parse_timestamp(end),
        window=None if window is None else parse_duration(window),
        interval=None if interval is None else parse_duration(interval),
    )
