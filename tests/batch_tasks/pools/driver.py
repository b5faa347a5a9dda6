"""A driver that stops within a stage and waits to be killed: the stages of a run as a process."""

import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import NamedTuple
from uuid import UUID

from batch_tasks.clean_up import clean_up
from batch_tasks.clients import signed_in
from batch_tasks.create_containers import create_containers
from batch_tasks.create_job import create_job
from batch_tasks.inputs import find_inputs
from batch_tasks.naming import RunNames
from batch_tasks.options import CleanUpPolicy, PoolOptions
from batch_tasks.plan import RunPlan, plan_tasks
from batch_tasks.poll_tasks import Rhythm, poll_tasks
from batch_tasks.progress import Progress, watching
from batch_tasks.provision_pool import pool_by_id, provision_pool
from batch_tasks.retrieve_outputs import retrieve_outputs
from batch_tasks.settings import Account
from batch_tasks.submit_tasks import submit_tasks
from batch_tasks.upload_inputs import upload_inputs
from batch_tasks.workload import Workload

OFTEN = Rhythm(shortest=0.05, longest=0.1)


class Request(NamedTuple):
    """A run on the files of `folder`, and the stage to stop in."""

    account: Account
    stop_in: str
    kind: str
    run: str
    folder: str
    hours: float


def drivers(asked: Connection, said: Connection) -> None:
    """Fork a driver for each request; whoever asks is told its process id, and kills it.

    All that drivers import is imported once, by this process.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        try:
            request: Request = asked.recv()
        except EOFError:
            return
        if os.fork() == 0:
            try:
                said.send(os.getpid())
                drive(request, said)
            finally:
                said.send(None)
                os._exit(1)


def drive(request: Request, said: Connection) -> None:
    """Run all stages, and stop in the stage named once that is said."""
    one_says_it = threading.Lock()

    def reached(stage: str) -> None:
        if stage == request.stop_in:
            with one_says_it:
                said.send(stage)
                time.sleep(3600)

    def watch(progress: Progress) -> None:
        if progress.phase != "poll-tasks" or progress.running:
            reached(progress.phase)

    named = {"pool_id": f"kept-{request.run[:8]}"} if request.kind == "named" else {}
    pool = PoolOptions.model_validate({"kind": request.kind, "task_slots_per_node": 2, **named})
    with signed_in(request.account), watching(watch):
        run_stages(planned(request), pool, f"{request.folder}.out", reached)


def planned(request: Request) -> RunPlan:
    """Work on each file of the folder that may take longer than the run."""
    workload = Workload("killed", "true {input}", ("{stem}.out",), file_minutes=3000)
    now = datetime.now(UTC).replace(microsecond=0)
    return RunPlan(
        RunNames.of("killed", UUID(request.run)),
        workload,
        plan_tasks(workload, find_inputs([request.folder])),
        now,
        now + timedelta(hours=request.hours),
    )


def run_stages(plan: RunPlan, pool: PoolOptions, output_dir: str, reached: Callable[[str], None]) -> None:
    """The stages, in order; those that tell no progress are told of at their end."""
    create_containers.fn(plan.names, plan.metadata)
    known = pool_by_id(plan, pool)
    if known:
        create_job.fn(plan, known)
        reached("create-job")
    made = provision_pool.fn(plan, pool)
    reached("provision-pool")
    upload_inputs.fn(plan)
    if not known:
        create_job.fn(plan, made)
        reached("create-job")
    submit_tasks.fn(plan)
    finished = poll_tasks.fn(plan, OFTEN, OFTEN)
    reached("retrieve-outputs")
    retrieve_outputs.fn(plan, finished, output_dir)
    reached("clean-up")
    clean_up.fn(plan.names, CleanUpPolicy())
