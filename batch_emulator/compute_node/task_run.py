"""One attempt of a command on a node, from the empty working directory to the last stored output.

The same for a task, a start task, a preparation and a release task. Whether there is another attempt, and
what it means that one was ended from outside, is for the caller to decide.
"""

import asyncio
import errno
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batch_emulator.compute_node import command_line, containers, output_files, resource_files
from batch_emulator.compute_node.directories import RunDirectories
from batch_emulator.compute_node.environment import ComputeNode, RunIdentity, task_environment
from batch_emulator.compute_node.processes import KILL_GRACE, DirectoryNotMade, Launcher, LaunchFailed
from batch_emulator.compute_node.transfers import Transfers, in_thread
from batch_emulator.outcomes import ContainerRun, Failure, Outcome

log = logging.getLogger("batch_emulator")

# Text and details as recorded.
EXIT_CODE_FAILURE = Failure(
    "UserError",
    "FailureExitCode",
    "The task exited with an exit code representing a failure",
    (
        ("Message", "The task process exited with an unexpected exit code"),
        ("AdditionalErrorCode", "FailureExitCode"),
    ),
)
TASK_ENDED = Failure("UserError", "TaskEnded", "Task was ended by user request.")  # documented


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRun:
    """What there is to run, where, and for whom. Lists are in wire form."""

    node: ComputeNode
    identity: RunIdentity
    command_line: str
    resource_files: Sequence[Mapping[str, Any]] = ()
    output_files: Sequence[Mapping[str, Any]] = ()
    common_files: Sequence[Mapping[str, Any]] = ()
    """Resource files for the directory above the working directory (of multi-instance tasks)."""
    continues: bool = False
    """The directories are left as an earlier command of the same attempt left them."""
    job_settings: Sequence[Mapping[str, Any]] = ()
    settings: Sequence[Mapping[str, Any]] = ()
    container: Mapping[str, Any] | None = None
    """Its `containerSettings`; None runs it without a container."""
    pool_containers: Mapping[str, Any] | None = None
    """`containerConfiguration` of the pool."""
    kill_grace: float = KILL_GRACE
    """Seconds between SIGTERM and SIGKILL when it is ended from outside; 0 is SIGKILL at once."""


@dataclass(frozen=True, slots=True)
class Services:
    """What all runs of the emulator share. `clock` gives seconds since the epoch."""

    launcher: Launcher
    transfers: Transfers
    clock: Callable[[], float]


RunCommand = Callable[[CommandRun, Services, asyncio.Event], Awaitable[Outcome]]
"""What `run_command` is; what goes around it is such a one again."""


async def run_command(run: CommandRun, services: Services, end: asyncio.Event) -> Outcome:
    """Run a command once.

    Setting `end` ends it in whatever phase it is; the outcome then has the failure `TaskEnded` and, when a
    process had been started, its exit code (143 or 137, as a shell tells SIGTERM and SIGKILL). Outputs of an
    ended command are not stored (assumed). When this returns or is cancelled, no process of it is left. A
    failure before the process has no exit code (documented); a failed upload keeps it (documented) and is
    told only where the exit code is no failure itself (assumed). What goes wrong becomes a failure, not an
    exception.
    """
    attempt = _Attempt(run, services)
    if end.is_set():
        return Outcome(attempt.started, services.clock(), None, TASK_ENDED)
    work = asyncio.ensure_future(attempt.work())
    ending = asyncio.ensure_future(end.wait())
    try:
        await asyncio.wait((work, ending), return_when=asyncio.FIRST_COMPLETED)
    finally:
        ending.cancel()
        ended = not work.done()
        work.cancel()
        await asyncio.wait((work,))
    failure = TASK_ENDED if ended else work.result()
    return Outcome(attempt.started, services.clock(), attempt.exit_code, failure, attempt.ran_in)


class _Attempt:
    """How far a run has come, known also when it is ended in the middle."""

    def __init__(self, run: CommandRun, services: Services) -> None:
        self.run = run
        self.services = services
        self.started = services.clock()
        self.exit_code: int | None = None
        self.ran_in: ContainerRun | None = None

    async def work(self) -> Failure | None:
        """All phases, one after the other, up to the first failure."""
        try:
            directories = self.run.identity.directories(self.run.node)
            environment = task_environment(
                self.run.node,
                self.run.identity,
                job_settings=self.run.job_settings,
                settings=self.run.settings,
            )
            argv = command_line.split(self.run.command_line)
        except ValueError as error:
            return _not_launched(str(error))
        return await self.run_prepared(argv, directories, environment) or await self.store(
            directories, environment
        )

    async def run_prepared(
        self, argv: Sequence[str], directories: RunDirectories, environment: Mapping[str, str]
    ) -> Failure | None:
        """Prepare the directories and run the process in them.

        Where nothing comes between, what starts the process makes them too, which is quicker; it does not if
        an earlier attempt has left something there.
        """
        run = self.run
        if not (run.continues or run.container or run.resource_files or run.common_files):
            try:
                return await self.execute(argv, directories, environment, makes_directory=True)
            except DirectoryNotMade as error:
                if error.errno != errno.EEXIST:
                    return _no_directory(error.errno)
        return await self.prepare(directories) or await self.run_anywhere(argv, directories, environment)

    async def prepare(self, directories: RunDirectories) -> Failure | None:
        """Make the directories and fetch the resource files."""
        if self.run.continues:
            return await self.fetch(directories)
        try:
            # Never in the event loop: on a busy disk it takes as long as the task (measured).
            await in_thread(directories.prepare)
        except OSError as error:
            return _no_directory(error.errno)
        return await self.fetch(directories)

    async def fetch(self, directories: RunDirectories) -> Failure | None:
        """Fetch the resource files."""
        for files, where in (
            (self.run.common_files, directories.task),
            (self.run.resource_files, directories.working),
        ):
            if not files:
                continue
            failure = await resource_files.fetch(
                files, where, self.services.transfers, self.run.node.identities
            )
            if failure is not None:
                return failure
        return None

    async def run_anywhere(
        self, argv: Sequence[str], directories: RunDirectories, environment: Mapping[str, str]
    ) -> Failure | None:
        """Run the process, in a container if it asks for one."""
        if self.run.container is None:
            return await self.execute(argv, directories, environment)
        try:
            container = self.planned(self.run.container, argv, directories, environment)
        except containers.Refused as refused:
            return refused.failure
        try:
            failure = await self.execute(container.argv, directories, container.environment)
            self.ran_in = container.outcome(self.exit_code)
            if (engine_failure := container.failure(self.exit_code)) is not None:
                self.exit_code = None
            return failure or engine_failure
        except asyncio.CancelledError:
            self.ran_in = container.outcome(self.exit_code)
            await self.remove(container)
            raise
        finally:
            container.clear()

    def planned(
        self,
        settings: Mapping[str, Any],
        argv: Sequence[str],
        directories: RunDirectories,
        environment: Mapping[str, str],
    ) -> containers.Container:
        """How the process is run in its container."""
        identity, node = self.run.identity, self.run.node
        preparation = None
        if identity.job_id is not None and identity.preparation_id is not None:
            preparation = node.directories.task(identity.job_id, identity.preparation_id)
        given = frozenset(setting["name"] for setting in (*self.run.job_settings, *self.run.settings))
        return containers.plan(
            settings,
            self.run.pool_containers,
            argv,
            environment,
            given,
            node.directories,
            directories,
            preparation,
        )

    async def remove(self, container: containers.Container) -> None:
        """End a container whose engine's command was ended: it may go on without that."""
        nowhere = Path(os.devnull)
        try:
            removal = await self.services.launcher.start(
                container.removal,
                env=container.environment,
                cwd=container.scratch,
                stdout=nowhere,
                stderr=nowhere,
            )
            await removal.wait()
        except LaunchFailed:
            log.warning("container %s may be left over", container.name)

    async def execute(
        self,
        argv: Sequence[str],
        directories: RunDirectories,
        environment: Mapping[str, str],
        *,
        makes_directory: bool = False,
    ) -> Failure | None:
        """Run the process to its end, or end it.

        Raises:
            DirectoryNotMade: its directory was to be made, and cannot be.
        """
        _, working, stdout, stderr = directories.texts()
        starting = self.services.launcher.begin(
            argv,
            env=environment,
            cwd=working,
            stdout=stdout,
            stderr=stderr,
            makes_directory=makes_directory,
        )
        try:
            try:
                running = await asyncio.shield(starting)
                self.exit_code = await running.wait()
            except asyncio.CancelledError:
                self.exit_code = await (await starting).kill(self.run.kill_grace)
                raise
        except LaunchFailed as failed:
            return failed.failure
        return None

    async def store(self, directories: RunDirectories, environment: Mapping[str, str]) -> Failure | None:
        """Store the output files, and say how the command ended."""
        success = self.exit_code == 0
        failure = None
        if self.run.output_files:
            failure = await output_files.upload(
                self.run.output_files,
                directories,
                self.services.transfers,
                environment=environment,
                success=success,
                identities=self.run.node.identities,
            )
        return failure if success else EXIT_CODE_FAILURE


def _no_directory(number: int | None) -> Failure:
    code = "DiskFull" if number == errno.ENOSPC else "ResourceDirectoryCreateFailed"
    message = f"The task's directory could not be made: {os.strerror(number or 0)}."
    return Failure("ServerError", code, message)


def _not_launched(reason: str) -> Failure:
    return Failure(
        "UserError", "CommandLaunchFailed", "The command could not be launched.", (("Message", reason),)
    )
