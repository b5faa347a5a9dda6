"""Flow runs of which Prefect tells what a test says, and what they left in an account."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from azure.batch.models import BatchJobCreateOptions, BatchPoolInfo
from prefect import flow, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Running

from batch_tasks.clean_up import delete_resources
from batch_tasks.clients import batch_client, blob_service, signed_in
from batch_tasks.naming import RunNames, metadata
from batch_tasks.options import CleanUpPolicy
from batch_tasks.pools.specification import metadata_items
from batch_tasks.settings import Account


@flow(name="left-behind")
def left_behind(account: str) -> None:
    """Never runs: its runs are only told of to Prefect."""


@contextmanager
def dead_run(account: Account, account_name: str = "environment") -> Iterator[FlowRun]:
    """A run that left its job and its containers; signed in to the account."""
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(left_behind, parameters={"account": account_name}, state=Running())
    names = names_of(run)
    now = datetime.now(UTC)
    marks = metadata(names, now, now + timedelta(hours=1), heartbeat=30)
    with signed_in(account):
        for container in (names.input_container, names.output_container):
            blob_service().create_container(container, metadata=dict(marks))
        batch_client().create_job(
            BatchJobCreateOptions(
                id=names.job_id, pool_info=BatchPoolInfo(pool_id="any"), metadata=metadata_items(marks)
            )
        )
        yield run
        delete_resources(names, CleanUpPolicy())


def names_of(run: FlowRun) -> RunNames:
    return RunNames.of("copy", run.id)


def left(run: FlowRun) -> set[str]:
    """What is there of the run: `job`, `inputs`, `outputs`."""
    names = names_of(run)
    jobs = {"job" for job in batch_client().list_jobs() if job.id == names.job_id and job.state == "active"}
    containers = [container.name for container in blob_service().list_containers()]
    return jobs | {name.rpartition("-")[2] for name in containers if names.run in name}


def came_to(run: FlowRun, *states: State[Any]) -> State[Any]:
    """The last of these states, which the run has come to."""
    with get_client(sync_client=True) as client:
        for state in states:
            client.set_flow_run_state(run.id, state, force=True)
        last = client.read_flow_run(UUID(str(run.id))).state
        assert last is not None
        return last
