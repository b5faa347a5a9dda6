"""Output files go to a real blob store, and what fails is told with the service's codes."""

import asyncio
import base64
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from batch_emulator.compute_node import output_files
from batch_emulator.compute_node.directories import RunDirectories
from batch_emulator.compute_node.transfers import BLOCK, BlobClient, Transfers
from batch_emulator.outcomes import Failure

from .conftest import Container


@pytest.fixture
def run(tmp_path: Path) -> RunDirectories:
    run = RunDirectories(tmp_path / "task")
    run.prepare()
    return run


def output(pattern: str, url: str, condition: str = "taskcompletion", **container: Any) -> dict[str, Any]:
    return {
        "filePattern": pattern,
        "destination": {"container": {"containerUrl": url, **container}},
        "uploadOptions": {"uploadCondition": condition},
    }


def upload(
    run: RunDirectories, *outputs: Mapping[str, Any], success: bool = True, pauses: tuple[float, ...] = ()
) -> Failure | None:
    async def act() -> Failure | None:
        async with BlobClient() as client:
            return await output_files.upload(
                outputs,
                run,
                Transfers(client, pauses),
                environment={"AZ_BATCH_TASK_DIR": str(run.task), "NAME": "a"},
                success=success,
            )

    failure = asyncio.run(act())
    for text in (
        str(failure),
        *(log.read_text() for log in (run.upload_out, run.upload_err) if log.exists()),
    ):
        assert "sig=" not in text
    return failure


def test_a_named_file_becomes_the_blob_of_the_path(run: RunDirectories, container: Container) -> None:
    (run.working / "a.txt").write_text("data")
    url = container.with_sas("w")
    assert upload(run, output("a.txt", url, path="results/A.txt"), output("$NAME.txt", url)) is None
    assert container.names() == {"results/A.txt", "a.txt"}
    assert container.get("results/A.txt") == b"data"


def test_files_of_a_wildcard_keep_their_folders_below_the_path(
    run: RunDirectories, container: Container
) -> None:
    (run.working / "out" / "deep").mkdir(parents=True)
    for name in ("out/1.txt", "out/deep/2.txt", "3.txt"):
        (run.working / name).write_text(name)
    run.stdout.write_text("said")
    url = container.with_sas("w")
    outputs = [
        output("out/**/*.txt", url, path="results/"),
        output("*.txt", url),
        output("../std*.txt", url, path="logs"),
    ]
    assert upload(run, *outputs) is None
    assert container.names() == {"results/1.txt", "results/deep/2.txt", "3.txt", "logs/stdout.txt"}
    assert container.get("results/deep/2.txt") == b"out/deep/2.txt"


AWKWARD = [
    "a b", "#1", "100%", "%41", "a?b=c&d", "größe 🙂", "a+b", "<&>\"'", "a;b,c:d@e", "{y}", "~`^|",
    "new\nline", "t\tb",
]  # fmt: skip


def test_names_arrive_exactly(run: RunDirectories, container: Container) -> None:
    for name in AWKWARD:
        (run.working / name).write_text(name)
    url = container.with_sas("w")
    assert upload(run, output("*", url, path="all"), output("a b", url, path="ä/100% #?")) is None
    assert container.names() == {f"all/{name}" for name in AWKWARD} | {"ä/100% #?"}
    assert {container.get(f"all/{name}").decode() for name in AWKWARD} == set(AWKWARD)


@pytest.mark.parametrize("size", [0, 5, BLOCK - 1, BLOCK, 2 * BLOCK + 1])
def test_a_file_of_any_size_is_stored_with_its_md5(
    run: RunDirectories, container: Container, size: int
) -> None:
    data = os.urandom(size)
    (run.working / "a").write_bytes(data)
    headers = [{"name": "Content-Type", "value": "text/plain"}, {"name": "x-ms-meta-owner", "value": "me"}]
    assert upload(run, output("a", container.with_sas("w"), uploadHeaders=headers)) is None
    properties = container.client.get_blob_client("a").get_blob_properties()
    assert container.get("a") == data
    stored = properties.content_settings.content_md5
    assert base64.b64encode(bytes(stored or b"")) == base64.b64encode(hashlib.md5(data).digest())
    assert properties.content_settings.content_type == "text/plain"
    assert properties.metadata == {"owner": "me"}


def test_an_existing_blob_is_replaced(run: RunDirectories, container: Container) -> None:
    container.put("a", b"old")
    (run.working / "a").write_text("new")
    assert upload(run, output("a", container.with_sas("w"))) is None
    assert container.get("a") == b"new"


@pytest.mark.parametrize(
    ("success", "expected"), [(True, {"completion", "success"}), (False, {"completion", "failure"})]
)
def test_the_condition_decides(
    run: RunDirectories, container: Container, success: bool, expected: set[str]
) -> None:
    (run.working / "a").touch()
    url = container.with_sas("w")
    outputs = [
        output("a", url, "TaskCompletion", path="completion"),
        output("a", url, "tasksuccess", path="success"),
        output("a", url, "TaskFailure", path="failure"),
    ]
    assert upload(run, *outputs, success=success) is None
    assert container.names() == expected


def test_without_anything_to_upload_there_are_no_logs(run: RunDirectories, container: Container) -> None:
    assert upload(run, output("a", container.with_sas("w"), "taskfailure")) is None
    assert not run.upload_out.exists()
    assert not run.upload_err.exists()


def test_a_name_without_a_file_is_told_and_is_no_failure(run: RunDirectories, container: Container) -> None:
    (run.working / "a").write_text("data")
    assert (
        upload(run, output("nothing.txt", container.with_sas("w")), output("a", container.with_sas("w")))
        is None
    )
    assert run.upload_err.read_text() == "nothing.txt: no file found\n"
    assert run.upload_out.read_text() == f"a -> {container.url}/a (4 bytes)\n"


@pytest.mark.parametrize(
    ("url", "category", "code"),
    [
        ("missing", "UserError", "FileUploadContainerNotFound"),
        ("read_only", "UserError", "FileUploadAccessDenied"),
        ("expired", "UserError", "FileUploadAccessDenied"),
        ("http://127.0.0.1:1/c?sig=1", "ServerError", "FileUploadMiscError"),
        ("", "ServerError", "FileUploadMiscError"),
    ],
)
def test_each_trouble_has_its_code_and_the_other_files_are_stored(
    run: RunDirectories, container: Container, url: str, category: str, code: str
) -> None:
    (run.working / "a").touch()
    urls = {
        "missing": container.missing.with_sas("w"),
        "read_only": container.with_sas("r"),
        "expired": container.with_sas("w", hours=-1),
    }
    failure = upload(run, output("a", urls.get(url, url)), output("a", container.with_sas("w"), path="b"))
    assert failure is not None
    assert (failure.category, failure.code) == (category, code)
    assert code in run.upload_err.read_text()
    assert container.names() == {"b"}


def test_an_identity_that_the_pool_does_not_have_uploads_nothing(
    run: RunDirectories, container: Container
) -> None:
    (run.working / "a").touch()
    failure = upload(run, output("a", container.url, identityReference={"resourceId": "x"}))
    assert failure is not None
    assert failure.code == "FileUploadAccessDenied"
    assert "the pool does not have the identity x; it has none" in str(failure.details)


def test_a_blob_that_is_leased_cannot_be_replaced(run: RunDirectories, container: Container) -> None:
    container.put("a", b"old")
    (run.working / "a").write_text("new")
    container.client.get_blob_client("a").acquire_lease()
    failure = upload(run, output("a", container.with_sas("w")))
    assert failure is not None
    assert failure.code == "FileUploadConflict"


@pytest.mark.parametrize("header", ["Content-Length", "x-ms-blob-type", "Authorization", "x-ms-version"])
def test_headers_that_are_the_transfers_own_cannot_be_set(
    run: RunDirectories, container: Container, header: str
) -> None:
    (run.working / "a").write_text("data")
    headers = [{"name": header, "value": "1"}]
    assert upload(run, output("a", container.with_sas("w"), uploadHeaders=headers)) is None
    assert container.get("a") == b"data"


def test_a_header_that_http_cannot_carry_is_a_failure(run: RunDirectories, container: Container) -> None:
    (run.working / "a").write_text("data")
    headers = [{"name": "x-ms-meta-a", "value": "ä\n"}]
    failure = upload(run, output("a", container.with_sas("w"), uploadHeaders=headers))
    assert failure is not None
    assert failure.code == "FileUploadMiscError"


@pytest.mark.parametrize("pattern", ["", "$EMPTY\0"])
def test_a_pattern_that_means_nothing_is_a_failure(
    run: RunDirectories, container: Container, pattern: str
) -> None:
    failure = upload(run, output(pattern, container.with_sas("w")))
    assert failure is not None
    assert failure.code == "FileUploadMiscError"


def test_a_task_cannot_make_the_log_go_elsewhere(
    run: RunDirectories, container: Container, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("kept")
    run.upload_out.symlink_to(tmp_path / "mine")
    os.mkfifo(run.upload_err)
    assert upload(run, output("nothing", container.with_sas("w"))) is None
    assert (tmp_path / "mine").read_text() == "kept"
    assert run.upload_err.read_text() == "nothing: no file found\n"
