"""A runner without processes: each run takes a drawn time, then it has exited."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from batch_emulator import events
from batch_emulator.compute_node.environment import RunKind
from batch_emulator.compute_node.task_run import TASK_ENDED
from batch_emulator.events import Instruction
from batch_emulator.faults.rules import Rules
from batch_emulator.faults.runs import KILLED, Mishap, Subject, finished, mishap, stores
from batch_emulator.job_events import RunCoordination, RunJobTask
from batch_emulator.outcomes import Outcome
from batch_emulator.runner import Runner
from batch_emulator.simulation.work import Profile

NOTHING_WRONG = Mishap()


class SimulatedRunner(Runner):
    """Like the real one to the scheduler; nodes have no files, and nothing is fetched or stored."""

    _profile: Profile
    _seed: str
    _rules: Rules
    _launching: float
    _started: dict[int, float]

    def simulate(self, profile: Profile, seed: str, rules: Rules, launching: float) -> None:
        """Set what commands do, the seed by which it is drawn, the faults, and the delay of each run."""
        self._profile, self._seed = profile, seed
        self._rules, self._launching = rules, launching
        self._started = {}

    async def open(self) -> None:
        """Nothing to open: there are no processes."""

    async def reset(self, pools: Iterable[str]) -> None:
        """Forget all runs."""
        del pools
        self._started.clear()

    def carry_out(self, instructions: Iterable[Instruction]) -> None:
        """Let runs begin and end; files are not there to be removed."""
        for instruction in instructions:
            match instruction:
                case events.After(seconds, event):
                    self._clock.call_later(seconds, partial(self._report, event))
                case events.RunTask(run) | events.RunStartTask(run) | RunJobTask(run):
                    self._begin_simulated(run, instruction)
                case RunCoordination(run):
                    now = self._clock.now()
                    self._started[run] = now
                    self._clock.call_later(0.0, partial(self._end, run, Outcome(now, now, 0)))
                case events.Kill(run):
                    self._kill(run)

    def _begin_simulated(self, run: int, order: events.RunTask | events.RunStartTask | RunJobTask) -> None:
        subject, document, attempt = self._subject(order)
        now = self._clock.now()
        self._started[run] = now
        wrong = mishap(self._rules, subject, now) or NOTHING_WRONG
        unbegun = wrong.outcome(now, now)
        if unbegun is not None:
            self._clock.call_later(0.0, partial(self._end, run, unbegun))
            return
        name = f"{self._seed}/{subject.job}/{subject.task}/{attempt}"
        seconds, exit_code = self._profile.draw(document, name)
        if wrong.killed_after is not None and wrong.killed_after < seconds:
            seconds, exit_code = wrong.killed_after, KILLED
        seconds += self._launching
        outcome = finished(now, now + seconds, exit_code)
        if wrong.upload is not None and not exit_code and stores(subject.output_files, 0):
            outcome = Outcome(now, now + seconds, 0, wrong.upload)
        self._clock.call_later(seconds, partial(self._end, run, outcome))

    def _end(self, run: int, outcome: Outcome) -> None:
        if self._started.pop(run, None) is not None:
            self._report(events.RunEnded(run, outcome))

    def _kill(self, run: int) -> None:
        if run in self._started:
            outcome = Outcome(self._started.pop(run), self._clock.now(), None, TASK_ENDED)
            # Not at once: an event is being handled.
            self._clock.call_later(0.0, partial(self._report, events.RunEnded(run, outcome)))

    def _subject(
        self, order: events.RunTask | events.RunStartTask | RunJobTask
    ) -> tuple[Subject, dict[str, Any], str]:
        """What runs, its document, and which attempt it is."""
        pool = self._account.pools[order.pool]
        if isinstance(order, events.RunStartTask):
            document = pool.document["startTask"]
            place = list(pool.nodes).index(order.node)
            files = document.get("resourceFiles", ())
            return Subject(RunKind.START_TASK, pool.id, resource_files=files), document, f"start/{place}"
        job = self._account.jobs[order.job]
        if isinstance(order, RunJobTask):
            preparing = order.kind == "preparation"
            document = job.document["jobPreparationTask" if preparing else "jobReleaseTask"]
            kind = RunKind.JOB_PREPARATION if preparing else RunKind.JOB_RELEASE
            return Subject(kind, pool.id, job.id, document["id"]), document, str(order.run)
        task = job.tasks[order.task]
        subject = Subject(
            RunKind.TASK,
            pool.id,
            job.id,
            task.id,
            task.document.get("resourceFiles", ()),
            task.document.get("outputFiles", ()),
        )
        return subject, task.document, f"{task.retries + task.requeues}"
