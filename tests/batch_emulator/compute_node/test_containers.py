"""Commands in containers, by a stand-in for docker that runs them here and writes down its orders."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from batch_emulator.compute_node.environment import ComputeNode
from batch_emulator.compute_node.task_run import CommandRun, run_command
from batch_emulator.outcomes import ContainerRun, Outcome
from tests.batch_emulator.compute_node.servers import until
from tests.batch_emulator.compute_node.test_task_run import TASK, code, directories, run, with_services

POOL = {"type": "dockerCompatible"}
STAND_IN = """#!/bin/sh
here={here}
for word in "$@"; do printf '%s\\n' "$word"; done >> $here/$1
if [ "$1" = rm ]; then exit 0; fi
/usr/bin/env > $here/env
[ -n "$DOCKER_CONFIG" ] && /bin/cp "$DOCKER_CONFIG/config.json" $here/config.json
while [ $# -gt 0 ]; do
    case "$1" in
        --cidfile) file=$2; shift 2 ;;
        image) printf abc123 > "$file"; shift; exec "$@" ;;
        *) shift ;;
    esac
done
echo 'no such image' >&2
exit 125
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which the stand-in writes down what it was asked."""
    folder = tmp_path / "engine"
    folder.mkdir()
    program = folder / "docker"
    program.write_text(STAND_IN.replace("{here}", str(folder)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    return folder


def orders(engine: Path, command: str = "run") -> list[str]:
    return (engine / command).read_text().splitlines()


def after(words: list[str], option: str) -> list[str]:
    return [words[place + 1] for place, word in enumerate(words) if word == option]


def in_container(node: ComputeNode, command: str, container: dict[str, Any], **rest: Any) -> Outcome:
    rest.setdefault("pool_containers", POOL)
    return run(node, command, container=container, **rest)


def test_a_command_runs_in_its_container_with_the_nodes_files_and_variables(
    engine: Path, node: ComputeNode
) -> None:
    settings = [{"name": "WORD", "value": "from the task"}, {"name": "HOME", "value": "/home/me"}]
    outcome = in_container(node, "/bin/sh -c 'echo $WORD; exit 3'", {"imageName": "image"}, settings=settings)
    assert (code(outcome), outcome.exit_code) == ("FailureExitCode", 3)
    assert outcome.container == ContainerRun("abc123", "exited")
    assert directories(node).stdout.read_text() == "from the task\n"
    words = orders(engine)
    root = str(node.directories.root)
    assert after(words, "--volume") == [f"{root}:{root}"]
    assert after(words, "--workdir") == [str(directories(node).working)]
    passed = after(words, "--env")
    assert {"WORD", "HOME=/home/me", "AZ_BATCH_TASK_ID"} <= set(passed)
    assert "PATH" not in passed
    assert "from the task" not in "\n".join(words), "values do not stand in the list of processes"
    assert words[words.index("image") + 1 :] == ["/bin/sh", "-c", "echo $WORD; exit 3"]


def test_options_mounts_and_working_directory_are_the_tasks_to_choose(
    engine: Path, node: ComputeNode
) -> None:
    settings = {
        "imageName": "image",
        "containerRunOptions": "--memory 1g --label 'a b'",
        "workingDirectory": "containerImageDefault",
        "containerHostBatchBindMounts": [{"source": "Shared", "isReadOnly": True}, {"source": "Task"}],
    }
    assert in_container(node, "/bin/true", settings).failure is None
    words = orders(engine)
    shared, task = node.directories.shared, directories(node).task
    assert after(words, "--volume") == [f"{shared}:{shared}:ro", f"{task}:{task}"]
    assert after(words, "--label") == ["a b"]
    assert "--workdir" not in words


def test_a_login_is_given_in_a_file_that_is_gone_afterwards(engine: Path, node: ComputeNode) -> None:
    registry = {"username": "me", "password": "hidden-word", "registryServer": "registry.example"}
    pool = {**POOL, "containerRegistries": [registry]}
    assert in_container(node, "/bin/true", {"imageName": "image"}, pool_containers=pool).failure is None
    assert json.loads((engine / "config.json").read_text()) == {
        "auths": {"registry.example": {"auth": "bWU6aGlkZGVuLXdvcmQ="}}
    }
    assert "hidden-word" not in "\n".join(orders(engine))
    variables = dict(line.split("=", 1) for line in (engine / "env").read_text().splitlines() if "=" in line)
    assert not Path(variables["DOCKER_CONFIG"]).exists()


def test_what_the_engine_cannot_run_fails_without_an_exit_code(engine: Path, node: ComputeNode) -> None:
    outcome = in_container(node, "/bin/true", {"imageName": "other"})
    assert (code(outcome), outcome.exit_code, outcome.container) == ("ContainerMiscError", None, None)
    assert directories(node).stderr.read_text() == "no such image\n"


def test_a_command_that_exits_as_engines_do_has_its_own_exit_code(engine: Path, node: ComputeNode) -> None:
    outcome = in_container(node, "/bin/sh -c 'exit 125'", {"imageName": "image"})
    assert (code(outcome), outcome.exit_code) == ("FailureExitCode", 125)


def test_a_container_is_ended_with_its_command(engine: Path, node: ComputeNode) -> None:
    async def end_it(services: Any) -> Outcome:
        end = asyncio.Event()
        command = CommandRun(
            node=node,
            identity=TASK,
            command_line="/bin/sleep 60",
            container={"imageName": "image"},
            pool_containers=POOL,
            kill_grace=0,
        )
        running = asyncio.ensure_future(run_command(command, services, end))
        await until((engine / "env").exists)
        end.set()
        return await running

    outcome = with_services(end_it)
    assert code(outcome) == "TaskEnded"
    assert orders(engine, "rm") == ["rm", "--force", after(orders(engine), "--name")[0]]


@pytest.mark.parametrize(
    ("settings", "pool", "expected"),
    [
        ({"imageName": "image"}, None, "ContainerPoolNotSupported"),
        ({"imageName": "image", "containerRunOptions": "'"}, POOL, "ContainerInvalidSettings"),
        (
            {"imageName": "image", "registry": {"identityReference": {"resourceId": "/x"}}},
            POOL,
            "ContainerInvalidRegistry",
        ),
    ],
)
def test_a_container_that_cannot_be_is_never_left_out(
    engine: Path, node: ComputeNode, settings: dict[str, Any], pool: dict[str, Any] | None, expected: str
) -> None:
    outcome = in_container(node, "/bin/sh -c 'touch ran'", settings, pool_containers=pool)
    assert (code(outcome), outcome.exit_code) == (expected, None)
    assert not (directories(node).working / "ran").exists()


def test_without_an_engine_a_container_fails(
    node: ComputeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = in_container(node, "/bin/sh -c 'touch ran'", {"imageName": "image"})
    assert (code(outcome), outcome.exit_code) == ("ContainerMiscError", None)
    assert not (directories(node).working / "ran").exists()
