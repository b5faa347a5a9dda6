"""Stores the output files of a task, after its process has ended and before the task is completed.

As documented: by upload condition; a name without wildcard goes to the blob `path`, others below it with
their folders; what was done stands in `fileuploadout.txt` and `fileuploaderr.txt` of the task's directory.
Assumed: a name that matches nothing is told there and is no failure, one upload that fails does not keep the
others, and an identity that the pool does not have is told as access denied.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from batch_emulator.compute_node.directories import RunDirectories
from batch_emulator.compute_node.file_patterns import FilePattern, Found
from batch_emulator.compute_node.identities import NotOnPool, access
from batch_emulator.compute_node.storage_answers import TransferError, Trouble, without_query
from batch_emulator.compute_node.transfers import Transfers, for_each
from batch_emulator.outcomes import Failure

_MISSING = Failure(
    "UserError",
    "FileUploadContainerNotFound",
    "One of the specified Azure container(s) was not found while attempting to upload an output file",
)
_DENIED = Failure(
    "UserError",
    "FileUploadAccessDenied",
    "Access to one of the specified file upload destinations was denied",
)
_CONFLICT = Failure("UserError", "FileUploadConflict", "An output file could not replace an existing blob")
_LATE = Failure("ServerError", "FileUploadTimedOut", "Uploading an output file timed out")
_OTHER = Failure("ServerError", "FileUploadMiscError", "An output file could not be uploaded")
_BY_TROUBLE = {
    Trouble.CONTAINER_NOT_FOUND: _MISSING,
    Trouble.NOT_FOUND: _MISSING,
    Trouble.DENIED: _DENIED,
    Trouble.CONFLICT: _CONFLICT,
    Trouble.TIMED_OUT: _LATE,
}

# Put Block List takes the blob's own properties under these names only; Put Blob takes them too.
_BLOB_PROPERTIES = frozenset(
    {"content-type", "content-encoding", "content-language", "content-disposition", "cache-control"}
)
_OURS = frozenset(
    {"authorization", "content-length", "content-md5", "host", "transfer-encoding"}
    | {"x-ms-blob-content-md5", "x-ms-blob-type", "x-ms-version"}
)


@dataclass(frozen=True, slots=True)
class _Upload:
    """One file and where it goes."""

    found: Found
    container_url: str
    blob: str
    headers: Mapping[str, str]
    access: Mapping[str, str]
    """Headers that let in."""


class _Log:
    """What will stand in the two files beside the task's stdout, and the first failure."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.err: list[str] = []
        self.failure: Failure | None = None

    def fail(self, failure: Failure, message: str, pattern_or_blob: str) -> None:
        self.err.append(f"{pattern_or_blob}: {failure.code}: {message}")
        if self.failure is None:
            details = (("Message", message), ("FilePath", pattern_or_blob))
            self.failure = Failure(failure.category, failure.code, failure.message, details)

    def write(self, run: RunDirectories) -> None:
        for path, lines in ((run.upload_out, self.out), (run.upload_err, self.err)):
            text = "".join(f"{line}\n" for line in lines)
            try:
                path.unlink(missing_ok=True)  # the task may have left anything under this name, a pipe too
                path.write_text(text, encoding="utf-8", errors="backslashreplace")
            except OSError as error:
                self.fail(_OTHER, f"it cannot be written: {error.strerror}", path.name)


def applies(output_file: Mapping[str, Any], *, success: bool) -> bool:
    """Whether the condition of an output file (wire form, in any case) holds after such an end."""
    options = output_file.get("uploadOptions") or {}
    condition = str(options.get("uploadCondition") or "taskcompletion").lower()
    return condition == "taskcompletion" or condition == ("tasksuccess" if success else "taskfailure")


async def upload(
    output_files: Sequence[Mapping[str, Any]],
    run: RunDirectories,
    transfers: Transfers,
    *,
    environment: Mapping[str, str],
    success: bool,
    identities: frozenset[str] = frozenset(),
) -> Failure | None:
    """Store all output files (in wire form) whose condition holds; None when each found file is stored.

    `success` is whether the command ended with 0, `identities` are those of the pool. The two log files are
    written when anything was to be tried.
    """
    due = [each for each in output_files if applies(each, success=success)]
    if not due:
        return None
    log = _Log()
    uploads = [upload for each in due for upload in _uploads(each, run, environment, identities, log)]
    try:
        await for_each(uploads, partial(_store, transfers=transfers, log=log))
    finally:
        log.write(run)
    return log.failure


def _uploads(
    output_file: Mapping[str, Any],
    run: RunDirectories,
    environment: Mapping[str, str],
    identities: frozenset[str],
    log: _Log,
) -> list[_Upload]:
    """The files that one output file means; what is wrong goes to the log."""
    text = output_file["filePattern"]
    container = (output_file.get("destination") or {}).get("container")
    if not container or not container.get("containerUrl"):
        log.fail(_OTHER, "it has no destination container", text)
        return []
    try:
        let_in = access(container.get("identityReference"), identities, container["containerUrl"])
        pattern = FilePattern.parse(text, run.working, environment)
    except (NotOnPool, TransferError) as error:
        log.fail(_DENIED, str(error), text)
        return []
    except ValueError as error:
        log.fail(_OTHER, str(error), text)
        return []
    files = pattern.files(run.task)
    if not files:
        log.err.append(f"{text}: no file found")
    headers = _headers(container.get("uploadHeaders") or ())
    path = container.get("path") or ""
    return [
        _Upload(
            found,
            container["containerUrl"],
            _blob_name(path, found, literal=pattern.literal),
            headers,
            let_in,
        )
        for found in files
    ]


def _blob_name(path: str, found: Found, *, literal: bool) -> str:
    if literal:
        return path or found.name
    return f"{path.rstrip('/')}/{found.name}" if path else found.name


def _headers(given: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Upload headers as both kinds of upload take them, without those that are the transfer's to set."""
    headers: dict[str, str] = {}
    for header in given:
        name = header["name"].lower()
        if name not in _OURS:
            headers[f"x-ms-blob-{name}" if name in _BLOB_PROPERTIES else name] = header.get("value") or ""
    return headers


async def _store(upload: _Upload, transfers: Transfers, log: _Log) -> None:
    try:
        size = await transfers.upload(
            upload.found.path, upload.container_url, upload.blob, upload.headers, upload.access
        )
    except TransferError as error:
        log.fail(_BY_TROUBLE.get(error.trouble, _OTHER), str(error), upload.blob)
    except OSError as error:
        log.fail(_OTHER, f"the file cannot be read: {os.strerror(error.errno or 0)}", upload.blob)
    else:
        log.out.append(
            f"{upload.found.name} -> {without_query(upload.container_url)}/{upload.blob} ({size} bytes)"
        )
