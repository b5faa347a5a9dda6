"""A small account in the scheduler's world, and all that may happen to it in any order: Hypothesis' rules."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from batch_emulator import events, job_events, node_events
from batch_emulator.errors import BatchError
from batch_emulator.events import Event
from batch_emulator.lifecycle import NodeEvent
from batch_emulator.outcomes import Failure, Outcome
from batch_emulator.resources import Job, JobSchedule, JobTask, Pool, Task, Timing
from tests.batch_emulator.scheduler.world import FAILED, Stage

POOLS = st.sampled_from(["p", "p", "p", "q"])
JOBS = st.sampled_from(["j", "j", "j", "j", "k", "k", "s:job-1", "s:job-2"])
TASKS = st.sampled_from([str(number) for number in range(6)])
NODES = st.integers(0, 4)
DISPOSALS = st.sampled_from(["requeue", "terminate", "taskcompletion"])
BLOB_GONE = Failure("UserError", "BlobNotFound", "gone")
ENDS = st.sampled_from([(0, None), (0, None), (1, FAILED), (7, FAILED), (None, BLOB_GONE)])
SPECIFICATION = {
    "priority": 0,
    "onAllTasksComplete": "noaction",
    "constraints": {"maxWallClockTime": "PT1H"},
    "poolInfo": {"poolId": "p"},
}
ORDERS = (events.RunTask, events.RunStartTask, job_events.RunJobTask, job_events.RunCoordination)


class SmallAccount(RuleBasedStateMachine):
    """A small account, and what a runner would know of it."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage()
        self.world = self.stage.world
        self.live: set[int] = set()
        self.ordered: set[int] = set()
        self.killed: set[int] = set()
        self.prompt = True

    def submit(self, event: Event) -> None:
        """Let an event happen that may be refused, and follow the orders that come of it."""
        try:
            self.stage.submit(event)
        except BatchError:
            self.stage.pending.clear()
        self.follow()
        if self.prompt:
            self.stage.pass_time()
            self.follow()

    def follow(self) -> None:
        """Take the orders as a runner would: each for something that is there, each run once."""
        for act in self.stage.pending:
            if isinstance(act, ORDERS):
                assert act.run not in self.ordered
                assert act.node in self.world.account.pools[act.pool].nodes
                self.ordered.add(act.run)
                self.live.add(act.run)
            if isinstance(act, events.RunTask):
                self.task_is_there(act)
            if isinstance(act, events.Kill):
                assert act.run in self.live, "a kill must find its run"
                assert act.run not in self.killed
                self.killed.add(act.run)
        self.stage.pending.clear()

    def task_is_there(self, act: events.RunTask) -> None:
        """A run that was ordered and not killed in the same breath is the run of its task."""
        kills = {one.run for one in self.stage.pending if isinstance(one, events.Kill)}
        if act.run not in kills:
            assert self.world.task(act.job, act.task).run == act.run

    @initialize(
        prompt=st.booleans(),
        nodes=st.integers(1, 3),
        slots=st.integers(1, 3),
        prepares=st.booleans(),
        waits=st.booleans(),
        managed=st.booleans(),
    )
    def begin(self, prompt: bool, nodes: int, slots: int, prepares: bool, waits: bool, managed: bool) -> None:
        """A pool that is up and a job on it, so that not all of the time goes into making them."""
        self.add_pool("p", nodes, 1, slots, "spread", None)
        self.add_job("j", "p", prepares, waits, managed, -1, "noaction", None)
        self.prompt = prompt

    @rule(
        pool_id=POOLS,
        nodes=st.integers(0, 3),
        spot=st.integers(0, 2),
        slots=st.integers(1, 3),
        fill=st.sampled_from(["spread", "pack"]),
        start=st.sampled_from([None, {"commandLine": "x", "waitForSuccess": True, "maxTaskRetryCount": 1}]),
    )
    def add_pool(self, pool_id: str, nodes: int, spot: int, slots: int, fill: Any, start: Any) -> None:
        document = {"id": pool_id, "vmSize": "v", **({"startTask": start} if start else {})}
        self.submit(
            events.AddPool(
                Pool(
                    id=pool_id,
                    document=document,
                    created=self.stage.now,
                    etag="",
                    modified=self.stage.now,
                    target_dedicated=nodes,
                    target_low_priority=spot,
                    resize_timeout=900.0,
                    slots_per_node=slots,
                    fill=fill,
                )
            )
        )

    @rule(pool_id=POOLS, nodes=st.integers(0, 4), spot=st.integers(0, 2), disposal=DISPOSALS)
    def resize(self, pool_id: str, nodes: int, spot: int, disposal: Any) -> None:
        self.submit(events.ResizePool(pool_id, nodes, spot, 900.0, disposal))

    def node(self, pool_id: str, place: int) -> str | None:
        pool = self.world.account.pools.get(pool_id)
        nodes = list(pool.nodes) if pool else []
        return nodes[place % len(nodes)] if nodes else None

    @rule(pool_id=POOLS, place=NODES, disposal=DISPOSALS)
    def remove_node(self, pool_id: str, place: int, disposal: Any) -> None:
        if node := self.node(pool_id, place):
            self.submit(events.RemoveNodes(pool_id, (node,), 900.0, disposal))

    @rule(
        pool_id=POOLS,
        place=NODES,
        how=st.sampled_from([NodeEvent.REBOOT, NodeEvent.REIMAGE, NodeEvent.DEALLOCATE]),
        disposal=DISPOSALS,
    )
    def restart_node(self, pool_id: str, place: int, how: Any, disposal: Any) -> None:
        if node := self.node(pool_id, place):
            self.submit(node_events.RestartNode(pool_id, node, how, disposal))

    @rule(
        pool_id=POOLS,
        place=NODES,
        what=st.sampled_from(
            [
                node_events.StartNode,
                node_events.DisableScheduling,
                node_events.EnableScheduling,
                node_events.PreemptNode,
                node_events.RestoreNode,
                node_events.BreakNode,
                node_events.LoseContact,
                node_events.RegainContact,
                node_events.UpgradeNode,
            ]
        ),
    )
    def happen_to_node(self, pool_id: str, place: int, what: Any) -> None:
        if node := self.node(pool_id, place):
            self.submit(what(pool_id, node))

    @rule(
        job_id=st.sampled_from(["j", "k"]),
        pool_id=POOLS,
        prepares=st.booleans(),
        waits=st.booleans(),
        managed=st.booleans(),
        limit=st.sampled_from([-1, -1, 1]),
        on_failure=st.sampled_from(["noaction", "performexitoptionsjobaction"]),
        wall_clock=st.sampled_from([None, None, 1800.0]),
    )
    def add_job(
        self,
        job_id: str,
        pool_id: str,
        prepares: bool,
        waits: bool,
        managed: bool,
        limit: int,
        on_failure: str,
        wall_clock: float | None,
    ) -> None:
        job = Job(
            id=job_id,
            document={"id": job_id, "maxParallelTasks": limit, "onTaskFailure": on_failure},
            created=self.stage.now,
            etag="",
            modified=self.stage.now,
            priority=len(job_id),
            pool_id=pool_id,
            wall_clock=wall_clock,
            preparation_task=JobTask("prep", 1, 600.0, waits) if prepares else None,
            release_task=JobTask("release", wall_clock=900.0) if prepares else None,
        )
        if managed:
            job.manager = replace(self.task(job_id, "boss", 1, 1, None, []), exclusive=True)
            job.ends_with_manager = waits
        self.submit(events.AddJob(job))

    def task(
        self, job_id: str, task_id: str, slots: int, retries: int, limit: float | None, parents: list[str]
    ) -> Task:
        document: dict[str, Any] = {"id": task_id}
        if parents:
            document["dependsOn"] = {"taskIds": parents, "taskIdRanges": [{"start": 0, "end": 1}]}
        return Task(
            id=task_id,
            job_id=job_id,
            document=document,
            created=self.stage.now,
            etag="",
            modified=self.stage.now,
            sequence=0,
            slots=slots,
            max_retries=retries,
            wall_clock=limit,
            retention=60.0,
        )

    @rule(job_id=JOBS, task_ids=st.lists(TASKS, min_size=1, unique=True))
    def add_tasks(self, job_id: str, task_ids: list[str]) -> None:
        for task_id in task_ids:
            self.submit(events.AddTask(job_id, self.task(job_id, task_id, 1, 1, None, [])))

    @rule(job_id=JOBS, task_id=TASKS, instances=st.integers(1, 3), retries=st.integers(0, 1))
    def add_multi_instance_task(self, job_id: str, task_id: str, instances: int, retries: int) -> None:
        task = self.task(job_id, task_id, 1, retries, 400.0, [])
        task.instances = instances
        self.submit(events.AddTask(job_id, task))

    @rule(
        job_id=JOBS,
        task_id=TASKS,
        slots=st.integers(1, 2),
        retries=st.integers(0, 1),
        limit=st.sampled_from([None, None, 300.0]),
        parents=st.lists(TASKS, max_size=2),
    )
    def add_task(self, job_id: str, task_id: str, **more: Any) -> None:
        self.submit(events.AddTask(job_id, self.task(job_id, task_id, **more)))

    @rule(
        job_id=JOBS,
        task_id=TASKS,
        what=st.sampled_from([events.TerminateTask, events.DeleteTask, events.ReactivateTask]),
    )
    def happen_to_task(self, job_id: str, task_id: str, what: Any) -> None:
        self.submit(what(job_id, task_id))

    @rule(job_id=JOBS, choice=st.sampled_from(["requeue", "terminate", "wait"]))
    def disable_job(self, job_id: str, choice: Any) -> None:
        self.submit(events.DisableJob(job_id, choice))

    @rule(job_id=JOBS)
    def enable_job(self, job_id: str) -> None:
        self.submit(events.EnableJob(job_id))

    @rule(window=st.sampled_from([None, 120.0]), end=st.sampled_from([None, 1500.0]))
    def add_schedule(self, window: float | None, end: float | None) -> None:
        now = self.stage.now
        timing = Timing(end=None if end is None else now + end, window=window, interval=600.0)
        document = {"id": "S", "jobSpecification": SPECIFICATION}
        schedule = JobSchedule("S", document, created=now, etag="", modified=now, timing=timing)
        self.submit(job_events.AddSchedule(schedule))

    @rule(
        what=st.sampled_from(
            [
                job_events.DisableSchedule,
                job_events.EnableSchedule,
                job_events.TerminateSchedule,
            ]
        )
    )
    def happen_to_schedule(self, what: Any) -> None:
        self.submit(what("s"))

    @rule(job_id=JOBS, what=st.sampled_from(["terminate", "delete", "pool", "schedule"]))
    def end(self, job_id: str, what: str) -> None:
        job = self.world.account.jobs.get(job_id)
        if what == "terminate":
            self.submit(events.TerminateJob(job_id, "enough"))
        elif what == "delete":
            self.submit(events.DeleteJob(job_id))
        elif what == "schedule":
            self.submit(job_events.DeleteSchedule("s"))
        elif job is not None and job.pool_id is not None:
            self.submit(events.DeletePool(job.pool_id))

    @precondition(lambda self: bool(self.live))
    @rule(choice=st.integers(0, 99), end=ENDS)
    def end_run(self, choice: int, end: tuple[int | None, Failure | None]) -> None:
        runs = sorted(self.live)
        self.finish(runs[choice % len(runs)], *end)

    def finish(self, run: int, exit_code: int | None, failure: Failure | None) -> None:
        self.live.remove(run)
        if run in self.killed:
            exit_code, failure = 143, FAILED
        self.submit(events.RunEnded(run, Outcome(self.stage.now, self.stage.now, exit_code, failure)))

    @rule(seconds=st.sampled_from([0.0, 0.0, 1.0, 100.0, 900.0]))
    def pass_time(self, seconds: float) -> None:
        self.stage.pass_time(seconds)
        self.follow()
