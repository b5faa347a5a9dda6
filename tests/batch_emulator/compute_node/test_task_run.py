"""One attempt, from the empty directory to the last output, and its end at any moment."""

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from batch_emulator.compute_node.directories import RunDirectories
from batch_emulator.compute_node.environment import ComputeNode, RunIdentity, RunKind
from batch_emulator.compute_node.processes import Launcher
from batch_emulator.compute_node.task_run import CommandRun, Services, run_command
from batch_emulator.compute_node.transfers import BlobClient, Transfers
from batch_emulator.outcomes import Outcome

from .conftest import Container
from .servers import serving, silent, until

TASK = RunIdentity(kind=RunKind.TASK, job_id="job", task_id="task")


def with_services(test: Callable[[Services], Awaitable[Outcome]]) -> Outcome:
    async def run() -> Outcome:
        async with Launcher() as launcher, BlobClient() as client:
            ticks = itertools.count(100)
            return await test(Services(launcher, Transfers(client, (0,)), lambda: float(next(ticks))))

    return asyncio.run(run())


def run(node: ComputeNode, command_line: str, identity: RunIdentity = TASK, **rest: Any) -> Outcome:
    command = CommandRun(node=node, identity=identity, command_line=command_line, **rest)
    return with_services(lambda services: run_command(command, services, asyncio.Event()))


def directories(node: ComputeNode) -> RunDirectories:
    return node.directories.task("job", "task")


def code(outcome: Outcome) -> str | None:
    return outcome.failure.code if outcome.failure else None


def output(
    container: Container, pattern: str, condition: str = "taskcompletion", sas: str = "w"
) -> dict[str, Any]:
    return {
        "filePattern": pattern,
        "destination": {"container": {"containerUrl": container.with_sas(sas)}},
        "uploadOptions": {"uploadCondition": condition},
    }


def test_a_command_that_succeeds_has_no_failure(node: ComputeNode) -> None:
    outcome = run(node, "/bin/sh -c 'pwd; echo $AZ_BATCH_TASK_ID $A'", settings=[{"name": "A", "value": "1"}])
    assert outcome == Outcome(started=100.0, ended=101.0, exit_code=0, failure=None)
    assert directories(node).stdout.read_text() == f"{directories(node).working}\ntask 1\n"
    assert directories(node).stderr.read_text() == ""


def test_a_command_that_fails_has_the_recorded_failure(node: ComputeNode) -> None:
    outcome = run(node, "sh -c 'exit 3'")
    assert outcome.exit_code == 3
    assert outcome.failure is not None
    assert (outcome.failure.category, outcome.failure.code) == ("UserError", "FailureExitCode")
    assert outcome.failure.details[1] == ("AdditionalErrorCode", "FailureExitCode")


def test_a_start_task_runs_in_its_own_directory(node: ComputeNode) -> None:
    outcome = run(
        node, "sh -c 'echo > $AZ_BATCH_NODE_STARTUP_WORKING_DIR/x'", RunIdentity(kind=RunKind.START_TASK)
    )
    assert outcome.exit_code == 0
    assert (node.directories.start_task.working / "x").exists()


def test_a_second_attempt_begins_with_an_empty_directory(node: ComputeNode) -> None:
    assert run(node, "sh -c 'echo > left; exit 1'").exit_code == 1
    assert run(node, "sh -c 'ls | grep left'").exit_code == 1


@pytest.mark.parametrize(
    ("command_line", "expected"),
    [
        ("no-such-program", "CommandProgramNotFound"),
        ("/etc/hostname", "CommandLaunchFailed"),
        ("sh -c 'open", "CommandLaunchFailed"),
        ("", "CommandLaunchFailed"),
    ],
)
def test_what_cannot_be_started_has_no_exit_code(node: ComputeNode, command_line: str, expected: str) -> None:
    outcome = run(node, command_line)
    assert (outcome.exit_code, code(outcome)) == (None, expected)


def test_a_setting_that_no_process_can_have_is_a_failed_launch(node: ComputeNode) -> None:
    assert code(run(node, "true", settings=[{"name": "A=B", "value": ""}])) == "CommandLaunchFailed"


def test_a_missing_input_ends_the_run_before_the_process(node: ComputeNode, container: Container) -> None:
    url, _, sas = container.with_sas("r").partition("?")
    outcome = run(node, "true", resource_files=[{"httpUrl": f"{url}/nothing?{sas}", "filePath": "x"}])
    assert (outcome.exit_code, code(outcome)) == (None, "BlobNotFound")
    assert not directories(node).stdout.exists()


def test_a_directory_that_cannot_be_made_is_told(node: ComputeNode) -> None:
    (node.directories.root / "workitems" / "job").touch()
    assert code(run(node, "true")) == "ResourceDirectoryCreateFailed"


def test_inputs_come_and_outputs_go(node: ComputeNode, container: Container) -> None:
    container.put("script.sh", b"#!/bin/sh\necho made > made.txt\n")
    outcome = run(
        node,
        "./script.sh",
        resource_files=[{"storageContainerUrl": container.with_sas("rl")}],
        output_files=[output(container, "*.txt"), output(container, "../std*.txt")],
    )
    assert (outcome.exit_code, outcome.failure) == (0, None)
    assert container.get("made.txt") == b"made\n"
    assert {"stdout.txt", "stderr.txt"} <= container.names()


def test_outputs_of_a_failed_command_are_stored_by_their_condition(
    node: ComputeNode, container: Container
) -> None:
    outputs = [output(container, "a", "taskfailure"), output(container, "b", "tasksuccess")]
    outcome = run(node, "sh -c 'touch a b; exit 2'", output_files=outputs)
    assert (outcome.exit_code, code(outcome)) == (2, "FailureExitCode")
    assert container.names() == {"a"}


@pytest.mark.parametrize(("exit_code", "expected"), [(0, "FileUploadAccessDenied"), (4, "FailureExitCode")])
def test_a_failed_upload_keeps_the_exit_code(
    node: ComputeNode, container: Container, exit_code: int, expected: str
) -> None:
    outcome = run(node, f"sh -c 'touch a; exit {exit_code}'", output_files=[output(container, "a", sas="r")])
    assert (outcome.exit_code, code(outcome)) == (exit_code, expected)
    assert "FileUploadAccessDenied" in directories(node).upload_err.read_text()


def ended_when(node: ComputeNode, ready: Callable[[], bool], command_line: str, **rest: Any) -> Outcome:
    """Start a run and end it as soon as `ready`."""

    async def test(services: Services) -> Outcome:
        end = asyncio.Event()
        command = CommandRun(node=node, identity=TASK, command_line=command_line, **rest)
        outcome = asyncio.ensure_future(run_command(command, services, end))
        await until(ready)
        end.set()
        return await outcome

    return with_services(test)


def said(node: ComputeNode) -> str:
    file = directories(node).stdout
    return file.read_text() if file.exists() else ""


def test_a_running_command_can_be_ended(node: ComputeNode) -> None:
    outcome = ended_when(node, lambda: said(node).endswith("\n"), "sh -c 'echo $$; sleep 1000; true'")
    assert (outcome.exit_code, code(outcome)) == (143, "TaskEnded")
    with pytest.raises(ProcessLookupError):
        os.kill(int(said(node)), 0)


def test_a_command_that_will_not_end_is_killed(node: ComputeNode) -> None:
    command_line = "sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done'"
    outcome = ended_when(node, lambda: said(node).endswith("\n"), command_line, kill_grace=0.05)
    assert (outcome.exit_code, code(outcome)) == (137, "TaskEnded")


@pytest.mark.parametrize("phase", ["download", "upload"])
def test_a_run_can_be_ended_while_it_transfers(node: ComputeNode, phase: str) -> None:
    async def test(services: Services) -> Outcome:
        asked = asyncio.Event()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.set()
            await silent(reader, writer)

        async with serving(handler) as url:
            destination = {"container": {"containerUrl": url}}
            command = CommandRun(
                node=node,
                identity=TASK,
                command_line="touch a",
                resource_files=[{"httpUrl": url, "filePath": "x"}] if phase == "download" else [],
                output_files=[{"filePattern": "a", "destination": destination}],
            )
            end = asyncio.Event()
            outcome = asyncio.ensure_future(run_command(command, services, end))
            await asked.wait()
            end.set()
            return await outcome

    outcome = with_services(test)
    assert (outcome.exit_code, code(outcome)) == (None if phase == "download" else 0, "TaskEnded")


def test_a_run_that_is_cancelled_leaves_no_process(node: ComputeNode) -> None:
    async def test(services: Services) -> Outcome:
        command = CommandRun(node=node, identity=TASK, command_line="sh -c 'echo $$; sleep 1000; true'")
        outcome = asyncio.ensure_future(run_command(command, services, asyncio.Event()))
        await until(lambda: said(node).endswith("\n"))
        outcome.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outcome
        with pytest.raises(ProcessLookupError):
            os.kill(int(said(node)), 0)
        return Outcome(0, 0, None)

    with_services(test)


def test_a_run_that_was_ended_before_it_began_starts_nothing(node: ComputeNode) -> None:
    async def test(services: Services) -> Outcome:
        end = asyncio.Event()
        end.set()
        return await run_command(CommandRun(node=node, identity=TASK, command_line="true"), services, end)

    assert code(with_services(test)) == "TaskEnded"
    assert not directories(node).task.exists()
