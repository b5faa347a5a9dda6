"""Names are legal, deterministic and different for different things."""

import re
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes
from uuid import UUID, uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batch_tasks.naming import OWNER, RunNames, blob_path, metadata, task_id

BATCH_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
CONTAINER = re.compile(r"(?=.{3,63}\Z)[a-z0-9]+(-[a-z0-9]+)*")
workload_names = st.from_regex(r"[a-z][a-z0-9]{0,7}(-[a-z0-9]{1,6}){0,2}", fullmatch=True)
linux_names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=80
).filter(lambda name: name not in {".", ".."})
raw_names = st.binary(min_size=1, max_size=40).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
paths = st.lists(
    linux_names | raw_names.filter(lambda n: not {"/", "\0"} & set(n)), min_size=1, max_size=4
).map("/".join)


@given(workload_names, st.uuids())
@example("a" * 22, UUID(int=0))
def test_every_id_and_container_name_of_a_run_is_legal_and_tells_its_run(workload: str, run: UUID) -> None:
    names = RunNames.of(workload, run)
    assert BATCH_ID.fullmatch(names.pool_id)
    assert BATCH_ID.fullmatch(names.job_id)
    for name in (names.pool_id, names.job_id, names.input_container, names.output_container):
        assert RunNames.parse(name) == names
    assert CONTAINER.fullmatch(names.input_container)
    assert CONTAINER.fullmatch(names.output_container)
    assert names.flow_run_id == str(run)


@pytest.mark.parametrize("name", ["", "A", "a--b", "-a", "a-", "a_b", "1a", "a" * 23])
def test_a_workload_name_that_no_container_could_carry_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a workload"):
        RunNames.of(name, uuid4())


@pytest.mark.parametrize("name", ["my-pool", "top-n-words", f"x-{UUID(int=1)}", f"x-{UUID(int=1).hex}-other"])
def test_foreign_names_are_not_taken_for_ours(name: str) -> None:
    assert RunNames.parse(name) is None


@given(st.lists(paths, min_size=1, max_size=3))
def test_task_ids_are_legal_and_do_not_change(keys: list[str]) -> None:
    assert BATCH_ID.fullmatch(task_id(keys))
    assert task_id(keys) == task_id(list(keys))


@given(paths, paths)
def test_different_files_get_different_task_ids_and_blobs(one: str, other: str) -> None:
    same = one == other
    assert (task_id([one]).lower() == task_id([other]).lower()) is same
    assert (blob_path(one) == blob_path(other)) is same


def test_a_task_id_shows_the_name_of_its_file() -> None:
    assert task_id(["books/moby dick.txt"]).startswith("moby-dick-txt-")
    assert "-and-2-more-" in task_id(["a.txt", "b.txt", "c.txt"])
    assert task_id(["日本語"]).startswith("file-")


@given(paths)
def test_blob_paths_hold_nothing_that_storage_changes_or_cannot_list(path: str) -> None:
    blob = blob_path(path)
    assert len(blob) <= 800
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\\]|\.(/|\Z)", blob)
    blob.encode("utf-8")


def test_a_usual_name_is_its_own_blob_path() -> None:
    for path in ("a.txt", "books/moby dick.txt", "100%.txt", "Ünïcode #1?.txt", "'\"&<>.txt"):
        assert blob_path(path) == path


@given(linux_names.filter(lambda name: len(name) < 60))
def test_an_escaped_name_can_be_read_back(name: str) -> None:
    escaped = re.sub(r"%(?![0-9A-F]{2})", "%25", blob_path(name))
    assert unquote_to_bytes(escaped) == name.encode("utf-8", "surrogateescape")


def test_a_path_of_thousands_of_letters_fits() -> None:
    one, other = ("d" * 200 + "/") * 19 + "a", ("d" * 200 + "/") * 19 + "b"
    assert len(blob_path(one)) < 300
    assert blob_path(one) != blob_path(other)


def test_metadata_names_the_owner_the_run_and_its_end() -> None:
    names = RunNames.of("top-n-words", "12345678-1234-5678-1234-567812345678")
    day = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert metadata(names, day, day.replace(day=3)) == {
        "owner": OWNER,
        "flow_run_id": "12345678-1234-5678-1234-567812345678",
        "created": "2026-01-02T03:04:05Z",
        "expires": "2026-01-03T03:04:05Z",
    }
