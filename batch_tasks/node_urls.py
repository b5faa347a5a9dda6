"""The URLs by which the nodes of a run reach storage: signed for the time of the run, or with an identity."""

from __future__ import annotations

from datetime import timedelta

from batch_tasks.clients import (
    blob_url_signer,
    read_container_url,
    storage_url,
    stored_url_signer,
    write_container_url,
)
from batch_tasks.plan import RunPlan
from batch_tasks.task_options import Identity, NodeUrls

SAS_MARGIN = timedelta(hours=1)
"""How long signed URLs outlast the run: clocks differ, and the last upload takes its time."""


def node_urls(plan: RunPlan) -> NodeUrls:
    """What the tasks of the run are told. With an identity nothing is signed, and nothing expires.

    Raises:
        AccountError: URLs cannot be signed for as long as the run may take.
    """
    names = plan.names
    if plan.identity:
        return NodeUrls(
            read=lambda blob: storage_url(names.input_container, blob),
            stored=lambda url: url,
            read_outputs=storage_url(names.output_container),
            write_outputs=storage_url(names.output_container),
            identity=Identity(plan.identity, storage_url()),
        )
    until = plan.expires + SAS_MARGIN
    return NodeUrls(
        read=blob_url_signer(names.input_container, until),
        stored=stored_url_signer(until),
        read_outputs=read_container_url(names.output_container, until),
        write_outputs=write_container_url(names.output_container, until),
    )
