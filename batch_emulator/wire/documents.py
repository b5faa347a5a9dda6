"""Resources as the service shows them: pools, nodes, jobs, tasks and job schedules as JSON documents.

A member that has no value is absent, never null (seen in recorded traffic); callers test for that.
"""

from batch_emulator.lifecycle import NodeState, TaskState
from batch_emulator.outcomes import ContainerRun, Failure, Outcome
from batch_emulator.resources import AutoScale, Document, Job, JobSchedule, Pool, Task
from batch_emulator.wire.members import moment, present
from batch_emulator.wire.values import duration, timestamp


def failure_info(failure: Failure | None) -> Document | None:
    """Why something did not succeed, as `failureInfo`."""
    if failure is None:
        return None
    return {
        "category": failure.category,
        "code": failure.code,
        "message": failure.message,
        "details": [{"name": name, "value": value} for name, value in failure.details],
    }


def container_info(container: ContainerRun | None) -> Document | None:
    """The container that a command ran in, as `containerInfo`."""
    if container is None:
        return None
    return present({"containerId": container.id, "state": container.state, "error": container.error or None})


def error_values(failure: Failure) -> Document:
    """A resize or node error: its details are called values there."""
    values = [{"name": name, "value": value} for name, value in failure.details]
    return present({"code": failure.code, "message": failure.message, "values": values})


def pool(base_url: str, pool: Pool) -> Document:
    """A pool as GET shows it."""
    url = f"{base_url}/pools/{pool.id}"
    # Preempted nodes are not there, though they are still listed (documented).
    there = [node for node in pool.nodes.values() if node.state is not NodeState.PREEMPTED]
    own = {
        "id": pool.id,
        "displayName": pool.document.get("displayName"),
        "url": url,
        "eTag": pool.etag,
        "lastModified": timestamp(pool.modified),
        "creationTime": timestamp(pool.created),
        "state": pool.state.value,
        "stateTransitionTime": timestamp(pool.state_since),
        "allocationState": pool.allocation.value,
        "allocationStateTransitionTime": timestamp(pool.allocation_since),
        "vmSize": pool.document["vmSize"],
        "resizeTimeout": duration(pool.resize_timeout),
        "resizeErrors": [error_values(error) for error in pool.resize_errors],
        "currentDedicatedNodes": sum(node.dedicated for node in there),
        "targetDedicatedNodes": pool.target_dedicated,
        "currentLowPriorityNodes": sum(not node.dedicated for node in there),
        "targetLowPriorityNodes": pool.target_low_priority,
        "enableAutoScale": pool.auto_scale is not None,
        **_auto_scale(pool.auto_scale),
    }
    left_out = own.keys() | {"autoScaleFormula", "autoScaleEvaluationInterval"}
    rest = {name: value for name, value in pool.document.items() if name not in left_out}
    return present({**own, **rest})


def _auto_scale(auto_scale: AutoScale | None) -> Document:
    if auto_scale is None:
        return {}
    return {
        "autoScaleFormula": auto_scale.formula,
        "autoScaleEvaluationInterval": duration(auto_scale.interval),
        "autoScaleRun": auto_scale_run(auto_scale),
    }


def auto_scale_run(auto_scale: AutoScale) -> Document | None:
    """The last evaluation of a formula, as `autoScaleRun`."""
    if auto_scale.last_run is None:
        return None
    error = None
    if auto_scale.error is not None:
        code, message, details = auto_scale.error
        error = {"code": code, "message": message, "values": [{"name": "Message", "value": details}]}
    return present(
        {"timestamp": timestamp(auto_scale.last_run), "results": auto_scale.results or None, "error": error}
    )


def job(base_url: str, job: Job) -> Document:
    """A job as GET shows it."""
    own = {
        "id": job.id,
        "displayName": job.document.get("displayName"),
        "usesTaskDependencies": job.document["usesTaskDependencies"],
        "url": f"{base_url}/jobs/{job.id}",
        "eTag": job.etag,
        "lastModified": timestamp(job.modified),
        "creationTime": timestamp(job.created),
        "state": job.state.value,
        "stateTransitionTime": timestamp(job.state_since),
        "previousState": job.previous[0].value if job.previous else None,
        "previousStateTransitionTime": moment(job.previous[1]) if job.previous else None,
        "executionInfo": _job_execution(job),
    }
    rest = {name: value for name, value in job.document.items() if name not in own}
    return present({**own, **rest})


def _job_execution(job: Job) -> Document:
    error = failure_info(job.scheduling_error)
    return present(
        {
            "startTime": timestamp(job.created),
            "endTime": moment(job.ended),
            "poolId": job.pool_id,
            "schedulingError": error,
            "terminateReason": job.terminate_reason,
        }
    )


def task(base_url: str, task: Task) -> Document:
    """A task as GET shows it."""
    # Lists hold up to a thousand of these: one dictionary, filled once.
    shown: Document = {"id": task.id}
    if "displayName" in task.document:
        shown["displayName"] = task.document["displayName"]
    shown["url"] = f"{base_url}/jobs/{task.job_id}/tasks/{task.id}"
    shown["eTag"] = task.etag
    shown["lastModified"] = timestamp(task.modified)
    shown["creationTime"] = timestamp(task.created)
    shown["state"] = task.state.value
    shown["stateTransitionTime"] = timestamp(task.state_since)
    if task.previous is not None:
        shown["previousState"] = task.previous[0].value
        shown["previousStateTransitionTime"] = timestamp(task.previous[1])
    shown["executionInfo"] = task_execution(task)
    if task.node_id is not None:
        shown["nodeInfo"] = _node_info(base_url, task, task.node_id)
    for name, value in task.document.items():
        shown.setdefault(name, value)
    return shown


def task_execution(task: Task) -> Document:
    """How far a task has come, as `executionInfo`."""
    # Both counts are always there, even in a task that never ran (seen in recorded traffic).
    shown = _outcome(task.started, task.outcome if task.state is TaskState.COMPLETED else None)
    shown["retryCount"] = task.retries
    if task.last_retry is not None:
        shown["lastRetryTime"] = timestamp(task.last_retry)
    shown["requeueCount"] = task.requeues
    if task.last_requeue is not None:
        shown["lastRequeueTime"] = timestamp(task.last_requeue)
    return shown


def _outcome(started: float | None, outcome: Outcome | None) -> Document:
    if outcome is None:
        return {} if started is None else {"startTime": timestamp(started)}
    return present(
        {
            "startTime": moment(started),
            "endTime": timestamp(outcome.ended),
            "exitCode": outcome.exit_code,
            "result": "failure" if outcome.failure else "success",
            "containerInfo": container_info(outcome.container),
            "failureInfo": failure_info(outcome.failure),
        }
    )


def _node_info(base_url: str, task: Task, node_id: str) -> Document:
    node_url = f"{base_url}/pools/{task.pool_id}/nodes/{node_id}"
    directory = task_directory(task.job_id, task.id)
    return {
        "affinityId": f"TVM:{node_id}",
        "nodeUrl": node_url,
        "poolId": task.pool_id,
        "nodeId": node_id,
        # As Windows writes it, on its nodes; in the URL it never is (seen in recorded traffic).
        "taskRootDirectory": directory.replace("/", "\\") if task.on_windows else directory,
        "taskRootDirectoryUrl": f"{node_url}/files/{directory}",
    }


def task_directory(job_id: str, task_id: str) -> str:
    """Where a task is, below the root of its node; a schedule's jobs share a directory (documented)."""
    schedule, colon, job_name = job_id.partition(":")
    return f"workitems/{schedule}/{job_name if colon else 'job-1'}/{task_id}"


def task_counts(job: Job) -> Document:
    """How many tasks and slots of a job are in each state; preparing counts as running (documented)."""

    def counted(numbers: dict[str, int]) -> Document:
        succeeded, failed = numbers.get("succeeded", 0), numbers.get("failed", 0)
        return {
            "active": numbers.get("active", 0),
            "running": numbers.get("running", 0) + numbers.get("preparing", 0),
            "completed": succeeded + failed,
            "succeeded": succeeded,
            "failed": failed,
        }

    return {"taskCounts": counted(job.tally.tasks), "taskSlotCounts": counted(job.tally.slots)}


def job_schedule(base_url: str, schedule: JobSchedule) -> Document:
    """A job schedule as GET shows it."""
    recent = schedule.recent_job
    execution = {
        "nextRunTime": moment(schedule.next_run),
        "recentJob": {"id": recent, "url": f"{base_url}/jobs/{recent}"} if recent else None,
        "endTime": moment(schedule.ended),
    }
    own = {
        "id": schedule.id,
        "displayName": schedule.document.get("displayName"),
        "url": f"{base_url}/jobschedules/{schedule.id}",
        "eTag": schedule.etag,
        "lastModified": timestamp(schedule.modified),
        "creationTime": timestamp(schedule.created),
        "state": schedule.state.value,
        "stateTransitionTime": timestamp(schedule.state_since),
        "previousState": schedule.previous[0].value if schedule.previous else None,
        "previousStateTransitionTime": moment(schedule.previous[1]) if schedule.previous else None,
        "executionInfo": present(execution),
    }
    rest = {name: value for name, value in schedule.document.items() if name not in own}
    return present({**own, **rest})
