"""Which VM image the nodes get: decided at run time from what Batch supports on that day."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from azure.batch import BatchClient
from azure.batch.models import BatchSupportedImage

from batch_tasks.clients import batch_client
from batch_tasks.patience import FIRST_CONTACT, patient_list
from batch_tasks.pools.vm_size import architecture
from batch_tasks.unfinished import PoolUnusable
from batch_tasks.wire import wire_value
from batch_tasks.workload import Image, Workload

END_IS_NEAR = timedelta(days=180)
"""Below this, the end of an image's support, or of a VM size, is worth a warning."""
_CONTAINERS = "dockercompatible"


@dataclass(frozen=True)
class SupportedImage:
    """A row of Batch's list: an image with the node agent for it. `ends` is when Batch's support ends."""

    image: Image
    verified: bool
    containers: bool
    arch: str
    ends: datetime | None = None


@dataclass(frozen=True)
class Resolved:
    """The image to use, and what is to be said about it."""

    image: Image
    warnings: tuple[str, ...] = ()


_listed: WeakKeyDictionary[BatchClient, tuple[SupportedImage, ...]] = WeakKeyDictionary()


def image_for(workload: Workload, vm_size: str, now: datetime) -> Resolved:
    """`resolve` with what Batch lists today; asked once a run.

    Raises:
        PoolUnusable: as `resolve`.
        AzureError: Batch cannot be reached or refuses.
    """
    return resolve(
        workload.image, supported_images(), vm_size, now, containers=bool(workload.container_image)
    )


def supported_images() -> tuple[SupportedImage, ...]:
    """The Linux images that Batch lists; each run asks once."""
    client = batch_client()
    if client not in _listed:
        rows = patient_list(
            lambda: client.list_supported_images(filter="osType eq 'linux'"), patience=FIRST_CONTACT
        )
        _listed[client] = tuple(map(supported_image, rows))
    return _listed[client]


def supported_image(row: BatchSupportedImage) -> SupportedImage:
    """A row as our own value. Batch tells no architecture, but the names of SKU and agent do."""
    reference = row.image_reference
    image = Image(
        reference.publisher or "", reference.offer or "", reference.sku or "", row.node_agent_sku_id
    )
    return SupportedImage(
        image,
        wire_value(row.verification_type) == "verified",
        _CONTAINERS in {wire_value(capability) for capability in row.capabilities or ()},
        "arm64" if "arm64" in f"{image.sku} {image.node_agent}".lower() else "x64",
        row.batch_support_end_of_life,
    )


def resolve(
    wanted: Image, listed: Iterable[SupportedImage], vm_size: str, now: datetime, *, containers: bool
) -> Resolved:
    """The image asked for while it is supported, with the node agent that Batch names for it; otherwise the
    newest verified one of its publisher that fits. A SKU left empty means: the newest. Pure.

    Raises:
        PoolUnusable: the image is past its support or cannot do what is asked, or there is no image at all.
    """
    listed = tuple(listed)
    arch = architecture(vm_size)
    usable = [
        row
        for row in listed
        if row.arch == arch and (row.containers or not containers) and not _past(row, now)
    ]
    known = [row for row in listed if wanted.sku and _same(row.image, wanted)]
    for row in known:
        if row in usable:
            return Resolved(row.image, _warnings(row, now))
        if _past(row, now):
            raise PoolUnusable(_refused(row, _newest(wanted, usable)))
    found = _newest(wanted, usable)
    if found is None:
        raise PoolUnusable(
            f"Batch supports no image of {wanted.publisher} for {arch} nodes"
            f"{' that runs containers' if containers else ''}: choose another VM size or image."
        )
    instead = f"Instead of {named(wanted)}, which Batch does not list for {arch} nodes of this kind, "
    taken = (f"{instead}nodes get {named(found.image)}.",) if wanted.sku else ()
    return Resolved(found.image, taken + _warnings(found, now))


def named(image: Image) -> str:
    """An image in words."""
    return " ".join(part for part in (image.publisher, image.offer, image.sku) if part)


def _newest(wanted: Image, usable: Sequence[SupportedImage]) -> SupportedImage | None:
    """Of the offer if it has one, else of the publisher; the verified first, then by agent and SKU."""
    ours = [row for row in usable if row.image.publisher.lower() == wanted.publisher.lower()]
    same = [row for row in ours if row.image.offer.lower() == wanted.offer.lower()]
    return max(same or ours, key=_age, default=None)


def _age(row: SupportedImage) -> tuple[bool, list[int], bool, str]:
    numbers = [int(number) for number in re.findall(r"\d+", row.image.node_agent.partition("-arm")[0])]
    return row.verified, numbers, "gen1" not in row.image.sku, row.image.sku


def _same(one: Image, other: Image) -> bool:
    return (one.publisher.lower(), one.offer.lower(), one.sku.lower()) == (
        other.publisher.lower(),
        other.offer.lower(),
        other.sku.lower(),
    )


def _past(row: SupportedImage, now: datetime) -> bool:
    return row.ends is not None and row.ends <= now


def _refused(row: SupportedImage, newest: SupportedImage | None) -> str:
    instead = f" Use {named(newest.image)}." if newest else ""
    return f"Batch's support of the image {named(row.image)} ended on {row.ends:%Y-%m-%d}.{instead}"


def _warnings(row: SupportedImage, now: datetime) -> tuple[str, ...]:
    found = [] if row.verified else [f"Batch has not verified the image {named(row.image)}."]
    if row.ends is not None and row.ends - now < END_IS_NEAR:
        days = (row.ends - now).days
        found.append(
            f"Batch's support of the image {named(row.image)} ends on {row.ends:%Y-%m-%d}, in {days} days."
        )
    return tuple(found)
