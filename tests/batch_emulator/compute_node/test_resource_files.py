"""Resource files come from a real blob store, and what fails is told with the service's codes."""

import asyncio
import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from batch_emulator.compute_node import resource_files
from batch_emulator.compute_node.transfers import BlobClient, Transfers
from batch_emulator.outcomes import Failure

from .conftest import Container
from .servers import answering, http, serving, silent


def fetch(files: Sequence[dict[str, Any]], wd: Path, pauses: tuple[float, ...] = (0, 0)) -> Failure | None:
    async def run() -> Failure | None:
        async with BlobClient() as client:
            return await resource_files.fetch(files, wd, Transfers(client, pauses))

    return asyncio.run(run())


def code(failure: Failure | None) -> str:
    """The code, after a look for secrets in all texts."""
    assert failure is not None
    text = f"{failure.message} {failure.details}"
    assert "sig=" not in text
    assert "?" not in text
    return failure.code


def blob(container: Container, name: str, permissions: str = "r") -> str:
    url, _, sas = container.with_sas(permissions).partition("?")
    return f"{url}/{name}?{sas}"


def fetch_from_server(wd: Path, *answers: bytes) -> Failure | None:
    async def run() -> Failure | None:
        async with answering(*answers) as (url, _), BlobClient() as client:
            file = {"httpUrl": url, "filePath": "file"}
            return await resource_files.fetch([file], wd, Transfers(client, (0, 0)))

    return asyncio.run(run())


def test_a_blob_lands_under_its_path_with_the_documented_mode(container: Container, tmp_path: Path) -> None:
    container.put("b", b"data")
    assert fetch([{"httpUrl": blob(container, "b"), "filePath": "in/a file.txt"}], tmp_path) is None
    file = tmp_path / "in" / "a file.txt"
    assert file.read_bytes() == b"data"
    assert oct(file.stat().st_mode) == "0o100770"


def test_the_file_mode_can_be_chosen(container: Container, tmp_path: Path) -> None:
    container.put("b", b"")
    url = blob(container, "b")
    files: list[dict[str, Any]] = [
        {"httpUrl": url, "filePath": "a", "fileMode": "0644", "autoStorageContainerName": None},
        {"httpUrl": url, "filePath": "b", "fileMode": "700"},
    ]
    assert fetch(files, tmp_path) is None
    assert [oct((tmp_path / name).stat().st_mode) for name in "ab"] == ["0o100644", "0o100700"]


def test_a_container_comes_with_the_full_names_of_its_blobs(container: Container, tmp_path: Path) -> None:
    for name in ("in/1.txt", "in/deep/2.txt", "other.txt"):
        container.put(name, name.encode())
    url = container.with_sas("rl")
    files = [
        {"storageContainerUrl": url, "blobPrefix": "in/", "filePath": "here"},
        {"storageContainerUrl": url},
    ]
    assert fetch(files, tmp_path) is None
    found = {
        str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()
    }
    assert found == {
        "here/in/1.txt": "in/1.txt",
        "here/in/deep/2.txt": "in/deep/2.txt",
        "in/1.txt": "in/1.txt",
        "in/deep/2.txt": "in/deep/2.txt",
        "other.txt": "other.txt",
    }


AWKWARD = ["a b", "#1", "100%", "%41", "a?b=c&d", "größe 🙂", "a+b", "<&>\"'", "a;b,c:d@e", "[x]{y}", "~`^|"]


def test_names_arrive_exactly(container: Container, tmp_path: Path) -> None:
    for name in AWKWARD:
        container.put(name, name.encode())
    assert fetch([{"storageContainerUrl": container.with_sas("rl")}], tmp_path) is None
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {name: name for name in AWKWARD}


def test_all_pages_of_a_long_listing_are_read() -> None:
    def page(name: str, marker: str) -> bytes:
        blobs = f"<Blobs><Blob><Name>{name}</Name></Blob></Blobs>"
        page = f"<EnumerationResults>{blobs}<NextMarker>{marker}</NextMarker></EnumerationResults>"
        return http("200 OK", page.encode())

    async def run() -> None:
        async with answering(page("1", "a/b c"), page("2", "")) as (url, asked), BlobClient() as client:
            assert await Transfers(client).list_blobs(url, "in/") == ["1", "2"]
            query = "/file?sig=secret&restype=container&comp=list&prefix=in%2F"
            assert asked == [query, query + "&marker=a%2Fb%20c"]

    asyncio.run(run())


def test_a_large_blob_arrives_whole(container: Container, tmp_path: Path) -> None:
    data = bytes(range(256)) * 40_000
    container.put("b", data)
    assert fetch([{"httpUrl": blob(container, "b"), "filePath": "b"}], tmp_path) is None
    assert (tmp_path / "b").read_bytes() == data


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ({"httpUrl": "{blob}"}, "BlobNotFound"),
        ({"httpUrl": "{there_w}"}, "BlobAccessDenied"),
        ({"httpUrl": "{unsigned}"}, "BlobAccessDenied"),
        ({"httpUrl": "http://127.0.0.1:1/x?sig=1"}, "BlobDownloadMiscError"),
        ({"httpUrl": "ftp://127.0.0.1/x?sig=1"}, "BlobDownloadMiscError"),
        ({"httpUrl": "no url\n"}, "BlobDownloadMiscError"),
        ({"httpUrl": "{there}", "identityReference": {"resourceId": "x"}}, "BlobAccessDenied"),
        (
            {"storageContainerUrl": "{list_only}", "identityReference": {"resourceId": "x"}},
            "ResourceContainerListMiscError",
        ),
        ({"storageContainerUrl": "{missing}"}, "ResourceContainerNotFound"),
        ({"storageContainerUrl": "{read_only}"}, "ResourceContainerAccessDenied"),
        ({"storageContainerUrl": "{expired}"}, "ResourceContainerAccessDenied"),
        ({"storageContainerUrl": "{list_only}"}, "BlobAccessDenied"),
        ({"storageContainerUrl": "http://127.0.0.1:1/x?sig=1"}, "ResourceContainerListMiscError"),
        ({"autoStorageContainerName": "c"}, "ResourceContainerListMiscError"),
        ({"httpUrl": "{there}", "fileMode": "rwx"}, "ResourceFileCreateFailed"),
        ({"httpUrl": "{there}", "fileMode": "77777"}, "ResourceFileCreateFailed"),
        ({"httpUrl": "{there}", "filePath": "../x"}, "ResourceFileCreateFailed"),
        ({"httpUrl": "{there}", "filePath": "/etc/x"}, "ResourceFileCreateFailed"),
        ({"httpUrl": "{there}", "filePath": "a/../../x"}, "ResourceFileCreateFailed"),
        ({"httpUrl": "{there}", "filePath": ""}, "ResourceFileCreateFailed"),
        ({"httpUrl": "{there}", "filePath": "file/below"}, "ResourceDirectoryCreateFailed"),
        ({"httpUrl": "{there}", "filePath": "folder"}, "ResourceFileWriteFailed"),
        ({}, "ResourceFileCreateFailed"),
    ],
)
def test_each_trouble_has_its_code(
    container: Container, tmp_path: Path, file: dict[str, Any], expected: str
) -> None:
    container.put("there", b"data")
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    urls = {
        "{blob}": blob(container, "nothing"),
        "{there}": blob(container, "there"),
        "{there_w}": blob(container, "there", "w"),
        "{unsigned}": f"{container.url}/there",
        "{missing}": container.missing.with_sas("rl"),
        "{read_only}": container.with_sas("r"),
        "{list_only}": container.with_sas("l"),
        "{expired}": container.with_sas("rl", hours=-1),
    }
    document = {"filePath": "new", **{name: urls.get(str(value), value) for name, value in file.items()}}
    assert code(fetch([document], tmp_path)) == expected
    assert not (tmp_path / "new").is_file()


def test_a_blob_whose_name_leads_out_is_refused(container: Container, tmp_path: Path) -> None:
    async def run() -> Failure | None:
        page = b"<EnumerationResults><Blobs><Blob><Name>a/../../x</Name></Blob></Blobs></EnumerationResults>"
        async with answering(http("200 OK", page)) as (url, _), BlobClient() as client:
            return await resource_files.fetch(
                [{"storageContainerUrl": url}], tmp_path / "wd", Transfers(client)
            )

    assert code(asyncio.run(run())) == "ResourceFileCreateFailed"


def test_names_that_xml_cannot_hold_and_folder_blobs_are_understood(tmp_path: Path) -> None:
    async def run() -> Failure | None:
        names = b'<Name Encoded="true">a%0Bb</Name></Blob><Blob><Name>folder/</Name>'
        page = b"<EnumerationResults><Blobs><Blob>" + names + b"</Blob></Blobs></EnumerationResults>"
        async with (
            answering(http("200 OK", page), http("200 OK", b"data")) as (url, _),
            BlobClient() as client,
        ):
            return await resource_files.fetch([{"storageContainerUrl": url}], tmp_path, Transfers(client))

    assert asyncio.run(run()) is None
    assert (tmp_path / "a\x0bb").read_bytes() == b"data"
    assert (tmp_path / "folder").is_dir()


@pytest.mark.parametrize(
    "passing",
    [http("503 Server Busy"), http("500 Internal"), http("429 Slow"), b"", http("200 OK", b"data")[:-2]],
)
def test_what_passes_is_tried_again(tmp_path: Path, passing: bytes) -> None:
    assert fetch_from_server(tmp_path, passing, passing, http("200 OK", b"data")) is None
    assert (tmp_path / "file").read_bytes() == b"data"


@pytest.mark.parametrize("status", ["503 Server Busy", "400 Bad Request", "200"])
def test_what_does_not_pass_is_told_and_leaves_no_file(tmp_path: Path, status: str) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort" if status == "200" else http(status)
    assert code(fetch_from_server(tmp_path, answer)) == "BlobDownloadMiscError"
    assert not (tmp_path / "file").exists()


def test_a_refusal_is_not_asked_for_twice(tmp_path: Path) -> None:
    assert code(fetch_from_server(tmp_path, http("403 No"), http("200 OK", b"data"))) == "BlobAccessDenied"


def test_a_server_that_does_not_answer_in_time_is_told_as_such(tmp_path: Path) -> None:
    async def run() -> Failure | None:
        async with serving(silent) as server, BlobClient(patience=0.05) as client:
            url = f"{server}/file?sig=secret"
            files = [{"httpUrl": url, "filePath": "file"}, {"storageContainerUrl": url}]
            one = await resource_files.fetch(files[:1], tmp_path, Transfers(client, (0,)))
            other = await resource_files.fetch(files[1:], tmp_path, Transfers(client, (0,)))
            assert code(other) == "ResourceContainerListTimedOut"
            return one

    assert code(asyncio.run(run())) == "BlobDownloadTimedOut"


def test_a_blob_with_a_content_encoding_is_stored_as_it_is(tmp_path: Path) -> None:
    packed = gzip.compress(b"text")
    assert fetch_from_server(tmp_path, http("200 OK", packed, "Content-Encoding: gzip")) is None
    assert (tmp_path / "file").read_bytes() == packed


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told_as_such(container: Container, tmp_path: Path) -> None:
    container.put("b", b"data")
    (tmp_path / "file").symlink_to("/dev/full")
    assert code(fetch([{"httpUrl": blob(container, "b"), "filePath": "file"}], tmp_path)) == "DiskFull"


def test_no_log_line_holds_a_sas(
    container: Container, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    container.put("b", b"data")
    with caplog.at_level("DEBUG"):
        assert fetch([{"httpUrl": blob(container, "b"), "filePath": "b"}], tmp_path) is None
    assert "sig" not in caplog.text


@pytest.mark.keys
def test_the_token_of_an_identity_does_not_go_over_plain_http(container: Container, tmp_path: Path) -> None:
    async def run(url: str) -> Failure | None:
        file = {"httpUrl": url, "filePath": "file", "identityReference": {"resourceId": "/X"}}
        async with BlobClient() as client:
            return await resource_files.fetch([file], tmp_path, Transfers(client), frozenset({"/x"}))

    container.put("b", b"data")
    failure = asyncio.run(run(f"{container.url}/b"))
    assert code(failure) == "BlobAccessDenied"
    assert "over https only" in str(failure)
