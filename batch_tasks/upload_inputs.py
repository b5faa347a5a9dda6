"""Upload the node scripts and the input files, several at a time; what is there already is not sent again."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from azure.storage.blob import ContentSettings

from batch_tasks import naming
from batch_tasks.clients import blob_service
from batch_tasks.concurrently import concurrently
from batch_tasks.errors import InputError
from batch_tasks.money.watch import stop_if_too_expensive
from batch_tasks.patience import USUAL, Patience, patient_list, patiently, stop_if_closing
from batch_tasks.plan import RunPlan
from batch_tasks.progress import Counting
from batch_tasks.stage import log, stage
from batch_tasks.workload import RUNNER

NODE_SCRIPTS = Path(__file__).resolve().parent.parent / "node"
_LARGE = 64 * 2**20  # bytes from which a file is sent in blocks over two connections


@dataclass(frozen=True)
class Upload:
    """A file here and its blob in the input container; `content` is what to send instead of the file's."""

    path: str
    blob: str
    content: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Stored:
    """What storage says of a blob: bytes, and MD5 in hex where it keeps one."""

    size: int
    md5: str


@stage("upload {plan.files_counted}")
def upload_inputs(plan: RunPlan) -> int:
    """Bring every script and input into the input container; the number of files that had to be sent.

    Raises:
        InputError: a file vanished or became unreadable since the run began.
        TooExpensive: the nodes, which are there meanwhile, have cost what the run may cost.
        AzureError: storage cannot be reached or refuses.
    """
    container = plan.names.input_container
    wanted = list(uploads(plan))
    there = stored_blobs(container)
    done = Counting("upload-inputs", total=len(wanted))

    def bring(upload: Upload) -> bool:
        _stop_if_it_must()
        try:
            sent = _bring(container, upload, there.get(upload.blob))
        except OSError as error:
            raise InputError(
                [f"The input {upload.path!r} cannot be read any more: {error.strerror}."]
            ) from error
        done.add_one()
        return sent

    sent = sum(concurrently(bring, wanted))
    log().info("Uploaded %d files, %d were there already", sent, len(wanted) - sent)
    return sent


def uploads(plan: RunPlan) -> Iterator[Upload]:
    """What the tasks of the plan will fetch."""
    for path in (NODE_SCRIPTS / RUNNER, *plan.workload.shipped):
        yield Upload(str(path), naming.node_file_blob(path.name))
    for file in plan.files:
        if file.blob:
            yield Upload(file.input.path, file.blob)
    for file in plan.merge.files if plan.merge else ():
        yield Upload("", file.blob, file.content.encode())


def stored_blobs(
    container: str, prefix: str | None = None, *, patience: Patience = USUAL
) -> Mapping[str, Stored]:
    """Every blob of the container, by name."""
    client = blob_service().get_container_client(container)
    blobs = patient_list(lambda: client.list_blobs(name_starts_with=prefix), patience=patience)
    return {
        blob.name: Stored(blob.size, bytes(blob.content_settings.content_md5 or b"").hex()) for blob in blobs
    }


def md5_of(path: str | Path) -> str:
    """The MD5 of a file in hex; Azure Storage keeps MD5, so this is what can be compared."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _bring(container: str, upload: Upload, there: Stored | None) -> bool:
    """Send the file unless the blob is the same; whether it was sent."""
    size, md5 = _size_and_md5(upload)
    if there == Stored(size, md5):
        return False
    settings = ContentSettings(
        content_type="application/octet-stream", content_md5=bytearray(bytes.fromhex(md5))
    )
    blob = blob_service().get_blob_client(container, upload.blob)

    def send() -> None:
        with (
            io.BytesIO(upload.content) if upload.content is not None else Path(upload.path).open("rb") as file
        ):
            blob.upload_blob(
                file,
                length=size,
                overwrite=True,
                max_concurrency=2 if size > _LARGE else 1,
                content_settings=settings,
                progress_hook=lambda _sent, _total: _stop_if_it_must(),
            )

    patiently(send)
    return True


def _stop_if_it_must() -> None:
    stop_if_closing()
    stop_if_too_expensive()


def _size_and_md5(upload: Upload) -> tuple[int, str]:
    if upload.content is not None:
        return len(upload.content), hashlib.md5(upload.content, usedforsecurity=False).hexdigest()
    return Path(upload.path).stat().st_size, md5_of(upload.path)
