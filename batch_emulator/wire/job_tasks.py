"""Job preparation and release tasks, and the subtasks of a multi-instance task, as the service shows them."""

from typing import Literal

from batch_emulator.outcomes import JobTaskRun
from batch_emulator.resources import Document, Job, JobTask, Subtask, Task
from batch_emulator.wire.documents import failure_info, task_directory
from batch_emulator.wire.members import moment, present
from batch_emulator.wire.values import timestamp


def status(base_url: str, job: Job, node_id: str) -> Document:
    """How the preparation and the release of a job went on one node, which may have left its pool since."""
    preparation = job.preparation[node_id]
    node_url = f"{base_url}/pools/{preparation.pool_id}/nodes/{node_id}"
    return present(
        {
            "poolId": preparation.pool_id,
            "nodeId": node_id,
            "nodeUrl": node_url,
            "jobPreparationTaskExecutionInfo": _execution(
                node_url, job, job.preparation_task, preparation, "preparation"
            ),
            "jobReleaseTaskExecutionInfo": _execution(
                node_url, job, job.release_task, job.release.get(node_id), "release"
            ),
        }
    )


def _execution(
    node_url: str,
    job: Job,
    spec: JobTask | None,
    done: JobTaskRun | None,
    kind: Literal["preparation", "release"],
) -> Document | None:
    if spec is None or done is None:
        return None
    directory = task_directory(job.id, spec.id)
    outcome = done.outcome if done.run is None else None
    document: Document = {
        "startTime": timestamp(done.started),
        "endTime": moment(outcome.ended) if outcome else None,
        "state": "completed" if outcome else "running",
        "taskRootDirectory": directory,
        "taskRootDirectoryUrl": f"{node_url}/files/{directory}",
        "exitCode": outcome.exit_code if outcome else None,
        "failureInfo": failure_info(outcome.failure) if outcome else None,
        "result": None if outcome is None else "failure" if outcome.failure else "success",
    }
    if kind == "preparation":
        document |= {"retryCount": done.retries, "lastRetryTime": moment(done.last_retry)}
    return present(document)


def subtask(base_url: str, task: Task, number: int, subtask: Subtask) -> Document:
    """The coordination of a multi-instance task on a node other than the primary's."""
    node_url = f"{base_url}/pools/{subtask.pool_id}/nodes/{subtask.node_id}"
    directory = f"{task_directory(task.job_id, task.id)}/{number}"
    outcome, started = subtask.outcome, subtask.started
    changed = outcome.ended if outcome else started
    return present(
        {
            "id": number,
            "nodeInfo": {
                "affinityId": f"TVM:{subtask.node_id}",
                "nodeUrl": node_url,
                "poolId": subtask.pool_id,
                "nodeId": subtask.node_id,
                "taskRootDirectory": directory,
                "taskRootDirectoryUrl": f"{node_url}/files/{directory}",
            },
            "startTime": moment(started),
            "endTime": moment(outcome.ended) if outcome else None,
            "exitCode": outcome.exit_code if outcome else None,
            "failureInfo": failure_info(outcome.failure) if outcome else None,
            "state": "completed" if outcome else "preparing" if started is None else "running",
            "stateTransitionTime": moment(changed),
            "previousState": "running" if outcome else None,
            "previousStateTransitionTime": moment(started) if outcome else None,
            "result": None if outcome is None else "failure" if outcome.failure else "success",
        }
    )
