"""The eight stages, chained in one place: every workload runs through here."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from prefect import runtime
from prefect.futures import PrefectFuture

from batch_tasks.clean_up import clean_up
from batch_tasks.clients import signed_in
from batch_tasks.create_containers import create_containers
from batch_tasks.create_job import create_job
from batch_tasks.errors import CleanUpFailed, InputError
from batch_tasks.find_earlier_work import find_earlier_work
from batch_tasks.inputs import Look, Outputs, find_inputs, not_looked
from batch_tasks.keep_report import own_folder
from batch_tasks.money.bill import billed
from batch_tasks.money.prices import PriceTable
from batch_tasks.money.spending import too_expensive
from batch_tasks.naming import RunNames
from batch_tasks.options import CleanUpPolicy, PoolOptions, RunOptions
from batch_tasks.patience import open_run
from batch_tasks.plan import RunPlan, plan_problems, plan_tasks
from batch_tasks.poll_tasks import ended_so_far, poll_tasks
from batch_tasks.pre_flight import nothing_run, pre_flight
from batch_tasks.pre_flight.refusals import refusals_explained
from batch_tasks.provision_pool import pool_by_id, provision_pool
from batch_tasks.report import FinishedTask, RunReport
from batch_tasks.retrieve_outputs import retrieve_outputs
from batch_tasks.stage import log
from batch_tasks.stored_inputs import stored_files
from batch_tasks.submit_tasks import submit_tasks
from batch_tasks.unfinished import RunStopped, TasksFailed, TooExpensive
from batch_tasks.upload_inputs import upload_inputs
from batch_tasks.verified_outputs import VerifiedOutputs
from batch_tasks.workload import Workload
from flows import attempt, run_events
from flows.account import account_for
from flows.interruptions import interruptions_come_through, uninterrupted
from flows.run_history import run_history, tag_alone, told_if_refused
from flows.run_log import tell_errors_in_sentences

WAIT_FOR_POOL_REQUEST, SEND_WITHIN = 4.0, 2.0
"""Seconds; of the 30 that Prefect grants a cancelled run for everything."""


def run_workload(
    workload: Workload, input_files: Sequence[str], options: RunOptions, account: str | None = ""
) -> RunReport:
    """Run the workload on the files, on the account of that name; call it from a flow.

    What is wrong with the input is found before an account is asked for and before anything is made.

    Raises:
        InputError: the workload, an input or the output folder cannot be used; all problems in one.
        AccountError: there is no such account, or it cannot be used.
        PreFlightFailed: the run cannot go well on the account; all problems in one.
        TasksFailed: some files failed; the outputs of the others are in the output folder.
    """
    tell_errors_in_sentences()
    with ExitStack() as stack:
        with told_if_refused(workload.name):
            plan_run(workload, input_files, options, look=not_looked)
            found = stack.enter_context(account_for(account))
            stack.enter_context(signed_in(found))
            stack.enter_context(refusals_explained(found))
            plan = plan_run(workload, input_files, options)
        _say_what_is_left_out(plan, options.output_dir)
        files = sum(1 for _ in plan.files)
        with told_if_refused(workload.name, files):
            prices = pre_flight(plan, options.pool, asked_for=options.check_only)
        if options.check_only:
            tag_alone(workload.name, files, "outcome:checked")
            return nothing_run(plan, options.output_dir)
        return _run_planned(plan, options, prices)


def _say_what_is_left_out(plan: RunPlan, output_dir: str) -> None:
    if plan.left_out:
        log().warning(
            "%d files in the output folder %r are taken for outputs, not for inputs.",
            plan.left_out,
            output_dir,
        )


def _run_planned(plan: RunPlan, options: RunOptions, prices: PriceTable) -> RunReport:
    """The stages, in order."""
    folder = own_folder(plan, options.output_dir)
    with (
        run_history(plan, options.deleted) as history,
        billed(plan, options.pool, prices, folder) as bill,
        open_run() as closing,
        _cleaned_up(plan.names, options.deleted, closing) as in_the_background,
        interruptions_come_through(),
    ):
        earlier = find_earlier_work(plan, options.output_dir)
        bill.begin(earlier.began)
        create_containers(plan.names, earlier.rest.metadata)
        try:
            finished, stopped = _computed(earlier.rest, options.pool, in_the_background)
        except TooExpensive as too_much:  # before the tasks were waited for
            finished, stopped = ended_so_far(plan.names.job_id), too_much
        report = bill.on(
            retrieve_outputs(plan, finished, options.output_dir, earlier, download=options.download)
        )
        history.tell(report)
        VerifiedOutputs(folder).forget()
        if report.failed:
            raise TasksFailed(report, stopped)
        return report


def _computed(
    plan: RunPlan, pool: PoolOptions, in_the_background: list[PrefectFuture[Any]]
) -> tuple[Sequence[FinishedTask], RunStopped | None]:
    """The tasks that ended, and why the others will not: what is done is retrieved in any case."""
    if not plan.tasks:
        return (), None
    if (too_much := too_expensive()) is not None:  # by earlier attempts
        raise TooExpensive(too_much)
    known = pool_by_id(plan, pool)
    if known:
        create_job(plan, known)  # nodes are paid for while they wait: a full quota of jobs comes first
    provisioning = provision_pool.submit(plan, pool)
    in_the_background.append(provisioning)
    upload_inputs(plan)
    made = provisioning.result()
    if not known:
        create_job(plan, made)
    submit_tasks(plan)
    try:
        return poll_tasks(plan), None
    except RunStopped as stopped:
        return stopped.finished, stopped


def plan_run(
    workload: Workload, input_files: Sequence[str], options: RunOptions, look: Look = stored_files
) -> RunPlan:
    """Everything the run will make and do. Makes nothing. `look` asks storage for inputs that are there.

    Raises:
        InputError: with all problems of workload, inputs and output folder.
    """
    problems = workload.problems()
    outputs = Outputs(Path(options.output_dir))
    try:
        inputs = find_inputs(input_files, look, outputs)
    except InputError as error:
        raise InputError([*problems, *error.problems, *_output_problems(options)]) from None
    if not problems:
        problems = [problem for file in inputs for problem in workload.file_problems(Path(file.key).name)]
    problems += _output_problems(options)
    if problems:
        raise InputError(problems)
    now = datetime.now(UTC).replace(microsecond=0)
    names = RunNames.of(workload.name, runtime.flow_run.id or uuid4())
    tasks = plan_tasks(workload, inputs, options.files_per_task)
    expires = now + timedelta(hours=options.pool.max_hours)
    plan = RunPlan(
        names,
        workload,
        tasks,
        now,
        expires,
        keep=options.clean_up.kept,
        retry=options.retry,
        identity=options.pool.identity,
        left_out=outputs.left_out,
        heartbeat=attempt.heartbeat(),
    )
    problems = [*plan_problems(tasks, workload), *_overwritten_inputs(plan, Path(options.output_dir))]
    if problems:
        raise InputError(problems)
    return plan


@contextmanager
def _cleaned_up(
    names: RunNames, policy: CleanUpPolicy, closing: threading.Event
) -> Iterator[list[PrefectFuture[Any]]]:
    """The clean-up task runs at the end of the block, however that comes; its failure hides no other error.

    The containers of an attempt that failed stay where Prefect will make another one at once: what is done is
    in them. Nothing is deleted under another attempt that runs already.

    Prefect tasks in the background are put in the list: what they still make must not outlive the clean-up.
    """
    in_the_background: list[PrefectFuture[Any]] = []

    def finish(error: BaseException | None = None) -> None:
        kept = _for_another_attempt(policy) if isinstance(error, Exception) else policy
        with uninterrupted():
            closing.set()
            for future in in_the_background:
                future.wait(WAIT_FOR_POOL_REQUEST)
            try:
                if attempt.goes_on_elsewhere():
                    log().warning("Another attempt of this run has begun: what it needs is left to it")
                else:
                    _clean_up(names, kept)
            finally:
                if error is not None and not isinstance(error, Exception):
                    run_events.send_within(SEND_WITHIN)

    try:
        yield in_the_background
    except BaseException as error:
        try:
            finish(error)
        except CleanUpFailed as failed:
            error.add_note(str(failed))
        raise
    finish()


def _for_another_attempt(policy: CleanUpPolicy) -> CleanUpPolicy:
    """What to delete of an attempt that failed: not its containers, if Prefect makes another one."""
    if not attempt.retry_is_left():
        return policy
    return policy.model_copy(update={"input_container": False, "output_container": False})


def _clean_up(names: RunNames, policy: CleanUpPolicy) -> None:
    """The clean-up task, and an event of how it went."""
    try:
        deleted = clean_up(names, policy)
    except CleanUpFailed as failed:
        run_events.clean_up_failed(names, str(failed), run_events.RUN)
        raise
    run_events.cleaned_up(names, deleted, run_events.RUN)


def _output_problems(options: RunOptions) -> list[str]:
    lost = (
        "The outputs would be lost: they are not to come down, and the clean-up deletes their container. "
        "Let them come down, or keep the output container."
    )
    nowhere = not options.download and options.clean_up.output_container
    return _folder_problems(options.output_dir) + ([lost] if nowhere else [])


def _folder_problems(output_dir: str) -> list[str]:
    folder = Path(output_dir)
    nearest = next(
        parent for parent in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(parent)
    )
    if not nearest.is_dir():
        return [f"The output folder {output_dir!r} cannot be made: {str(nearest)!r} is not a folder."]
    if not os.access(nearest, os.W_OK | os.X_OK):
        return [f"The output folder {output_dir!r} cannot be written: no permission in {str(nearest)!r}."]
    return []


def _overwritten_inputs(plan: RunPlan, output_dir: Path) -> Iterator[str]:
    inputs = {Path(file.input.path).resolve() for file in plan.files if not file.input.url}
    for output in (output for task in plan.tasks for file in task.files for output in file.outputs):
        if output.path and not output.is_pattern:
            target = output_dir / output.path
            if target.resolve() in inputs:
                yield f"The output {str(target)!r} would replace an input: choose another output folder."
