"""Carries out what the scheduler decided: timers, processes, files. It reports back, and decides nothing."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from batch_emulator import events, job_events, node_events
from batch_emulator.clock import Clock
from batch_emulator.compute_node import multi_instance, node_logs
from batch_emulator.compute_node.directories import NodeDirectories, remove_tree
from batch_emulator.compute_node.environment import ComputeNode, RunIdentity, RunKind
from batch_emulator.compute_node.processes import Launcher
from batch_emulator.compute_node.task_run import CommandRun, RunCommand, Services, run_command
from batch_emulator.compute_node.transfers import BlobClient, Transfers
from batch_emulator.events import Event, Instruction
from batch_emulator.outcomes import Failure, Outcome
from batch_emulator.resources import Account, Document, Job, Node, Pool, Task

log = logging.getLogger("batch_emulator")

UNKNOWN = Failure("ServerError", "Unknown", "The node agent failed; the emulator's own log has the reason.")

RunOrder = events.RunTask | events.RunStartTask | job_events.RunJobTask | job_events.RunCoordination
Place = tuple[str, ...]
"""What acts that must not overlap have in common: pool, node, and for a task its job and id."""


class Runner:
    """The emulated nodes at work, between `open` and `close`.

    Args:
        account_name: for `AZ_BATCH_ACCOUNT_NAME`.
        account_url: for `AZ_BATCH_ACCOUNT_URL`.
        root: directory for the files of all nodes.
        clock: tells the time and calls back.
        account: the resources, to be read.
        report: takes the events that follow from what was done.
        run: runs one command.
    """

    def __init__(
        self,
        account_name: str,
        account_url: str,
        root: Path,
        clock: Clock,
        account: Account,
        report: Callable[[Event], None],
        run: RunCommand = run_command,
    ) -> None:
        self._account_name = account_name
        self._account_url = account_url
        self._root = root
        self._clock = clock
        self._account = account
        self._report = report
        self._run_command = run
        self._stack = AsyncExitStack()
        self._services: Services | None = None
        self._ends: dict[int, asyncio.Event] = {}
        self._at_work: dict[Place, asyncio.Task[None]] = {}

    async def open(self) -> None:
        """Get ready to run commands; needs a running event loop."""
        launcher = await self._stack.enter_async_context(Launcher())
        client = await self._stack.enter_async_context(BlobClient())
        self._services = Services(launcher, Transfers(client), self._clock.now)

    async def close(self) -> None:
        """End every process."""
        await self._stop()
        await self._stack.aclose()

    async def reset(self, pools: Iterable[str]) -> None:
        """End every process without a report, and remove the files of all nodes of these pools."""
        await self._stop()
        for pool in pools:
            await asyncio.to_thread(remove_tree, self._root / pool)

    async def _stop(self) -> None:
        at_work = list(self._at_work.values())
        for task in at_work:
            task.cancel()
        await asyncio.gather(*at_work, return_exceptions=True)

    def node_directories(self, pool_id: str, node_id: str) -> NodeDirectories:
        """Where the files of a node are."""
        return NodeDirectories(self._root.joinpath(pool_id.lower(), node_id))

    def carry_out(self, instructions: Iterable[Instruction]) -> None:
        """Do, or begin to do, what is to be done."""
        for instruction in instructions:
            match instruction:
                case events.After(seconds, event):
                    self._clock.call_later(seconds, partial(self._report, event))
                case (
                    events.RunTask()
                    | events.RunStartTask()
                    | job_events.RunJobTask()
                    | job_events.RunCoordination()
                ):
                    self._run_order(instruction)
                case events.Kill(run):
                    if run in self._ends:
                        self._ends[run].set()
                case events.RemoveTaskFiles(pool, node, job, task):
                    directories = self.node_directories(pool, node).task(job, task)
                    self._in_order((pool, node, job, task), asyncio.to_thread(directories.remove))
                case events.RemoveJobFiles():
                    self._remove_job(instruction)
                case events.RemoveNode(pool, node):
                    removal = asyncio.to_thread(self.node_directories(pool, node).remove)
                    self._in_order((pool, node), removal)
                case node_events.UploadNodeLogs(pool, node):
                    self._in_order((pool, node, "", "logs"), self._upload_logs(instruction))
                case _:
                    raise TypeError(f"no way to carry out {instruction!r}")

    def _remove_job(self, instruction: events.RemoveJobFiles) -> None:
        pool = self._account.pools.get(instruction.pool)
        for node_id in pool.nodes if pool else ():
            directories = self.node_directories(instruction.pool, node_id)
            removal = asyncio.to_thread(directories.remove_job, instruction.job)
            self._in_order((instruction.pool, node_id, instruction.job), removal)

    def _in_order(self, place: Place, act: Coroutine[Any, Any, None]) -> None:
        """Begin an act when whatever is under way at this place, or below it, has ended."""
        before = {task for other, task in self._at_work.items() if _overlap(place, other)}
        task = asyncio.get_running_loop().create_task(_after(before, act))
        self._at_work[place] = task

        def forget(done: "asyncio.Task[None]") -> None:
            if self._at_work.get(place) is done:
                del self._at_work[place]
            if not done.cancelled() and (error := done.exception()):
                log.error("%s: %s", "/".join(place), error)

        task.add_done_callback(forget)

    def _run_order(self, order: RunOrder) -> None:
        match order:
            case events.RunTask():
                self._run_task(order)
            case job_events.RunJobTask():
                self._run_job_task(order)
            case job_events.RunCoordination():
                self._run_coordination(order)
            case events.RunStartTask():
                self._run_start_task(order)

    def _run_task(self, order: events.RunTask) -> None:
        job = self._account.jobs[order.job]
        task = job.tasks[order.task]
        pool = self._account.pools[order.pool]
        run = CommandRun(
            node=self._compute_node(pool, pool.nodes[order.node]),
            identity=_identity(job, task),
            job_settings=job.document.get("commonEnvironmentSettings", ()),
            **_command(task.document, pool),
        )
        if task.instances:
            run = replace(run, settings=self._multi_instance_settings(run, task), continues=True)
        self._begin(order.run, (order.pool, order.node, job.id, task.id), run)

    def _run_coordination(self, order: job_events.RunCoordination) -> None:
        job = self._account.jobs[order.job]
        task = job.tasks[order.task]
        pool = self._account.pools[order.pool]
        wanted = task.document["multiInstanceSettings"]
        run = CommandRun(
            node=self._compute_node(pool, pool.nodes[order.node]),
            identity=replace(_identity(job, task), instance=order.instance),
            job_settings=job.document.get("commonEnvironmentSettings", ()),
            **{**_command(task.document, pool), "resource_files": (), "output_files": ()},
        )
        run = replace(
            run,
            command_line=wanted["coordinationCommandLine"],
            common_files=wanted.get("commonResourceFiles", ()),
            settings=self._multi_instance_settings(run, task),
        )
        self._begin(order.run, (order.pool, order.node, job.id, task.id), run)

    def _multi_instance_settings(self, run: CommandRun, task: Task) -> list[Mapping[str, Any]]:
        addresses = [
            self._account.pools[subtask.pool_id.lower()].nodes[subtask.node_id].ip_address
            for subtask in task.subtasks
        ]
        directory = run.identity.directories(run.node).task
        return [*run.settings, *multi_instance.settings(addresses, run.identity.instance, directory)]

    def _run_job_task(self, order: job_events.RunJobTask) -> None:
        job = self._account.jobs[order.job]
        pool = self._account.pools[order.pool]
        document = job.document["jobPreparationTask" if order.kind == "preparation" else "jobReleaseTask"]
        run = CommandRun(
            node=self._compute_node(pool, pool.nodes[order.node]),
            identity=RunIdentity(
                kind=RunKind.JOB_PREPARATION if order.kind == "preparation" else RunKind.JOB_RELEASE,
                job_id=job.id,
                task_id=document["id"],
                preparation_id=job.document["jobPreparationTask"]["id"],
            ),
            job_settings=job.document.get("commonEnvironmentSettings", ()),
            **_command(document, pool),
        )
        self._begin(order.run, (order.pool, order.node, job.id, document["id"]), run)

    def _run_start_task(self, order: events.RunStartTask) -> None:
        pool = self._account.pools[order.pool]
        node = self._compute_node(pool, pool.nodes[order.node])
        identity = RunIdentity(kind=RunKind.START_TASK)
        start_task = pool.nodes[order.node].start_task
        assert start_task is not None
        run = CommandRun(node=node, identity=identity, **_command(start_task.document, pool))
        self._begin(order.run, (order.pool, order.node, "", "startup"), run)

    def _compute_node(self, pool: Pool, node: Node) -> ComputeNode:
        return ComputeNode(
            account_name=self._account_name,
            account_url=self._account_url,
            pool_id=pool.id,
            node_id=node.id,
            dedicated=node.dedicated,
            directories=self.node_directories(pool.id, node.id),
            identities=pool.identities,
        )

    def _begin(self, number: int, place: Place, run: CommandRun) -> None:
        self._ends[number] = asyncio.Event()
        self._in_order(place, self._run(number, run))

    async def _run(self, number: int, run: CommandRun) -> None:
        assert self._services is not None
        began = self._clock.now()
        try:
            # Not before: the files of a node that is preempted or reimaged are removed in the same order.
            if not run.node.directories.root.exists():
                run.node.directories.create()
            outcome = await self._run_command(run, self._services, self._ends[number])
        except Exception:
            log.exception("run %s", number)
            outcome = Outcome(began, self._clock.now(), None, UNKNOWN)
        finally:
            del self._ends[number]
        self._report(events.RunEnded(number, outcome))

    async def _upload_logs(self, order: node_events.UploadNodeLogs) -> None:
        pool = self._account.pools.get(order.pool)
        node = pool.nodes.get(order.node) if pool else None
        if node is None or self._services is None:
            return
        directories = self.node_directories(order.pool, order.node)
        names = node_logs.files(node, directories, order.begin, order.end)
        text = node_logs.agent_log(node, self._clock.now())
        await node_logs.upload(
            names, text, directories, self._services.transfers, order.container_url, order.directory
        )


def _identity(job: Job, task: Task) -> RunIdentity:
    prepared_by = job.preparation_task.id if job.preparation_task else None
    return RunIdentity(kind=RunKind.TASK, job_id=job.id, task_id=task.id, preparation_id=prepared_by)


def _command(document: Document, pool: Pool) -> dict[str, Any]:
    machines = pool.document.get("virtualMachineConfiguration", {})
    return {
        "command_line": document["commandLine"],
        "resource_files": document.get("resourceFiles", ()),
        "output_files": document.get("outputFiles", ()),
        "settings": document.get("environmentSettings", ()),
        "container": document.get("containerSettings"),
        "pool_containers": machines.get("containerConfiguration"),
    }


def _overlap(one: Place, other: Place) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


async def _after(before: set["asyncio.Task[None]"], act: Coroutine[Any, Any, None]) -> None:
    if before:
        await asyncio.wait(before)
    await act
