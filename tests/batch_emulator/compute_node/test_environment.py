"""What a command finds in its environment."""

from dataclasses import replace

import pytest

from batch_emulator.compute_node.environment import (
    ComputeNode,
    RunIdentity,
    RunKind,
    service_variables,
    task_environment,
)

TASK = RunIdentity(kind=RunKind.TASK, job_id="Job", task_id="Task")
HOST = {
    "PATH": "/bin",
    "LANG": "C.UTF-8",
    "AZURE_BATCH_ACCESS_KEY": "secret",
    "PREFECT_API_KEY": "secret",
    "HOME": "/home/me",
}


def environment(
    node: ComputeNode, settings: dict[str, str], job: dict[str, str] | None = None
) -> dict[str, str]:
    return task_environment(
        node,
        TASK,
        job_settings=[{"name": name, "value": value} for name, value in (job or {}).items()],
        settings=[{"name": name, "value": value} for name, value in settings.items()],
        host=HOST,
    )


def test_a_task_knows_its_account_pool_node_job_and_directories(node: ComputeNode) -> None:
    root = str(node.directories.root)
    assert service_variables(node, TASK) == {
        "AZ_BATCH_ACCOUNT_NAME": "laptop",
        "AZ_BATCH_ACCOUNT_URL": "http://127.0.0.1:1",
        "AZ_BATCH_JOB_ID": "Job",
        "AZ_BATCH_NODE_ID": "tvmps_1_d",
        "AZ_BATCH_NODE_IS_DEDICATED": "true",
        "AZ_BATCH_NODE_MOUNTS_DIR": f"{root}/fsmounts",
        "AZ_BATCH_NODE_ROOT_DIR": root,
        "AZ_BATCH_NODE_SHARED_DIR": f"{root}/shared",
        "AZ_BATCH_NODE_STARTUP_DIR": f"{root}/startup",
        "AZ_BATCH_NODE_STARTUP_WORKING_DIR": f"{root}/startup/wd",
        "AZ_BATCH_POOL_ID": "pool",
        "AZ_BATCH_RESERVED_DISK_SPACE_BYTES": "1000000",
        "AZ_BATCH_TASK_DIR": f"{root}/workitems/Job/job-1/Task",
        "AZ_BATCH_TASK_ID": "Task",
        "AZ_BATCH_TASK_RESERVED_EPHEMERAL_DISK_SPACE_BYTES": "1000000",
        "AZ_BATCH_TASK_WORKING_DIR": f"{root}/workitems/Job/job-1/Task/wd",
    }


def test_a_start_task_has_no_job_and_no_task_id(node: ComputeNode) -> None:
    variables = service_variables(replace(node, dedicated=False), RunIdentity(kind=RunKind.START_TASK))
    assert "AZ_BATCH_JOB_ID" not in variables
    assert "AZ_BATCH_TASK_ID" not in variables
    assert variables["AZ_BATCH_NODE_IS_DEDICATED"] == "false"
    assert variables["AZ_BATCH_TASK_WORKING_DIR"] == f"{node.directories.root}/startup/wd"


@pytest.mark.parametrize("kind", [RunKind.TASK, RunKind.JOB_RELEASE])
def test_tasks_of_a_job_with_a_preparation_task_know_its_directory(node: ComputeNode, kind: RunKind) -> None:
    variables = service_variables(node, replace(TASK, kind=kind, preparation_id="jobpreparation"))
    prepared = f"{node.directories.root}/workitems/Job/job-1/jobpreparation"
    assert variables["AZ_BATCH_JOB_PREP_DIR"] == prepared
    assert variables["AZ_BATCH_JOB_PREP_WORKING_DIR"] == f"{prepared}/wd"


def test_the_preparation_task_itself_does_not(node: ComputeNode) -> None:
    run = RunIdentity(
        kind=RunKind.JOB_PREPARATION, job_id="Job", task_id="jobpreparation", preparation_id="jobpreparation"
    )
    assert "AZ_BATCH_JOB_PREP_DIR" not in service_variables(node, run)


def test_a_task_without_ids_is_refused(node: ComputeNode) -> None:
    with pytest.raises(ValueError, match="job preparation task needs a job id"):
        service_variables(node, RunIdentity(kind=RunKind.JOB_PREPARATION))


def test_of_the_emulators_own_environment_only_path_and_language_go_through(node: ComputeNode) -> None:
    found = environment(node, {})
    ours = {name: value for name, value in found.items() if not name.startswith("AZ_BATCH_")}
    assert set(ours) == {"PATH", "LANG", "HOME", "USER", "LOGNAME"}
    assert ours["PATH"] == "/bin"
    assert ours["HOME"] == str(node.directories.home)
    assert "secret" not in found.values()


def test_a_tasks_setting_wins_over_its_jobs(node: ComputeNode) -> None:
    found = environment(node, {"A": "task"}, job={"A": "job", "B": "job"})
    assert (found["A"], found["B"]) == ("task", "job")


def test_a_setting_without_value_is_empty(node: ComputeNode) -> None:
    assert task_environment(node, TASK, settings=[{"name": "A"}], host=HOST)["A"] == ""


def test_settings_are_expanded_also_through_each_other(node: ComputeNode) -> None:
    found = environment(node, {"A": "$B/x", "B": "${AZ_BATCH_JOB_ID}-$C"}, job={"C": "c"})
    assert found["A"] == "Job-c/x"


def test_a_setting_may_extend_the_value_below_it(node: ComputeNode) -> None:
    found = environment(node, {"PATH": "/task:$PATH"}, job={"PATH": "$PATH:/job"})
    assert found["PATH"] == "/task:/bin:/job"


def test_a_loop_and_an_unknown_name_stay_as_written(node: ComputeNode) -> None:
    found = environment(node, {"A": "a$B", "B": "b$A", "C": "$C", "D": "$NOBODY ${X", "E": "100 $ 5$"})
    assert (found["A"], found["B"], found["C"]) == ("ab$A", "ba$B", "$C")
    assert (found["D"], found["E"]) == ("$NOBODY ${X", "100 $ 5$")


def test_what_the_host_or_the_service_says_is_not_expanded_again(node: ComputeNode) -> None:
    host = {"PATH": "/odd/$A"}
    found = task_environment(node, TASK, settings=[{"name": "A", "value": "$PATH"}], host=host)
    assert found["A"] == "/odd/$A"


def test_the_services_variables_cannot_be_replaced(node: ComputeNode) -> None:
    assert environment(node, {"AZ_BATCH_JOB_ID": "other"})["AZ_BATCH_JOB_ID"] == "Job"


@pytest.mark.parametrize("name", ["", "A=B", "A\0"])
def test_a_name_that_no_process_can_have_is_refused(node: ComputeNode, name: str) -> None:
    with pytest.raises(ValueError, match="environment setting"):
        environment(node, {name: "x"})


def test_settings_that_double_each_other_end_in_an_error_and_not_in_a_hang(node: ComputeNode) -> None:
    settings = {f"V{n}": f"$V{n + 1}$V{n + 1}" for n in range(60)} | {"V60": ""}
    with pytest.raises(ValueError, match="too many variables"):
        environment(node, settings)
