"""Processes are started, ended with all they started, and never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from batch_emulator.compute_node.processes import Launcher, LaunchFailed, Running

from .servers import until

LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell who adopted whom")


class Bench:
    """Starts commands in one directory."""

    def __init__(self, launcher: Launcher, directory: Path) -> None:
        self.launcher = launcher
        self.directory = directory
        self.wd = directory / "wd"
        self.wd.mkdir()

    async def start(self, *argv: str, **environment: str) -> Running:
        env = {"PATH": os.environ["PATH"], "AZ_BATCH_TASK_WORKING_DIR": str(self.wd), **environment}
        return await self.launcher.start(
            argv, env=env, cwd=self.wd, stdout=self.directory / "stdout", stderr=self.directory / "stderr"
        )

    async def run(self, *argv: str, **environment: str) -> int:
        return await (await self.start(*argv, **environment)).wait()

    @property
    def stdout(self) -> str:
        return (self.directory / "stdout").read_text()

    async def told(self, name: str) -> int:
        """The number in a file that a process is to write, once it is there."""
        file = self.wd / name
        await until(lambda: file.exists() and file.read_text().endswith("\n"))
        return int(file.read_text())


def on_bench(directory: Path, test: Callable[[Bench], Awaitable[None]]) -> None:
    async def run() -> None:
        async with Launcher() as launcher:
            await test(Bench(launcher, directory))

    asyncio.run(run())


def exists(pid: int) -> bool:
    """Whether there is such a process, also as a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def gone(*pids: int) -> None:
    await until(lambda: not any(exists(pid) for pid in pids))


def test_a_process_has_its_own_output_directory_and_environment_and_no_input(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        code = await bench.run("sh", "-c", 'echo "$A"; pwd; cat; env; echo wrong >&2; exit 3', A="größe")
        assert code == 3
        first, second, *variables = bench.stdout.splitlines()
        assert (first, second) == ("größe", str(bench.wd))
        assert {line.partition("=")[0] for line in variables} <= {
            "A", "PATH", "PWD", "OLDPWD", "SHLVL", "_", "AZ_BATCH_TASK_WORKING_DIR",
        }  # fmt: skip
        assert (tmp_path / "stderr").read_text() == "wrong\n"

    on_bench(tmp_path, test)


def test_arguments_arrive_as_they_are(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        words = ["", "a b", "$HOME", "*", "'\"\\", "new\nline", "🙂", "--"]
        await bench.run(sys.executable, "-c", "import sys; print(ascii(sys.argv[1:]))", *words)
        assert bench.stdout == f"{words!a}\n"

    on_bench(tmp_path, test)


def test_output_of_an_earlier_attempt_is_overwritten(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.run("echo", "a long line")
        await bench.run("echo", "short")
        assert bench.stdout == "short\n"

    on_bench(tmp_path, test)


def test_a_program_is_found_in_the_path_of_the_task_or_relative_to_its_directory(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        program = bench.wd / "hello"
        program.write_text("#!/bin/sh\necho hello\n")
        program.chmod(0o770)
        assert await bench.run("./hello") == 0
        assert await bench.run("hello", PATH=str(bench.wd)) == 0
        with pytest.raises(LaunchFailed) as refused:
            await bench.start("hello")
        assert refused.value.failure.code == "CommandProgramNotFound"

    on_bench(tmp_path, test)


@pytest.mark.parametrize("program", ["no-such-program", "./no-such-program", "/no/such", ""])
def test_a_missing_program_is_told_as_the_service_does(tmp_path: Path, program: str) -> None:
    async def test(bench: Bench) -> None:
        with pytest.raises(LaunchFailed) as refused:
            await bench.start(program)
        failure = refused.value.failure
        assert (failure.category, failure.code) == ("UserError", "CommandProgramNotFound")
        assert failure.message == "The specified command program is not found."

    on_bench(tmp_path, test)


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        ("#!/bin/sh\n", 0o660, "Permission denied"),
        ("no program", 0o770, "Exec format error"),
        ("#!/no/such/interpreter\n", 0o770, "No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_run_is_a_failed_launch(
    tmp_path: Path, content: str, mode: int, reason: str
) -> None:
    async def test(bench: Bench) -> None:
        (bench.wd / "file").write_text(content)
        (bench.wd / "file").chmod(mode)
        for name, path in (("./file", "/bin"), ("file", str(bench.wd))):
            with pytest.raises(LaunchFailed) as refused:
                await bench.start(name, PATH=path)
            assert refused.value.failure.code == "CommandLaunchFailed"
            assert refused.value.failure.details == (("Message", reason),)

    on_bench(tmp_path, test)


def test_too_long_arguments_are_a_failed_launch(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        with pytest.raises(LaunchFailed) as refused:
            await bench.start("true", "x" * 10_000_000)
        assert refused.value.failure.code == "CommandLaunchFailed"
        assert await bench.run("true") == 0

    on_bench(tmp_path, test)


def test_a_process_that_a_signal_ends_has_the_code_that_a_shell_tells(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        assert await bench.run("sh", "-c", "kill -KILL $$") == 137
        assert await bench.run("sh", "-c", "kill -INT $$") == 130
        assert await bench.run("sh", "-c", "kill -PIPE $$") == 141

    on_bench(tmp_path, test)


def test_killing_sends_sigterm_first(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        script = "trap 'echo asked; exit 7' TERM; echo 1 > ready; while :; do sleep 0.01; done"
        running = await bench.start("sh", "-c", script)
        await bench.told("ready")
        assert await running.kill(grace=60) == 7
        assert bench.stdout == "asked\n"
        assert await running.kill() == 7

    on_bench(tmp_path, test)


@pytest.mark.parametrize("grace", [0, 0.05])
def test_a_process_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path, grace: float) -> None:
    async def test(bench: Bench) -> None:
        running = await bench.start("sh", "-c", "trap '' TERM; echo 1 > ready; while :; do sleep 1; done")
        await bench.told("ready")
        assert await running.kill(grace) == 137

    on_bench(tmp_path, test)


def test_the_whole_process_group_ends_with_a_kill(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        running = await bench.start("sh", "-c", "trap '' TERM; sleep 1000 & echo $! > child; wait; wait")
        child = await bench.told("child")
        await running.kill(0)
        await gone(child, running.pid)

    on_bench(tmp_path, test)


@pytest.mark.parametrize("elsewhere", ["", "cd /; exec env -i"])
def test_what_runs_on_in_the_background_ends_with_its_task(tmp_path: Path, elsewhere: str) -> None:
    async def test(bench: Bench) -> None:
        child = f"({elsewhere} sh -c 'echo $$ > {bench.wd}/child; exec sleep 1000') &"
        assert await bench.run("sh", "-c", f"{child} while ! [ -s child ]; do sleep 0.01; done; exit 5") == 5
        await gone(await bench.told("child"))

    on_bench(tmp_path, test)


DAEMON = "setsid sh -c 'echo $$ > daemon; exec {command}' & while ! [ -s daemon ]; do sleep 0.01; done"


@LINUX_ONLY
@pytest.mark.parametrize("command", ["sleep 1000", "env -i sleep 1000", 'sh -c "setsid sleep 1000; true"'])
def test_a_daemon_that_left_the_group_is_ended_and_reaped_before_the_task_ends(
    tmp_path: Path, command: str
) -> None:
    async def test(bench: Bench) -> None:
        assert await bench.run("sh", "-c", DAEMON.format(command=command.replace("'", "'\"'\"'"))) == 0
        assert not exists(await bench.told("daemon"))

    on_bench(tmp_path, test)


@LINUX_ONLY
def test_a_daemon_of_a_task_that_still_runs_is_left_alone_when_another_ends(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        script = "(" + DAEMON.format(command="sleep 1000") + "); echo 1 > ready; sleep 1000"
        running = await bench.start("sh", "-c", script)
        daemon = await bench.told("daemon")
        await bench.told("ready")
        (tmp_path / "other").mkdir()
        other = Bench(bench.launcher, tmp_path / "other")
        for _ in range(5):
            assert await other.run("sh", "-c", "sleep 1000 &") == 0
        assert exists(daemon)
        assert exists(running.pid)
        await running.kill()
        assert not exists(daemon)

    on_bench(tmp_path, test)


def test_closing_ends_everything_that_runs(tmp_path: Path) -> None:
    async def run() -> tuple[int, ...]:
        async with Launcher() as launcher:
            bench = Bench(launcher, tmp_path)
            running = await bench.start("sh", "-c", f"({DAEMON.format(command='sleep 1000')}); sleep 1000")
            pids = running.pid, await bench.told("daemon")
            waiting = asyncio.ensure_future(running.wait())
            await asyncio.sleep(0)
        with pytest.raises(LaunchFailed):
            await waiting
        with pytest.raises(LaunchFailed):
            await bench.start("true")
        return pids

    pid, daemon = asyncio.run(run())
    assert not exists(pid)
    assert sys.platform != "linux" or not exists(daemon)


EMULATOR = """
import asyncio, os, sys
from pathlib import Path
from batch_emulator.compute_node.processes import Launcher
async def main():
    here = Path(sys.argv[1])
    async with Launcher() as launcher:
        env = {"PATH": os.environ["PATH"]}
        for n in range(3):
            script = "sleep 1000 & echo $! $$; setsid sleep 1000 & echo $! $$ > daemon%d; wait" % n
            files = {"stdout": here / f"out{n}", "stderr": here / "err"}
            await launcher.start(["sh", "-c", script], env=env, cwd=here, **files)
        print("started", flush=True)
        await asyncio.sleep(1000)
asyncio.run(main())
"""


def test_when_the_emulator_is_killed_its_processes_die_too(tmp_path: Path) -> None:
    async def all_gone() -> None:
        files = [tmp_path / f"{kind}{n}" for kind in ("out", "daemon") for n in range(3)]
        await until(lambda: all(file.exists() and file.read_text().endswith("\n") for file in files))
        emulator.kill()
        emulator.wait()
        pids = [int(word) for file in files for word in file.read_text().split()]
        assert len(set(pids)) == 9
        await gone(*pids)

    with subprocess.Popen(
        [sys.executable, "-c", EMULATOR, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    ) as emulator:
        assert emulator.stdout is not None
        assert emulator.stdout.readline() == b"started\n"
        asyncio.run(all_gone())


def test_when_the_launcher_is_killed_its_processes_die_and_nobody_waits_for_ever(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        running = await bench.start("sleep", "1000")
        program = bench.launcher._program
        assert program is not None
        program.send_signal(signal.SIGKILL)
        with pytest.raises(LaunchFailed) as refused:
            await running.wait()
        assert refused.value.failure.category == "ServerError"
        with pytest.raises(LaunchFailed):
            await bench.start("true")

    on_bench(tmp_path, test)


def test_many_processes_are_waited_for_without_threads(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        before = threading.active_count()
        running = await asyncio.gather(*(bench.start("sleep", "1000") for _ in range(300)))
        waiting = [asyncio.ensure_future(each.wait()) for each in running]
        assert threading.active_count() == before
        assert {await each.kill(0) for each in running} == {137}
        assert set(await asyncio.gather(*waiting)) == {137}

    on_bench(tmp_path, test)


def test_one_that_waits_may_give_up_without_the_others(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        running = await bench.start("sleep", "1000")
        first, second = asyncio.ensure_future(running.wait()), asyncio.ensure_future(running.wait())
        await asyncio.sleep(0)
        first.cancel()
        await running.kill()
        assert await second == 143

    on_bench(tmp_path, test)


def test_a_start_that_is_given_up_leaves_no_process(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        starting = asyncio.ensure_future(bench.start("sh", "-c", "echo $$ > started; sleep 1000"))
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert bench.launcher._pids == {}

    on_bench(tmp_path, test)
