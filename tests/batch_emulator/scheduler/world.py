"""A small account for the tests of the scheduler: no server, no clock, no process."""

import itertools
from typing import Any

from batch_emulator import events, scheduler
from batch_emulator.events import Event, Instruction
from batch_emulator.outcomes import Failure, Outcome
from batch_emulator.resources import Account, Job, Node, Pool, Task
from batch_emulator.scheduler import Delays, World

FAILED = Failure("UserError", "FailureExitCode", "The task exited with an exit code representing a failure")


class Stage:
    """A world, its time, and the instructions that are still to be carried out."""

    def __init__(self, **delays: float) -> None:
        ids = iter(f"node-{number}" for number in range(1, 10_000))
        self.world = World(Account(), lambda _: next(ids), Delays(**delays))
        self.now = 1000.0
        self.timers: list[tuple[float, int, Event]] = []
        self.order = itertools.count()
        self.pending: list[Instruction] = []

    def submit(self, event: Event) -> list[Instruction]:
        """Let an event happen; timers are kept, other instructions are returned and kept."""
        instructions = scheduler.handle(self.world, event, self.now)
        for instruction in instructions:
            if isinstance(instruction, events.After):
                self.timers.append((self.now + instruction.seconds, next(self.order), instruction.event))
        acts = [one for one in instructions if not isinstance(one, events.After)]
        self.pending += acts
        return acts

    def pass_time(self, seconds: float = 0.0) -> list[Instruction]:
        """Let time pass, with all timers that come due; gives what they led to."""
        end = self.now + seconds
        acts: list[Instruction] = []
        while due := [timer for timer in self.timers if timer[0] <= end]:
            first = min(due)
            self.timers.remove(first)
            self.now = max(self.now, first[0])
            acts += self.submit(first[2])
        self.now = end
        return acts

    def pool(self, pool_id: str = "pool", nodes: int = 1, slots: int = 1, **more: Any) -> Pool:
        """A pool whose nodes have come up."""
        start_task = more.pop("start_task", None)
        pool = Pool(
            id=pool_id,
            document={
                "id": pool_id,
                "vmSize": "standard_d1_v2",
                **({"startTask": start_task} if start_task else {}),
            },
            created=self.now,
            etag="0x1",
            modified=self.now,
            target_dedicated=nodes,
            target_low_priority=more.pop("low_priority", 0),
            resize_timeout=900.0,
            slots_per_node=slots,
            fill=more.pop("fill", "spread"),
            **more,
        )
        self.submit(events.AddPool(pool))
        self.pass_time()
        return pool

    def job(self, job_id: str = "job", pool_id: str | None = "pool", **document: Any) -> Job:
        """A job in the account."""
        wall_clock = document.pop("wall_clock", None)
        job = Job(
            id=job_id,
            document={"id": job_id, "maxParallelTasks": -1, "usesTaskDependencies": False, **document},
            created=self.now,
            etag="0x1",
            modified=self.now,
            priority=document.get("priority", 0),
            pool_id=pool_id,
            wall_clock=wall_clock,
        )
        self.submit(events.AddJob(job))
        return job

    def task(self, task_id: str, job_id: str = "job", **more: Any) -> Task:
        """A task added to its job."""
        document = more.pop("document", {})
        task = Task(
            id=task_id,
            job_id=job_id,
            document={"id": task_id, "commandLine": "true", **document},
            created=self.now,
            etag="0x1",
            modified=self.now,
            sequence=0,
            slots=more.pop("slots", 1),
            max_retries=more.pop("retries", 0),
            wall_clock=more.pop("wall_clock", None),
            retention=more.pop("retention", None),
        )
        self.submit(events.AddTask(job_id, task))
        return task

    def node(self, index: int = 0, pool_id: str = "pool") -> Node:
        """A node of a pool by its place."""
        return list(self.world.account.pools[pool_id].nodes.values())[index]

    def end(self, task: Task, exit_code: int = 0, failure: Failure | None = None) -> list[Instruction]:
        """Let the process of a running task exit."""
        assert task.run is not None
        return self.end_run(task.run, exit_code, failure)

    def end_run(
        self, run: int, exit_code: int | None = 0, failure: Failure | None = None
    ) -> list[Instruction]:
        """Let the process of a run exit."""
        failure = failure or (FAILED if exit_code else None)
        acts = self.submit(events.RunEnded(run, Outcome(self.now, self.now, exit_code, failure)))
        return acts + self.pass_time()


def running(**more: Any) -> tuple[Stage, Node, Any]:
    """A stage with one node that runs one task."""
    stage = Stage(**more)
    stage.pool(nodes=1)
    stage.pass_time(sum(more.values()))
    stage.job()
    return stage, stage.node(), stage.task("a")


def spot(**more: Any) -> tuple[Stage, Node]:
    """A stage with one Spot node."""
    stage = Stage()
    stage.pool(nodes=0, low_priority=1, **more)
    return stage, stage.node()
