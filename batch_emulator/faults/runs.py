"""Faults of runs: what becomes of an attempt to run a command, decided before it begins."""

import asyncio
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from batch_emulator.clock import Clock, sleep
from batch_emulator.compute_node.environment import RunKind
from batch_emulator.compute_node.task_run import EXIT_CODE_FAILURE, CommandRun, RunCommand, Services
from batch_emulator.faults import kinds
from batch_emulator.faults.kinds import RunFault
from batch_emulator.faults.rules import Rules, like
from batch_emulator.outcomes import Failure, Outcome
from batch_emulator.wire.values import parse_timestamp

KILLED = 137
"""128 + SIGKILL, as a shell tells it."""

_USER_ERRORS = ("Denied", "NotFound", "Conflict")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a run is, as far as faults look at it. Lists are in wire form; ids are empty where it has none."""

    kind: RunKind
    pool: str
    job: str = ""
    task: str = ""
    resource_files: Sequence[Mapping[str, Any]] = ()
    output_files: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Mishap:
    """What goes wrong in one run; None where nothing does."""

    exit_code: int | None = None
    """Instead of running the command."""
    failure: Failure | None = None
    """Before the command, which is not run."""
    killed_after: float | None = None
    upload: Failure | None = None
    """At the end, if there is something to store."""

    def outcome(self, started: float, ended: float) -> Outcome | None:
        """How the run ends if its command is not even begun; None if it is."""
        if self.failure is not None:
            return Outcome(started, ended, None, self.failure)
        if self.exit_code is not None:
            return finished(started, ended, self.exit_code)
        return None


def finished(started: float, ended: float, exit_code: int) -> Outcome:
    """The outcome of a command that exits with a code, and nothing else wrong."""
    return Outcome(started, ended, exit_code, EXIT_CODE_FAILURE if exit_code else None)


def mishap(rules: Rules, subject: Subject, now: float) -> Mishap | None:
    """What goes wrong in a run that begins at this time (seconds since the epoch)."""
    if subject.kind is RunKind.START_TASK:
        exits = next(rules.struck(kinds.StartTaskExit, lambda fault: like(subject.pool, fault.pool)), None)
        return Mishap(exit_code=exits.exit_code) if exits is not None else _expired(rules, subject, now)
    for fault in rules.struck(RunFault, lambda fault: _matches(fault, subject)):
        match fault:
            case kinds.TaskExit():
                return Mishap(exit_code=fault.exit_code)
            case kinds.DiskFull():
                return Mishap(failure=_failure("DiskFull", "There is not enough disk space on the node."))
            case kinds.DownloadFailure():
                return Mishap(failure=_download(fault.code))
            case kinds.UploadFailure():
                return Mishap(upload=_upload(fault.code))
            case kinds.TaskKilled():
                return Mishap(killed_after=fault.after)
    return _expired(rules, subject, now)


def _matches(fault: RunFault, subject: Subject) -> bool:
    if isinstance(fault, kinds.DownloadFailure) and not subject.resource_files:
        return False
    if isinstance(fault, kinds.UploadFailure) and not subject.output_files:
        return False
    ids = ((subject.pool, fault.pool), (subject.job, fault.job), (subject.task, fault.task))
    return all(like(text, pattern) for text, pattern in ids)


def _expired(rules: Rules, subject: Subject, now: float) -> Mishap | None:
    """What storage denies when its clock is ahead: SAS that are over by then."""
    skews = [rule.fault for rule in rules if isinstance(rule.fault, kinds.ClockSkew)]
    ahead = sum(skew.seconds for skew in skews if skew.of == "storage")
    if not ahead:
        return None
    if any(_over(file.get("httpUrl"), now + ahead) for file in subject.resource_files):
        return Mishap(failure=_download("BlobAccessDenied"))
    if any(_over(file.get("storageContainerUrl"), now + ahead) for file in subject.resource_files):
        return Mishap(failure=_download("ResourceContainerAccessDenied"))
    if any(_over(url, now + ahead) for url in _container_urls(subject)):
        return Mishap(upload=_upload("FileUploadAccessDenied"))
    return None


def _container_urls(subject: Subject) -> Iterator[str | None]:
    for file in subject.output_files:
        yield file["destination"]["container"].get("containerUrl")


def _over(url: str | None, now: float) -> bool:
    expiry = parse_qs(urlsplit(url).query).get("se") if url else None
    try:
        return expiry is not None and parse_timestamp(expiry[0]) < now
    except ValueError:
        return False


def _failure(code: str, message: str) -> Failure:
    by_user = any(word in code for word in _USER_ERRORS)
    return Failure("UserError" if by_user else "ServerError", code, message)


def _download(code: str) -> Failure:
    return _failure(code, "One of the specified resource files could not be fetched.")


def _upload(code: str) -> Failure:
    return _failure(code, "One of the output files could not be stored.")


def stores(output_files: Sequence[Mapping[str, Any]], exit_code: int | None) -> bool:
    """Whether a run that ended so has something to store."""
    wanted = {"taskcompletion", "tasksuccess" if exit_code == 0 else "taskfailure"}
    return any(file["uploadOptions"]["uploadCondition"].lower() in wanted for file in output_files)


def with_faults(run_command: RunCommand, rules: Rules, clock: Clock) -> RunCommand:
    """`run_command`, but with the faults in force."""

    async def run(command: CommandRun, services: Services, end: asyncio.Event) -> Outcome:
        wrong = mishap(rules, _subject(command), clock.now())
        if wrong is None:
            return await run_command(command, services, end)
        now = clock.now()
        unbegun = wrong.outcome(now, now)
        if unbegun is not None:
            return unbegun
        if wrong.killed_after is not None:
            killed = run_command(replace(command, kill_grace=0.0), services, inner := asyncio.Event())
            return await _killed(killed, inner, end, sleep(clock, wrong.killed_after))
        outcome = await run_command(replace(command, output_files=()), services, end)
        if outcome.exit_code == 0 and outcome.failure is None and stores(command.output_files, 0):
            return replace(outcome, failure=wrong.upload)
        return outcome

    return run


def _subject(command: CommandRun) -> Subject:
    identity = command.identity
    return Subject(
        identity.kind,
        command.node.pool_id,
        identity.job_id or "",
        identity.task_id or "",
        command.resource_files,
        command.output_files,
    )


async def _killed(
    running: Awaitable[Outcome], inner: asyncio.Event, end: asyncio.Event, pause: Awaitable[None]
) -> Outcome:
    work = asyncio.ensure_future(running)
    asked, over = asyncio.ensure_future(end.wait()), asyncio.ensure_future(pause)
    try:
        await asyncio.wait((work, asked, over), return_when=asyncio.FIRST_COMPLETED)
        by_fault = over.done() and not work.done() and not asked.done()
        inner.set()
        outcome = await work
    finally:
        asked.cancel()
        over.cancel()
        work.cancel()
        await asyncio.wait((work,))
    return finished(outcome.started, outcome.ended, KILLED) if by_fault else outcome
