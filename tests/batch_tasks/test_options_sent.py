"""What Batch is asked for, to the letter."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.batch.models import BatchPoolInfo

from batch_tasks.create_job import job_options
from batch_tasks.inputs import InputFile
from batch_tasks.naming import RunNames
from batch_tasks.options import PoolOptions
from batch_tasks.plan import RunPlan, plan_tasks, run_files_setting
from batch_tasks.pools.scaling import nodes_wanted
from batch_tasks.pools.specification import pool_options
from batch_tasks.task_options import Identity, NodeUrls, task_options
from batch_tasks.templates import shell_command
from batch_tasks.workload import StartTask, Workload
from tests.tokens import IDENTITY

RUN = "top-n-words-12345678123456781234567812345678"
METADATA = [
    {"name": "owner", "value": "prefect-azure-batch"},
    {"name": "flow_run_id", "value": "12345678-1234-5678-1234-567812345678"},
    {"name": "created", "value": "2026-11-21T12:00:00Z"},
    {"name": "expires", "value": "2026-11-22T12:00:00Z"},
]
FORMULA = """startup = time("2026-11-21T12:30:00Z");
deadline = time("2026-11-22T12:00:00Z");
dedicated = 2;
spot = 1;
slots = 2;
most = dedicated + spot;
sampled = $PendingTasks.GetSamplePercent(10 * TimeInterval_Minute);
pending = sampled < 70 ? most * slots : max($PendingTasks.GetSample(10 * TimeInterval_Minute));
needed = pending > 0 ? (pending + slots - 1) / slots : 0;
alive = time() < startup ? most : needed;
wanted = time() < deadline ? alive : 0;
$TargetDedicatedNodes = min(dedicated, wanted);
$TargetLowPriorityNodes = max(0, min(spot, wanted - dedicated));
$NodeDeallocationOption = taskcompletion;"""


def plan(*keys: str, files_per_task: int = 1, **workload: Any) -> RunPlan:
    created = datetime(2026, 11, 21, 12, tzinfo=UTC)
    chosen = Workload(
        **{
            "name": "top-n-words",
            "command": "count {input} > {output}",
            "outputs": ("{stem}.out",),
            "node_files": (Path("/scripts/count.py"),),
            **workload,
        }
    )
    inputs = [InputFile(f"/in/{key}", key, 1) for key in keys]
    return RunPlan(
        RunNames.of(chosen.name, "12345678-1234-5678-1234-567812345678"),
        chosen,
        plan_tasks(chosen, inputs, files_per_task),
        created,
        created + timedelta(hours=24),
    )


def test_a_pool_scales_itself_from_the_start_and_says_whose_it_is() -> None:
    options = PoolOptions(dedicated_nodes=2, spot_nodes=1, task_slots_per_node=2)
    assert pool_options(plan(*(f"{number}" for number in range(20))), options).as_dict() == {
        "id": RUN,
        "vmSize": "standard_d2s_v5",
        "virtualMachineConfiguration": {
            "imageReference": {
                "publisher": "canonical",
                "offer": "ubuntu-24_04-lts",
                "sku": "server",
                "version": "latest",
            },
            "nodeAgentSKUId": "batch.node.ubuntu 24.04",
        },
        "enableAutoScale": True,
        "autoScaleFormula": FORMULA,
        "autoScaleEvaluationInterval": "PT05M00S",
        "taskSlotsPerNode": 2,
        "metadata": METADATA,
    }


def test_a_start_task_runs_as_a_pool_wide_user_of_the_level_asked_for() -> None:
    prepared = plan("a", start_task=StartTask("apt-get install -y 'x y'", elevated=True, retries=1))
    assert pool_options(prepared, PoolOptions()).as_dict()["startTask"] == {
        "commandLine": "/bin/sh -c 'apt-get install -y '\"'\"'x y'\"'\"''",
        "userIdentity": {"autoUser": {"scope": "pool", "elevationLevel": "admin"}},
        "maxTaskRetryCount": 1,
        "waitForSuccess": True,
    }


def test_shell_commands_survive_the_splitting() -> None:
    import shlex

    line = """echo 'a b' "$HOME" `id` \\ end"""
    assert shlex.split(shell_command(line)) == ["/bin/sh", "-c", line]


@pytest.mark.parametrize(
    ("tasks", "dedicated", "spot", "slots", "wanted"),
    [
        (1, 2, 0, 1, (1, 0)),
        (100, 2, 0, 1, (2, 0)),
        (100, 2, 5, 1, (2, 5)),
        (5, 2, 5, 2, (2, 1)),
        (100, 0, 5, 4, (0, 5)),
        (0, 2, 0, 1, (1, 0)),
    ],
)
def test_no_more_nodes_are_asked_for_than_the_tasks_fill(
    tasks: int, dedicated: int, spot: int, slots: int, wanted: tuple[int, int]
) -> None:
    pool = PoolOptions(dedicated_nodes=dedicated, spot_nodes=spot, task_slots_per_node=slots)
    assert nodes_wanted(tasks, pool) == wanted


def test_a_pool_without_any_node_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing could run"):
        PoolOptions(dedicated_nodes=0, spot_nodes=0)


def test_a_job_is_bounded_in_time_and_does_not_end_while_it_is_empty() -> None:
    chosen = plan("a")
    now = chosen.created + timedelta(hours=1)
    assert job_options(chosen, BatchPoolInfo(pool_id=RUN), now).as_dict() == {
        "id": RUN,
        "poolInfo": {"poolId": RUN},
        "constraints": {"maxWallClockTime": "PT23H00M00S"},
        "onAllTasksComplete": "noaction",
        "usesTaskDependencies": False,
        "metadata": METADATA,
    }


URLS = NodeUrls(
    read=lambda blob: f"https://in/{blob}?read",
    stored=lambda url: f"{url}?signed",
    read_outputs="https://out?list",
    write_outputs="https://out?write",
)


def _task(chosen: RunPlan, number: int = 0) -> dict[str, Any]:
    options = task_options(chosen.tasks[number], chosen.workload, URLS)
    document: dict[str, Any] = options.as_dict()
    return document


def _upload(pattern: str, path: str, condition: str) -> dict[str, Any]:
    return {
        "filePattern": pattern,
        "destination": {"container": {"path": path, "containerUrl": "https://out?write"}},
        "uploadOptions": {"uploadCondition": condition},
    }


def test_a_task_names_no_file_on_its_command_line() -> None:
    chosen = plan("deep/it's.txt", environment={"LANG": "C.UTF-8"}, retries=2, file_minutes=90)
    task_id = chosen.tasks[0].task_id
    assert _task(chosen) == {
        "id": task_id,
        "commandLine": "python3 -I -S run_files.py",
        "resourceFiles": [
            {"httpUrl": "https://in/node/run_files.py?read", "filePath": "run_files.py"},
            {"httpUrl": "https://in/node/count.py?read", "filePath": "count.py"},
            {"httpUrl": "https://in/inputs/deep/it's.txt?read", "filePath": "inputs/0"},
        ],
        "outputFiles": [
            _upload("outputs/0-0", "outputs/deep/it's.out", "tasksuccess"),
            _upload("result.json", f"results/{task_id}.json", "taskcompletion"),
            _upload("../std*.txt", f"logs/{task_id}", "taskfailure"),
        ],
        "environmentSettings": [
            {"name": "RUN_FILES", "value": run_files_setting(chosen.tasks[0], chosen.workload)},
        ],
        "constraints": {
            "maxWallClockTime": "PT01H40M00S",
            "retentionTime": "PT01H00M00S",
            "maxTaskRetryCount": 2,
        },
    }


def test_a_task_whose_nodes_have_an_identity_names_it_and_is_signed_nowhere() -> None:
    chosen = plan("a.txt", container_image="mine.azurecr.io/count:1")
    own, identity = "https://s.blob.core.windows.net", {"resourceId": IDENTITY}
    urls = NodeUrls(
        read=lambda blob: f"{own}/in/{blob}",
        stored=str,
        read_outputs=f"{own}/out",
        write_outputs=f"{own}/out",
        identity=Identity(IDENTITY, own),
    )
    task = task_options(chosen.tasks[0], chosen.workload, urls).as_dict()
    assert task["resourceFiles"] == [
        {"httpUrl": f"{own}/in/{blob}", "filePath": path, "identityReference": identity}
        for blob, path in (
            ("node/run_files.py", "run_files.py"),
            ("node/count.py", "count.py"),
            ("inputs/a.txt", "inputs/0"),
        )
    ]
    destinations = [file["destination"]["container"] for file in task["outputFiles"]]
    assert [one["containerUrl"] for one in destinations] == [f"{own}/out"] * 3
    assert [one["identityReference"] for one in destinations] == [identity] * 3
    registry = {"registryServer": "mine.azurecr.io", "identityReference": identity}
    assert task["containerSettings"]["registry"] == registry


def test_a_task_of_several_files_uploads_what_it_has_when_one_fails() -> None:
    task = _task(plan("a.txt", "b.txt", files_per_task=2, outputs=("{stem}.out", "*.gz")))
    assert task["outputFiles"][:4] == [
        _upload("outputs/0-0", "outputs/a.out", "taskcompletion"),
        _upload("outputs/0-1/**/*", "outputs/a.txt.outputs", "taskcompletion"),
        _upload("outputs/1-0", "outputs/b.out", "taskcompletion"),
        _upload("outputs/1-1/**/*", "outputs/b.txt.outputs", "taskcompletion"),
    ]
    assert task["constraints"]["maxWallClockTime"] == "PT02H10M00S"
