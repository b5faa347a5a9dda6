"""What in the account is ours, by the metadata that says so and the name that must agree with it.

Both are asked for: a name alone may be another's, and metadata alone may have been copied with a script.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from azure.batch.models import BatchJob, BatchPool
from azure.core.exceptions import AzureError

from batch_tasks.clients import batch_client, blob_service
from batch_tasks.errors import AccountError, error_code
from batch_tasks.naming import OWNER, TIMESTAMP, RunNames
from batch_tasks.patience import FIRST_CONTACT, patient_list
from batch_tasks.wire import wire_value

Kind = Literal["pool", "job", "input_container", "output_container"]


@dataclass(frozen=True)
class OwnedResource:
    """A pool, job or container of a run. `expires` is None where its metadata tells no time.

    `kept` says that the run was asked to leave it. `heartbeat` is the time between two signs of life of the
    run: zero where it gives none, None where its metadata does not say.
    """

    kind: Kind
    name: str
    run: RunNames
    expires: datetime | None = None
    kept: bool = False
    heartbeat: timedelta | None = None

    def __str__(self) -> str:
        return f"{self.kind.rpartition('_')[2]} {self.name}"


def owned_resources() -> list[OwnedResource]:
    """Every pool, job and container of ours that is there and not being deleted.

    Raises:
        AccountError: the account cannot be reached or refuses.
    """
    try:
        return [*_in_batch(), *_in_storage()]
    except AzureError as error:
        why = error_code(error) or type(error).__name__
        raise AccountError(f"What the account holds cannot be listed: {why}.") from error


def owned_resource(
    kind: Literal["pool", "job", "container"], name: str, metadata: Mapping[str, str]
) -> OwnedResource | None:
    """A resource by its name and metadata; None when it is not ours. Pure."""
    run = RunNames.parse(name)
    if run is None or metadata.get("owner") != OWNER or metadata.get("flow_run_id") != run.flow_run_id:
        return None
    names: Mapping[str, Kind] = (
        {run.input_container: "input_container", run.output_container: "output_container"}
        if kind == "container"
        else {run.job_id if kind == "job" else run.pool_id: kind}
    )
    if name not in names:
        return None
    kept = names[name] in metadata.get("keep", "").split()
    beat = metadata.get("heartbeat", "")
    heartbeat = timedelta(seconds=int(beat)) if beat.isdecimal() else None
    return OwnedResource(names[name], name, run, time_of(metadata.get("expires", "")), kept, heartbeat)


def time_of(text: str) -> datetime | None:
    """A time as metadata spells it; None when it is none."""
    try:
        return datetime.strptime(text, TIMESTAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def metadata_of(resource: BatchPool | BatchJob) -> Mapping[str, str]:
    """A pool's or job's metadata by name."""
    return {item.name: item.value for item in resource.metadata or ()}


def _in_batch() -> Iterator[OwnedResource]:
    select = ["id", "state", "metadata"]
    pools = patient_list(lambda: batch_client().list_pools(select=select), patience=FIRST_CONTACT)
    jobs = patient_list(lambda: batch_client().list_jobs(select=select), patience=FIRST_CONTACT)
    kinds: tuple[tuple[Literal["pool", "job"], Sequence[BatchPool | BatchJob]], ...] = (
        ("pool", pools),
        ("job", jobs),
    )
    for kind, listed in kinds:
        for resource in listed:
            ours = owned_resource(kind, resource.id, metadata_of(resource))
            if ours is not None and wire_value(resource.state) != "deleting":
                yield ours


def _in_storage() -> Iterator[OwnedResource]:
    containers = patient_list(
        lambda: blob_service().list_containers(include_metadata=True), patience=FIRST_CONTACT
    )
    for container in containers:
        ours = owned_resource("container", str(container.name), dict(container.metadata or {}))
        if ours is not None:
            yield ours
