"""Checked request documents as resources: what the emulator acts upon is read out of them once, here."""

from batch_emulator.resources import AutoScale, Document, Job, JobSchedule, Pool, Task
from batch_emulator.wire.values import etag, parse_duration

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
    )


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
    )


def job_schedule(document: Document, now: float) -> JobSchedule:
    """The job schedule that a complete creation document describes."""
    return JobSchedule(
        id=document["id"], document=document, created=now, modified=now, etag=new_etag(now), state_since=now
    )
