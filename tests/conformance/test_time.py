"""Time that a test moves, or that runs fast; the delays of the service; work that is only simulated."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.batch import BatchClient, models

from flows.local_stack.emulator import BatchAccount
from tests.conformance import scene
from tests.conformance.conftest import Batch
from tests.conformance.own_emulator import Control, running
from tests.signing import credential_for

PROFILE = {"seconds": 5, "commands": [{"match": "flaky*", "seconds": [1, 9], "exit_codes": {"0": 1, "7": 1}}]}
HOUR = 3600.0


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BatchAccount]:
    profile = tmp_path_factory.mktemp("work") / "profile.json"
    profile.write_text(json.dumps(PROFILE))
    with running(
        "--time", "stepped", "--delays", "azure", "--simulate", str(profile), "--seed", "7"
    ) as account:
        yield account


@pytest.fixture
def control(emulator: BatchAccount) -> Iterator[Control]:
    control = Control(emulator.endpoint)
    yield control
    control.clean()


def states(batch: Batch) -> list[str]:
    return [node.state for node in batch.list_nodes("p")]


def ready(batch: Batch, control: Control, **more: Any) -> None:
    batch.create_pool(scene.pool_options("p", **more))
    control.advance(100)
    batch.create_job({"id": "j", "poolInfo": {"poolId": "p"}})


def test_a_pool_comes_up_as_it_was_recorded_while_time_is_moved(batch: Batch, control: Control) -> None:
    batch.create_pool(scene.pool_options("p"))
    control.advance(51)
    assert (batch.get_pool("p").allocation_state, states(batch)) == ("resizing", [])
    control.advance(1)
    assert (batch.get_pool("p").allocation_state, states(batch)) == ("steady", ["creating"])
    control.advance(10.5)
    assert states(batch) == ["starting"]
    control.advance(9)
    assert states(batch) == ["idle"]


def test_time_stands_still_until_it_is_moved(batch: Batch, control: Control) -> None:
    one, other = (control.ask("GET", "clock").json() for _ in range(2))
    assert one == other
    assert one["stepped"] is True
    assert control.ask("POST", "clock", {"advance": -1}).status_code == 400
    assert control.ask("POST", "clock", {"forward": 1}).status_code == 400


def test_a_simulated_task_takes_its_time_and_exits_as_its_command_line_says(
    batch: Batch, control: Control
) -> None:
    ready(batch, control)
    batch.create_task("j", models.BatchTaskCreateOptions(id="t", command_line="simulate 30s exit 3"))
    control.advance(1.9)
    assert batch.get_task("j", "t").state == "active"
    control.advance(0.1)
    assert batch.get_task("j", "t").state == "running"
    control.advance(30.4)
    assert batch.get_task("j", "t").state == "running"
    control.advance(0.2)
    task = batch.get_task("j", "t")
    assert (task.state, task.execution_info.exit_code) == ("completed", 3)
    lasted = task.execution_info.end_time - task.execution_info.start_time
    assert lasted.total_seconds() == pytest.approx(30.5)


def test_a_setting_can_say_it_as_well_and_a_profile_says_the_rest(batch: Batch, control: Control) -> None:
    ready(batch, control, target_dedicated_nodes=4)
    setting = models.EnvironmentSetting(name="SIMULATE", value="exit 4")
    batch.create_task(
        "j", models.BatchTaskCreateOptions(id="a", command_line="x", environment_settings=[setting])
    )
    batch.create_task("j", models.BatchTaskCreateOptions(id="b", command_line="x"))
    control.advance(2 + 0.6)
    assert batch.get_task("j", "a").execution_info.exit_code == 4
    assert batch.get_task("j", "b").state == "running"
    control.advance(5)
    assert batch.get_task("j", "b").execution_info.exit_code == 0


def test_a_simulated_task_can_be_terminated_and_runs_out_of_its_time(batch: Batch, control: Control) -> None:
    ready(batch, control, target_dedicated_nodes=2)
    limit = models.BatchTaskConstraints(max_wall_clock_time=dt.timedelta(seconds=10))
    for name, constraints in (("ended", None), ("late", limit)):
        options = {"id": name, "command_line": "simulate 1h", "constraints": constraints}
        batch.create_task("j", models.BatchTaskCreateOptions(**options))  # type: ignore[arg-type]
    control.advance(5)
    batch.terminate_task("j", "ended")
    control.advance(10)
    for name in ("ended", "late"):
        info = batch.get_task("j", name).execution_info
        assert (info.result, info.failure_info.code) == ("failure", "TaskEnded")


def test_faults_of_runs_strike_simulated_ones_too(batch: Batch, control: Control) -> None:
    control.fault("start_task_exit", exit_code=2, next=1)
    control.fault("task_killed", task="killed", after=3)
    control.fault("disk_full", task="full")
    start_task = models.BatchStartTask(command_line="simulate 1s", wait_for_success=True)
    ready(batch, control, target_dedicated_nodes=3, start_task=start_task)
    assert sorted(states(batch)) == ["idle", "idle", "starttaskfailed"]
    for name in ("killed", "full"):
        batch.create_task("j", models.BatchTaskCreateOptions(id=name, command_line="simulate 1h"))
    control.advance(2 + 0.5 + 3.1)
    assert batch.get_task("j", "killed").execution_info.exit_code == 137
    assert batch.get_task("j", "full").execution_info.failure_info.code == "DiskFull"


def test_simulated_nodes_have_no_files(batch: Batch, control: Control) -> None:
    from azure.core.exceptions import ResourceExistsError

    ready(batch, control)
    batch.create_task("j", models.BatchTaskCreateOptions(id="t", command_line="simulate"))
    control.advance(5)
    with pytest.raises(ResourceExistsError, match="TaskFilesUnavailable"):
        batch.list_task_files("j", "t")


def story(seed: str, tmp_path: Path) -> list[Any]:
    """What happened in a run that draws its tasks and loses Spot nodes, but for the times of day."""
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps(PROFILE))
    with running(
        "--time", "stepped", "--delays", "azure", "--simulate", str(profile), "--seed", seed
    ) as account:
        control = Control(account.endpoint)
        control.fault("preempt", at=130, again=20, probability=0.5, restore=30)
        control.fault("task_exit", probability=0.2, exit_code=1)
        credential = credential_for(account.name, account.key)
        with BatchClient(account.endpoint, credential) as client:
            client.create_pool(scene.pool_options("p", target_dedicated_nodes=1, target_low_priority_nodes=3))
            client.create_job({"id": "j", "poolInfo": {"poolId": "p"}})  # type: ignore[arg-type]
            for number in range(30):
                client.create_task("j", models.BatchTaskCreateOptions(id=f"t{number}", command_line="flaky"))
            control.advance(HOUR)
            assert client.get_job_task_counts("j").task_counts.completed == 30
        return [without_times(event) for event in control.events()]


def without_times(event: dict[str, Any]) -> Any:
    text = json.dumps(event)
    for moment in {part for part in text.split('"') if part[:2] == "20" and part.endswith("Z")}:
        text = text.replace(moment, "...")
    return json.loads(text)


def test_the_same_seed_gives_the_same_events_and_another_one_others(tmp_path: Path) -> None:
    one = story("1", tmp_path)
    assert one == story("1", tmp_path)
    assert one != story("2", tmp_path)
    assert any(event["name"] == "PreemptNode" for event in one)


def test_fast_time_takes_an_hour_in_a_second_and_signatures_stay_good() -> None:
    with running("--time-scale", "3600", "--delays", "azure", "--simulate") as account:
        credential = credential_for(account.name, account.key)
        with BatchClient(account.endpoint, credential) as client:
            client.create_pool(scene.pool_options("p"))
            client.create_job({"id": "j", "poolInfo": {"poolId": "p"}})  # type: ignore[arg-type]
            options = models.BatchTaskCreateOptions(id="t", command_line="simulate 40m")
            client.create_task("j", options)
            scene.wait_for(lambda: client.get_task("j", "t").state == "completed")
            info = client.get_task("j", "t").execution_info
            assert info is not None
            assert info.start_time is not None
            assert info.end_time is not None
            assert (info.end_time - info.start_time).total_seconds() >= 40 * 60
