"""Blobs, folders and containers become files without a byte of them being moved."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from azure.storage.blob import BlobClient

from batch_tasks.clients import blob_service, read_blob_url, read_container_url, stored_url_signer
from batch_tasks.errors import InputError
from batch_tasks.inputs import find_inputs
from batch_tasks.stored_inputs import stored_files, stored_place
from tests.leaks.session import FINDER

pytestmark = pytest.mark.usefixtures("storage")
BLOBS = {
    "a.txt": b"aa",
    "empty.txt": b"",
    "deep/b c.txt": b"bbb",
    "deep/er/#d%.txt": b"d",
    "deep-sea.txt": b"s",
    "folder": b"",
    "folder/x": b"x",
    "marker/": b"",
}


@pytest.fixture
def container(storage: None) -> Iterator[str]:
    """The URL of a container that holds BLOBS."""
    name = f"stored-{uuid4().hex}"
    client = blob_service().create_container(name)
    for blob, data in BLOBS.items():
        client.upload_blob(blob, data)
    yield str(client.url)
    client.delete_container()


def until() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


def keys(url: str) -> list[str]:
    return [file.key for file in stored_files(stored_place(url))]


def test_a_container_is_all_its_blobs_without_markers_of_folders(container: str) -> None:
    assert sorted(keys(container)) == [
        "a.txt",
        "deep-sea.txt",
        "deep/b c.txt",
        "deep/er/#d%.txt",
        "empty.txt",
        "folder/x",
    ]


def test_a_folder_is_what_lies_below_it(container: str) -> None:
    assert keys(f"{container}/deep") == keys(f"{container}/deep/") == ["b c.txt", "er/#d%.txt"]


def test_a_blob_is_itself(container: str) -> None:
    (file,) = stored_files(stored_place(f"{container}/deep/b%20c.txt"))
    assert (file.key, file.size, file.path) == ("b c.txt", 3, f"{container}/deep/b c.txt")


@pytest.mark.parametrize("blob", ["deep/b c.txt", "deep/er/#d%.txt"])
def test_what_was_found_can_be_read_with_a_signature_of_ours(container: str, blob: str) -> None:
    files = {file.path: file.url for file in stored_files(stored_place(container))}
    url = stored_url_signer(until())(files[f"{container}/{blob}"])
    assert BlobClient.from_blob_url(url).download_blob().readall() == BLOBS[blob]


def test_urls_with_their_own_signature_are_read_with_it(container: str) -> None:
    name = container.rpartition("/")[2]
    whole = read_container_url(name, until())
    files = stored_files(stored_place(whole))
    assert len(files) == 6
    sign = stored_url_signer(until())
    assert all(sign(file.url) == file.url for file in files)
    (one,) = stored_files(stored_place(read_blob_url(name, "a.txt", until())))
    assert BlobClient.from_blob_url(one.url).download_blob().readall() == b"aa"


def test_what_is_not_there_or_not_ours_is_refused_in_one_sentence(container: str, tmp_path: Path) -> None:
    expired = read_container_url(container.rpartition("/")[2], datetime.now(UTC) - timedelta(hours=1))
    root = container.rpartition("/")[0]
    (tmp_path / "list").write_text(expired)
    FINDER.knows_input(str(tmp_path / "list"))
    with pytest.raises(InputError) as refused:
        find_inputs([f"{container}/nothing", f"{root}/no-such-container", f"@{tmp_path / 'list'}"])
    first, second, third = refused.value.problems
    assert f"There is no blob '{container}/nothing', and none below it." in first
    assert "no-such-container' (ContainerNotFound)" in second
    assert "Storage does not let us look" in third
    assert "sig=" not in str(refused.value)


@pytest.mark.parametrize("blob", ["a//b", "x" * 300])
def test_blobs_whose_names_no_file_can_have_are_refused(container: str, blob: str) -> None:
    client = blob_service().get_container_client(container.rpartition("/")[2])
    client.upload_blob(f"odd/{blob}", b"x")
    with pytest.raises(InputError, match="a name that can be no file's"):
        stored_files(stored_place(f"{container}/odd"))
