"""Create the run's two containers: one for inputs and node scripts, one for what the tasks upload."""

from __future__ import annotations

from collections.abc import Mapping

from azure.core.exceptions import ResourceExistsError

from batch_tasks.clients import blob_service
from batch_tasks.errors import ResourceBusy, error_code
from batch_tasks.naming import RunNames
from batch_tasks.patience import FIRST_CONTACT, patiently, pause
from batch_tasks.stage import log, stage

_WAIT_FOR_DELETION = 120.0  # seconds; Azure says a container's name is free again after "at least 30 seconds"
_BETWEEN_TRIES = 5.0


@stage("create-containers")
def create_containers(names: RunNames, metadata: Mapping[str, str]) -> None:
    """Make both containers of the run; those of an earlier try of the same run are kept as they are.

    Raises:
        ResourceBusy: a container of the name is still being deleted after two minutes.
        AzureError: storage cannot be reached or refuses.
    """
    for container in (names.input_container, names.output_container):
        ensure_container(container, metadata)
    log().debug("Containers %s and %s are there", names.input_container, names.output_container)


def ensure_container(name: str, metadata: Mapping[str, str]) -> None:
    """Create the container unless it exists; wait for the end of a deletion under way.

    One that exists gets the metadata of this attempt, which says until when the run may take; when the run
    was begun stays as the first attempt wrote it.
    """
    waited = 0.0
    while True:
        try:
            patiently(
                lambda: blob_service().create_container(name, metadata=dict(metadata)), patience=FIRST_CONTACT
            )
        except ResourceExistsError as error:
            if error_code(error) == "ContainerAlreadyExists":
                _renew(name, metadata)
                return
            if error_code(error) != "ContainerBeingDeleted":
                raise
        else:
            return
        if waited >= _WAIT_FOR_DELETION:
            raise ResourceBusy(
                f"The container {name} is still being deleted after {waited:.0f} s. Run again in a minute."
            )
        pause(_BETWEEN_TRIES)
        waited += _BETWEEN_TRIES


def _renew(name: str, metadata: Mapping[str, str]) -> None:
    container = blob_service().get_container_client(name)
    there = patiently(container.get_container_properties).metadata or {}
    begun = {"created": there["created"]} if "created" in there else {}
    patiently(lambda: container.set_container_metadata({**metadata, **begun}))
