"""The official SDK on jobs, tasks and their files."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from azure.batch import models
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.conformance import scene
from tests.conformance.conftest import Batch
from tests.conformance.recorder import Recorder

pytestmark = pytest.mark.waits(seconds=4)

Unique = Callable[[str], str]


def task(task_id: str, command: str, **more: Any) -> models.BatchTaskCreateOptions:
    return models.BatchTaskCreateOptions(id=task_id, command_line=command, **more)


def test_a_job_is_created_shown_listed_patched_and_deleted(
    batch: Batch, recorder: Recorder, unique: Unique
) -> None:
    job_id = unique("Job")
    info = models.BatchPoolInfo(pool_id="not-there-yet")
    metadata = [models.BatchMetadataItem(name="owner", value="tests")]
    batch.create_job(models.BatchJobCreateOptions(id=job_id, pool_info=info, metadata=metadata))
    assert recorder.last.status == 201
    assert recorder.last.headers["location"].endswith("/jobs/job-1")

    job = batch.get_job(job_id)
    assert (job.id, job.state, job.priority) == (job_id, "active", 0)
    assert job.all_tasks_complete_mode == "noaction"
    assert job.metadata[0].value == "tests"
    assert (
        job.constraints.max_wall_clock_time == dt.timedelta.max
        or job.constraints.max_wall_clock_time.days > 10**6
    )
    assert job_id in [one.id for one in batch.list_jobs(filter="state eq 'active'")]

    batch.update_job(job_id, models.BatchJobUpdateOptions(priority=100))
    assert batch.get_job(job_id).priority == 100
    assert job_id in [one.id for one in batch.list_jobs(filter="priority ge 100")]
    assert job_id not in [one.id for one in batch.list_jobs(filter="priority eq 0")]
    assert batch.get_job(job_id).etag != job.etag
    with pytest.raises(ResourceExistsError, match=r"\(JobExists\) The specified job already exists\."):
        batch.create_job(models.BatchJobCreateOptions(id=job_id, pool_info=info))

    assert batch.begin_delete_job(job_id) == "Succeeded"
    with pytest.raises(ResourceNotFoundError, match="JobNotFound"):
        batch.get_job(job_id)


def test_a_task_runs_and_tells_how_it_ended(batch: Batch, unique: Unique) -> None:
    with scene.pool(batch, unique("pool")) as pool_id, scene.job(batch, unique("job"), pool_id) as job_id:
        batch.create_task(job_id, task("good", "/bin/sh -c 'echo to stdout; echo to stderr >&2'"))
        good = scene.completed(batch, job_id, "good")
        assert good.execution_info is not None
        assert (good.execution_info.exit_code, good.execution_info.result) == (0, "success")
        assert good.execution_info.failure_info is None
        assert good.node_info is not None
        assert good.node_info.task_root_directory == f"workitems/{job_id}/job-1/good"
        assert good.previous_state == "running"

        batch.create_task(job_id, task("bad", "/bin/sh -c 'exit 7'"))
        bad = scene.completed(batch, job_id, "bad").execution_info
        assert bad is not None
        assert bad.failure_info is not None
        assert (bad.exit_code, bad.result, bad.failure_info.code) == (7, "failure", "FailureExitCode")

        batch.create_task(job_id, task("none", "no-such-program-here"))
        none = scene.completed(batch, job_id, "none").execution_info
        assert none is not None
        assert none.failure_info is not None
        assert (none.exit_code, none.failure_info.code) == (None, "CommandProgramNotFound")

        counts = batch.get_job_task_counts(job_id).task_counts
        assert (counts.completed, counts.succeeded, counts.failed) == (3, 1, 2)


def test_the_command_line_is_split_but_no_shell_reads_it(batch: Batch, unique: Unique) -> None:
    with scene.pool(batch, unique("pool")) as pool_id, scene.job(batch, unique("job"), pool_id) as job_id:
        batch.create_task(job_id, task("t", '/bin/echo \'a  b\' $HOME > "q\\"q" *'))
        scene.completed(batch, job_id, "t")
        assert b"".join(batch.download_task_file(job_id, "t", "stdout.txt")) == b'a  b $HOME > q"q *\n'


def test_many_tasks_are_added_in_chunks_and_each_tells_its_result(batch: Batch, unique: Unique) -> None:
    with (
        scene.pool(batch, unique("pool"), task_slots_per_node=4) as pool_id,
        scene.job(batch, unique("job"), pool_id) as job_id,
    ):
        result = batch.create_tasks(job_id, [task(f"t{number}", "/bin/true") for number in range(233)])
        assert {one.status.lower() for one in result.result_values} == {"success"}
        assert len(result.result_values) == 233
        scene.wait_for(lambda: batch.get_job_task_counts(job_id).task_counts.completed == 233)
        listed = batch.list_tasks(job_id, max_results=50, select=["id"])
        assert len({one.id for one in listed}) == 233

        group = models.BatchTaskGroup(task_values=[task("t1", "/bin/true"), task("new", "/bin/true")])
        again = batch.create_task_collection(job_id, group).result_values
        assert [one.status.lower() for one in again] == ["clienterror", "success"]
        assert again[0].error.code == "TaskExists"


def test_more_than_a_hundred_tasks_in_one_request_are_refused(batch: Batch, unique: Unique) -> None:
    with scene.job(batch, unique("job"), "no-pool") as job_id:
        group = models.BatchTaskGroup(task_values=[task(f"t{number}", "/bin/true") for number in range(101)])
        with pytest.raises(HttpResponseError) as refused:
            batch.create_task_collection(job_id, group)
        assert refused.value.status_code == 400


def test_the_files_of_a_task_are_listed_told_about_and_read_in_part(
    batch: Batch, recorder: Recorder, unique: Unique
) -> None:
    with scene.pool(batch, unique("pool")) as pool_id, scene.job(batch, unique("job"), pool_id) as job_id:
        batch.create_task(
            job_id, task("t", "/bin/sh -c 'printf 0123456789; mkdir d; echo x > \"d/a b#%.txt\"'")
        )
        scene.completed(batch, job_id, "t")
        names = {file.name: file for file in batch.list_task_files(job_id, "t", recursive=True)}
        assert {"stdout.txt", "stderr.txt", "wd", "wd/d", "wd/d/a b#%.txt"} <= set(names)
        assert names["stdout.txt"].properties.content_length == 10
        assert names["wd"].is_directory
        assert batch.get_task_file_properties(job_id, "t", "stdout.txt").content_length == 10
        assert recorder.last.headers["ocp-batch-file-isdirectory"] == "False"
        assert b"".join(batch.download_task_file(job_id, "t", "wd/d/a b#%.txt")) == b"x\n"
        part = batch.download_task_file(job_id, "t", "stdout.txt", ocp_range="bytes=3-5")
        assert b"".join(part) == b"345"
        assert recorder.last.status == 200
        with pytest.raises(ResourceNotFoundError):
            batch.get_task_file_properties(job_id, "t", "wd/nothing")
        with pytest.raises(ResourceNotFoundError):
            b"".join(batch.download_task_file(job_id, "t", "../../../../../../../../etc/passwd"))


def test_terminating_a_job_ends_what_runs_and_needs_no_wait_by_the_caller(
    batch: Batch, unique: Unique
) -> None:
    with scene.pool(batch, unique("pool")) as pool_id, scene.job(batch, unique("job"), pool_id) as job_id:
        batch.create_task(job_id, task("long", "/bin/sleep 600"))
        scene.wait_for(lambda: batch.get_task(job_id, "long").state == "running")
        assert batch.begin_terminate_job(job_id, {"terminateReason": "enough"}) == "Succeeded"
        job = batch.get_job(job_id)
        assert (job.state, job.execution_info.termination_reason) == ("completed", "enough")
        ended = batch.get_task(job_id, "long")
        assert ended.state == "completed"
        assert ended.execution_info.failure_info.code == "TaskEnded"
        with pytest.raises(ResourceExistsError, match="JobCompleted"):
            batch.create_task(job_id, task("late", "/bin/true"))


def test_a_job_told_so_completes_with_its_last_task(batch: Batch, unique: Unique) -> None:
    with scene.pool(batch, unique("pool")) as pool_id, scene.job(batch, unique("job"), pool_id) as job_id:
        batch.create_task(job_id, task("t", "/bin/true"))
        batch.update_job(job_id, models.BatchJobUpdateOptions(all_tasks_complete_mode="terminatejob"))
        scene.wait_for(lambda: batch.get_job(job_id).state == "completed")
        assert batch.get_job(job_id).execution_info.termination_reason == "AllTasksComplete"


def test_a_task_past_its_wall_clock_is_ended(batch: Batch, unique: Unique) -> None:
    limit = models.BatchTaskConstraints(max_wall_clock_time=dt.timedelta(seconds=1))
    with scene.pool(batch, unique("pool")) as pool_id, scene.job(batch, unique("job"), pool_id) as job_id:
        batch.create_task(job_id, task("t", "/bin/sleep 600", constraints=limit))
        ended = scene.completed(batch, job_id, "t").execution_info
        assert ended is not None
        assert ended.failure_info is not None
        assert ended.failure_info.code == "TaskEnded"


def test_a_failing_task_is_tried_again_in_a_clean_directory(batch: Batch, unique: Unique) -> None:
    script = "ls; touch left; cd $AZ_BATCH_NODE_SHARED_DIR; echo x >> tries; test $(wc -l < tries) = 3"
    command = f"/bin/sh -c '{script}'"
    retry = models.BatchTaskConstraints(max_task_retry_count=5)
    with scene.pool(batch, unique("pool")) as pool_id, scene.job(batch, unique("job"), pool_id) as job_id:
        batch.create_task(job_id, task("t", command, constraints=retry))
        info = scene.completed(batch, job_id, "t").execution_info
        assert info is not None
        assert (info.retry_count, info.result) == (2, "success")
        assert b"".join(batch.download_task_file(job_id, "t", "stdout.txt")) == b""


def test_what_the_environment_says_is_true(batch: Batch, unique: Unique) -> None:
    settings = [models.EnvironmentSetting(name="WHERE", value="$AZ_BATCH_TASK_ID-here")]
    common = [
        models.EnvironmentSetting(name="COMMON", value="job"),
        models.EnvironmentSetting(name="WHERE", value="no"),
    ]
    with (
        scene.pool(batch, unique("pool")) as pool_id,
        scene.job(batch, unique("job"), pool_id, common_environment_settings=common) as job_id,
    ):
        batch.create_task(job_id, task("t", "/usr/bin/env", environment_settings=settings))
        scene.completed(batch, job_id, "t")
        text = b"".join(batch.download_task_file(job_id, "t", "stdout.txt")).decode()
        variables = dict(line.split("=", 1) for line in text.splitlines())
        assert variables["AZ_BATCH_JOB_ID"] == job_id
        assert variables["AZ_BATCH_POOL_ID"] == pool_id
        assert variables["AZ_BATCH_TASK_WORKING_DIR"] == variables["PWD"] if "PWD" in variables else True
        assert (variables["WHERE"], variables["COMMON"]) == ("t-here", "job")
        assert not [name for name in variables if name.startswith("AZURE_")]


def test_the_signature_covers_filters_and_odd_names(batch: Batch, unique: Unique) -> None:
    with scene.job(batch, unique("job"), "no-pool") as job_id:
        batch.create_task(job_id, task("t", "/bin/true"))
        found = batch.list_tasks(
            job_id, filter="state eq 'active' and startswith(id,'t')", select=["id,state"]
        )
        assert [one.id for one in found] == ["t"]
