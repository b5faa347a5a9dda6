"""What is filled in, and what a task must be for its job."""

import copy

import pytest

from batch_emulator.errors import BatchError
from batch_emulator.schema import (
    check,
    check_in_job,
    job_defaults,
    pool_defaults,
    schedule_defaults,
    task_defaults,
)
from tests.batch_emulator.bodies import (
    JOB,
    Document,
    job,
    pool,
    task,
)

TERMINATE = {"exitConditions": {"exitCodes": [{"code": 1, "exitOptions": {"jobAction": "terminate"}}]}}
NONE = {"exitConditions": {"default": {"jobAction": "none", "dependencyAction": "satisfy"}}}


@pytest.mark.parametrize(
    ("changes", "job_changes", "code"),
    [
        ({}, {}, None),
        (TERMINATE, {}, "InvalidPropertyValue"),
        ({"exitConditions": {"fileUploadError": {"jobAction": "disable"}}}, {}, "InvalidPropertyValue"),
        (TERMINATE, {"onTaskFailure": "performexitoptionsjobaction"}, None),
        (NONE, {}, None),
        ({"dependsOn": {"taskIds": ["a"]}}, {}, "UnsupportedProperty"),
        ({"dependsOn": {"taskIds": ["a"]}}, {"usesTaskDependencies": True}, None),
        ({"id": "JobPreparation"}, {}, None),
        (
            {"id": "JobPreparation"},
            {"jobPreparationTask": {"commandLine": "x"}},
            "TaskIdSameAsJobPreparationTask",
        ),
        (
            {"id": "clean"},
            {
                "jobPreparationTask": {"commandLine": "x"},
                "jobReleaseTask": {"commandLine": "x", "id": "Clean"},
            },
            "TaskIdSameAsJobReleaseTask",
        ),
    ],
)
def test_a_task_must_fit_its_job(changes: Document, job_changes: Document, code: str | None) -> None:
    given = check(*task(**changes))
    its_job = job_defaults(check(*job(**job_changes)))
    if code is None:
        check_in_job(given, its_job)
    else:
        with pytest.raises(BatchError) as caught:
            check_in_job(given, its_job)
        assert caught.value.code == code


ORDINARY = {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}}
UNLIMITED = "P10675199DT2H48M5.4775807S"


def test_a_pool_gets_the_recorded_defaults() -> None:
    checked = check(*pool(targetDedicatedNodes=1))
    before = copy.deepcopy(checked)
    assert pool_defaults(checked) == {
        "id": "p",
        "vmSize": "standard_d1_v2",
        "resizeTimeout": "PT15M",
        "targetDedicatedNodes": 1,
        "targetLowPriorityNodes": 0,
        "enableAutoScale": False,
        "enableInterNodeCommunication": False,
        "taskSlotsPerNode": 1,
        "taskSchedulingPolicy": {"nodeFillType": "Spread"},
        "virtualMachineConfiguration": {
            "imageReference": {
                "publisher": "Canonical",
                "offer": "ubuntu-24_04-lts",
                "sku": "server",
                "version": "latest",
            },
            "nodeAgentSKUId": "batch.node.ubuntu 24.04",
        },
    }
    assert checked == before


def test_a_start_task_runs_once_as_an_ordinary_user_and_is_waited_for() -> None:
    filled = pool_defaults(check(*pool(startTask={"commandLine": "x"})))
    assert filled["startTask"] == {
        "commandLine": "x",
        "userIdentity": ORDINARY,
        "maxTaskRetryCount": 0,
        "waitForSuccess": True,
    }


def test_an_autoscaled_pool_is_evaluated_every_fifteen_minutes() -> None:
    filled = pool_defaults(check(*pool(enableAutoScale=True, autoScaleFormula="x")))
    assert filled["autoScaleEvaluationInterval"] == "PT15M"


def test_a_job_gets_the_recorded_defaults() -> None:
    assert job_defaults(check(*job())) == {
        "id": "j",
        "priority": 0,
        "maxParallelTasks": -1,
        "usesTaskDependencies": False,
        "allowTaskPreemption": False,
        "constraints": {"maxWallClockTime": UNLIMITED, "maxTaskRetryCount": 0},
        "poolInfo": {"poolId": "p"},
        "onAllTasksComplete": "noaction",
        "onTaskFailure": "noaction",
    }


def test_the_tasks_of_a_job_get_the_documented_defaults() -> None:
    command = {"commandLine": "x"}
    filled = job_defaults(
        check(
            *job(
                jobManagerTask={"id": "m", **command},
                jobPreparationTask=command,
                jobReleaseTask=command,
                poolInfo={"autoPoolSpecification": {"poolLifetimeOption": "job"}},
            )
        )
    )
    constraints = {"maxWallClockTime": UNLIMITED, "retentionTime": "P7D", "maxTaskRetryCount": 0}
    assert filled["jobManagerTask"] == {
        "id": "m",
        "commandLine": "x",
        "requiredSlots": 1,
        "killJobOnCompletion": True,
        "runExclusive": True,
        "allowLowPriorityNode": True,
        "userIdentity": ORDINARY,
        "constraints": constraints,
    }
    assert filled["jobPreparationTask"] == {
        "id": "jobpreparation",
        "commandLine": "x",
        "waitForSuccess": True,
        "rerunOnNodeRebootAfterSuccess": True,
        "userIdentity": ORDINARY,
        "constraints": constraints,
    }
    assert filled["jobReleaseTask"] == {
        "id": "jobrelease",
        "commandLine": "x",
        "maxWallClockTime": "PT15M",
        "retentionTime": "P7D",
        "userIdentity": ORDINARY,
    }
    assert filled["poolInfo"]["autoPoolSpecification"]["keepAlive"] is False


def test_a_task_gets_the_recorded_defaults_and_its_jobs_retries() -> None:
    its_job = job_defaults(check(*job(constraints={"maxTaskRetryCount": 2})))
    assert task_defaults(check(*task()), its_job) == {
        "id": "t",
        "commandLine": "/bin/true",
        "userIdentity": ORDINARY,
        "constraints": {"maxWallClockTime": UNLIMITED, "retentionTime": "P7D", "maxTaskRetryCount": 2},
        "requiredSlots": 1,
    }
    own = task_defaults(check(*task(constraints={"maxTaskRetryCount": 0, "retentionTime": "PT1H"})), its_job)
    assert own["constraints"] == {
        "maxWallClockTime": UNLIMITED,
        "retentionTime": "PT1H",
        "maxTaskRetryCount": 0,
    }


def test_an_identity_is_completed_but_not_replaced() -> None:
    its_job = job_defaults(JOB)
    admin = task(userIdentity={"autoUser": {"elevationLevel": "admin"}})
    assert task_defaults(check(*admin), its_job)["userIdentity"] == {
        "autoUser": {"scope": "pool", "elevationLevel": "admin"}
    }
    named = task(userIdentity={"username": "u"})
    assert task_defaults(check(*named), its_job)["userIdentity"] == {"username": "u"}


def test_a_multi_instance_task_has_one_instance_by_default() -> None:
    several = task(multiInstanceSettings={"coordinationCommandLine": "x"})
    filled = task_defaults(check(*several), job_defaults(JOB))
    assert filled["multiInstanceSettings"]["numberOfInstances"] == 1


def test_the_job_specification_of_a_schedule_gets_the_defaults_of_a_job() -> None:
    body = {"id": "s", "schedule": {}, "jobSpecification": {"poolInfo": {"poolId": "p"}}}
    filled = schedule_defaults(check("BatchJobScheduleCreateOptions", body))
    assert filled["jobSpecification"] == {k: v for k, v in job_defaults(JOB).items() if k != "id"}
