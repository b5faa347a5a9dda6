"""Whatever happens, in whatever order: what must always hold in the scheduler's world.

Random requests, ends of runs and passing time are thrown at a small account. A request may be refused; any
other exception is a fault. After each step the whole world is recounted; at the end everything is deleted,
and nothing may be left of it.
"""

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant

from batch_emulator import events, job_events
from batch_emulator.lifecycle import JobState, NodeState, PoolState, TaskState
from batch_emulator.resources import Task, key
from batch_emulator.scheduler.world import WORKING
from tests.batch_emulator.scheduler.small_account import SmallAccount


class Account(SmallAccount):
    """What must hold after each step, and in the end."""

    @invariant()
    def slots_are_never_exceeded_and_belong_to_runs(self) -> None:
        for pool_key, pool in self.world.account.pools.items():
            for node in pool.nodes.values():
                assert 0 <= node.slots_taken <= pool.slots_per_node
                for run_id, slots in node.runs.items():
                    run = self.world.runs[run_id]
                    assert (run.pool, run.node, run.slots) == (pool_key, node.id, slots)
                if node.state in WORKING:
                    assert (node.state is NodeState.RUNNING) == (node.slots_taken > 0)

    @invariant()
    def each_run_is_known_to_both_sides(self) -> None:
        begun = {run_id for run_id, run in self.world.runs.items() if run.begun}
        assert begun == self.live
        assert {run_id for run_id, run in self.world.runs.items() if run.ending and run.begun} == (
            self.killed & self.live
        )

    @invariant()
    def no_task_is_lost_or_run_twice_at_once(self) -> None:
        for job_key, job in self.world.account.jobs.items():
            ready = {task_key for task_key, _ in _all(self.world.ready[job_key])}
            for task_key, task in job.tasks.items():
                assert (task.run is not None) == (task.state in (TaskState.RUNNING, TaskState.PREPARING))
                waits = task.state is TaskState.ACTIVE and not task.waiting_for
                assert (task_key in ready) == waits, task
                if task.run is not None:
                    run = self.world.runs[task.run]
                    assert (run.job, run.task, run.ending and not run.expired) == (job_key, task_key, False)
                    assert task.run in job.runs
            assert ready <= job.tasks.keys()

    @invariant()
    def tallies_add_up(self) -> None:
        for job in self.world.account.jobs.values():
            counted = Counter(
                task.state.value
                if task.state is not TaskState.COMPLETED
                else ("succeeded" if task.outcome and task.outcome.failure is None else "failed")
                for task in job.tasks.values()
            )
            assert +job.tally.tasks == counted
            assert sum(job.tally.slots.values()) == sum(task.slots for task in job.tasks.values())

    @invariant()
    def no_slot_is_idle_while_a_task_waits_for_one(self) -> None:
        for job_key, job in self.world.account.jobs.items():
            pool = self.world.account.pools.get(key(job.pool_id or ""))
            limit = job.document.get("maxParallelTasks", -1)
            full = limit != -1 and len(job.runs) >= limit
            if pool is None or job.state is not JobState.ACTIVE or full or job.preparation_task:
                continue
            for _, task in _all(self.world.ready[job_key]):
                if task.instances > 1:
                    continue
                slots = pool.slots_per_node if task.exclusive else task.slots
                assert not any(
                    node.state in WORKING
                    and node.scheduling_enabled
                    and not node.leaving
                    and node.restart is None
                    and pool.slots_per_node - node.slots_taken >= slots
                    for node in pool.nodes.values()
                )

    @invariant()
    def what_is_said_of_jobs_is_so(self) -> None:
        for job in self.world.account.jobs.values():
            if job.state is JobState.COMPLETED:
                assert not job.runs
                assert not job.side_runs
            if job.state is JobState.DISABLED:
                assert not job.runs

    def teardown(self) -> None:
        """Delete everything and let everything end: nothing is left."""
        self.submit(job_events.DeleteSchedule("s"))
        for job_key in list(self.world.account.jobs):
            self.submit(events.DeleteJob(job_key))
        for pool_key in list(self.world.account.pools):
            self.submit(events.DeletePool(pool_key))
        for _ in range(20):
            for run in sorted(self.live):
                self.finish(run, 0, None)
            self.stage.pass_time(1.0)
            self.follow()
        assert not self.live
        assert not self.world.runs
        assert not self.world.account.jobs
        assert not self.world.account.schedules
        assert {pool.state for pool in self.world.account.pools.values()} <= {PoolState.DELETING}
        assert not self.world.account.pools
        left = (self.world.ready, self.world.waiting, self.world.jobs_of_pool, self.world.free)
        assert left == ({}, {}, {}, {})


def _all(ready: Any) -> list[tuple[str, Task]]:
    return [item for group in ready._by_slots.values() for item in group.items()]


TestAccount = Account.TestCase
TestAccount.settings = settings(
    max_examples=60, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
