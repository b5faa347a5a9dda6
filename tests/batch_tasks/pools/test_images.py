"""Which image the nodes get."""

from datetime import UTC, datetime, timedelta

import pytest

from batch_tasks.clients import signed_in
from batch_tasks.pools.images import SupportedImage, resolve, supported_images
from batch_tasks.pools.vm_size import architecture, problems
from batch_tasks.settings import Account
from batch_tasks.unfinished import PoolUnusable
from batch_tasks.workload import CONTAINER_HOST, Image

NOW = datetime(2026, 11, 21, tzinfo=UTC)
X64, ARM = "standard_d2s_v5", "standard_d2ps_v5"


def row(
    sku: str,
    agent: str,
    *,
    offer: str = "ubuntu",
    verified: bool = True,
    containers: bool = False,
    days: int | None = None,
) -> SupportedImage:
    image = Image("canonical", offer, sku, f"batch.node.ubuntu {agent}")
    ends = None if days is None else NOW + timedelta(days=days)
    return SupportedImage(image, verified, containers, "arm64" if "arm64" in sku else "x64", ends)


LISTED = [
    row("18", "18.04", days=-1),
    row("20", "20.04", days=179),
    row("22", "22.04", days=180),
    row("24", "24.04", verified=False),
    row("24-arm64", "24.04-arm64", verified=False),
    row("22-docker", "22.04", offer="docker", containers=True),
]


def asked(sku: str, offer: str = "ubuntu") -> Image:
    return Image("Canonical", offer, sku, "outdated agent")


def test_the_image_asked_for_is_taken_with_the_agent_that_batch_names() -> None:
    resolved = resolve(asked("22"), LISTED, X64, NOW, containers=False)
    assert resolved.image == row("22", "22.04").image
    assert resolved.warnings == ()


def test_less_than_180_days_of_support_are_worth_a_warning() -> None:
    (warning,) = resolve(asked("20"), LISTED, X64, NOW, containers=False).warnings
    assert warning == "Batch's support of the image canonical ubuntu 20 ends on 2027-05-19, in 179 days."


def test_an_image_past_its_support_is_refused_and_the_newest_named() -> None:
    with pytest.raises(PoolUnusable, match=r"ended on 2026-11-20\. Use canonical ubuntu 22\."):
        resolve(asked("18"), LISTED, X64, NOW, containers=False)


def test_without_a_sku_the_newest_verified_is_taken() -> None:
    assert resolve(asked(""), LISTED, X64, NOW, containers=False).image.sku == "22"


@pytest.mark.parametrize(
    ("wanted", "vm_size", "containers", "taken"),
    [("gone", X64, False, "22"), ("22", ARM, False, "24-arm64"), ("22", X64, True, "22-docker")],
)
def test_an_image_that_does_not_fit_gives_way_and_it_is_said(
    wanted: str, vm_size: str, containers: bool, taken: str
) -> None:
    resolved = resolve(asked(wanted), LISTED, vm_size, NOW, containers=containers)
    assert resolved.image.sku == taken
    assert resolved.warnings[0].startswith(f"Instead of Canonical ubuntu {wanted}, which Batch does not list")


def test_without_any_image_that_fits_nothing_is_made() -> None:
    with pytest.raises(PoolUnusable, match="no image of Canonical for arm64 nodes that runs containers"):
        resolve(asked("22"), LISTED, ARM, NOW, containers=True)


def test_what_the_account_lists_is_read_and_holds_the_images_of_our_workloads(account: Account) -> None:
    with signed_in(account):
        listed = supported_images()
        assert supported_images() is listed
    for image, containers in ((Image(), False), (CONTAINER_HOST, True)):
        resolved = resolve(image, listed, X64, NOW, containers=containers)
        assert (resolved.image, resolved.warnings) == (image, ())
    assert resolve(Image(), listed, ARM, NOW, containers=False).image.sku == "server-arm64"


def test_the_name_of_a_size_tells_what_it_is() -> None:
    sizes = ("standard_d2s_v5", "Standard_D4pds_v6", "standard_e8-4ds_v5", "standard_np10s")
    assert [architecture(size) for size in sizes] == ["x64", "arm64", "x64", "x64"]
    assert problems("standard_d2s_v5", 8) == []
    assert problems("standard_d2s_v5", 9) == [
        "9 tasks at once are too many for a node of standard_d2s_v5: Batch allows 8 there."
    ]
    assert "is no name of a VM size" in problems("large", 1)[0]
