"""What counts as ours: metadata and name together, never one of them alone."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import pytest

from batch_tasks.naming import RunNames, metadata
from batch_tasks.owned_resources import owned_resource, time_of

RUN = RunNames.of("top-n-words", UUID(int=7))
OTHER = RunNames.of("top-n-words", UUID(int=8))
CREATED = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXPIRES = datetime(2026, 3, 2, 12, tzinfo=UTC)
OURS = metadata(RUN, CREATED, EXPIRES, keep=["output_container", "job"])
Sort = Literal["pool", "job", "container"]


@pytest.mark.parametrize(
    ("sort", "name", "kind", "kept"),
    [
        ("pool", RUN.pool_id, "pool", False),
        ("job", RUN.job_id, "job", True),
        ("container", RUN.input_container, "input_container", False),
        ("container", RUN.output_container, "output_container", True),
    ],
)
def test_what_a_run_makes_is_read_back_with_its_run_its_end_and_what_is_kept(
    sort: Sort, name: str, kind: str, kept: bool
) -> None:
    resource = owned_resource(sort, name, OURS)
    assert resource is not None
    assert (resource.kind, resource.name, resource.kept) == (kind, name, kept)
    assert (resource.run, resource.expires, resource.heartbeat) == (RUN, EXPIRES, None)


@pytest.mark.parametrize("seconds", [0, 180])
def test_how_often_the_run_gives_signs_of_life_is_read_back(seconds: int) -> None:
    resource = owned_resource("pool", RUN.pool_id, metadata(RUN, CREATED, EXPIRES, heartbeat=seconds))
    assert resource is not None
    assert resource.heartbeat == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("sort", "name", "written"),
    [
        ("pool", RUN.pool_id, {}),
        ("pool", RUN.pool_id, {**OURS, "owner": "somebody"}),
        ("pool", OTHER.pool_id, OURS),
        ("pool", "top-n-words", OURS),
        ("pool", RUN.input_container, OURS),
        ("container", RUN.pool_id, OURS),
        ("container", f"{RUN.output_container}-2", OURS),
    ],
)
def test_what_only_looks_like_ours_is_not(sort: Sort, name: str, written: Mapping[str, str]) -> None:
    assert owned_resource(sort, name, written) is None


def test_an_end_that_cannot_be_read_is_no_end() -> None:
    resource = owned_resource("pool", RUN.pool_id, {**OURS, "expires": "tomorrow"})
    assert resource is not None
    assert resource.expires is None
    assert time_of("") is None


def test_a_run_that_keeps_nothing_says_nothing_about_it() -> None:
    assert "keep" not in metadata(RUN, CREATED, EXPIRES)
