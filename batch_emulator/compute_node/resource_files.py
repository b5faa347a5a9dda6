"""Brings the resource files of a task into its working directory.

What fails is told with the documented codes. None of it is retried by `maxTaskRetryCount` (documented); the
transfers themselves try again.
"""

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from batch_emulator.compute_node.identities import NotOnPool, access
from batch_emulator.compute_node.storage_answers import TransferError, Trouble, blob_url
from batch_emulator.compute_node.transfers import Transfers, for_each
from batch_emulator.outcomes import Failure

DEFAULT_MODE = "0770"  # documented

_BLOB_MISSING = Failure("UserError", "BlobNotFound", "One of the specified Azure Blob(s) is not found.")
_BLOB_DENIED = Failure(
    "UserError", "BlobAccessDenied", "Access for one of the specified Azure Blob(s) is denied."
)
_BLOB_LATE = Failure(
    "ServerError", "BlobDownloadTimedOut", "Downloading one of the specified Azure Blob(s) timed out."
)
_BLOB_OTHER = Failure(
    "ServerError", "BlobDownloadMiscError", "One of the specified Azure Blob(s) could not be downloaded."
)
_CONTAINER_MISSING = Failure(
    "UserError", "ResourceContainerNotFound", "One of the specified Azure Blob container(s) is not found."
)
_CONTAINER_DENIED = Failure(
    "UserError",
    "ResourceContainerAccessDenied",
    "Access for one of the specified Azure Blob container(s) is denied.",
)
_CONTAINER_LATE = Failure(
    "ServerError",
    "ResourceContainerListTimedOut",
    "Listing one of the specified Azure Blob container(s) timed out.",
)
_CONTAINER_OTHER = Failure(
    "ServerError",
    "ResourceContainerListMiscError",
    "One of the specified Azure Blob container(s) could not be listed.",
)
_DISK_FULL = Failure("ServerError", "DiskFull", "There is not enough disk space on the node.")
_NO_DIRECTORY = Failure(
    "ServerError", "ResourceDirectoryCreateFailed", "A directory for a resource file could not be made."
)
_NO_WRITE = Failure("ServerError", "ResourceFileWriteFailed", "A resource file could not be written.")
_BAD_FILE = Failure("UserError", "ResourceFileCreateFailed", "A resource file cannot be made as specified.")

_BLOB = {
    Trouble.NOT_FOUND: _BLOB_MISSING,
    Trouble.CONTAINER_NOT_FOUND: _BLOB_MISSING,
    Trouble.DENIED: _BLOB_DENIED,
    Trouble.TIMED_OUT: _BLOB_LATE,
}
_CONTAINER = {
    Trouble.NOT_FOUND: _CONTAINER_MISSING,
    Trouble.CONTAINER_NOT_FOUND: _CONTAINER_MISSING,
    Trouble.DENIED: _CONTAINER_DENIED,
    Trouble.TIMED_OUT: _CONTAINER_LATE,
}


@dataclass(frozen=True, slots=True)
class _Download:
    """One blob and where it goes, relative to the working directory."""

    url: str
    path: str
    mode: int
    access: Mapping[str, str]
    """Headers that let in."""


class _Failed(Exception):
    """Ends all downloads with one failure."""

    def __init__(self, failure: Failure, message: str, path: str | None = None) -> None:
        super().__init__(message)
        details = [("Message", message)] + ([("FilePath", path)] if path is not None else [])
        self.failure = Failure(failure.category, failure.code, failure.message, tuple(details))


async def fetch(
    resource_files: Sequence[Mapping[str, Any]],
    directory: Path,
    transfers: Transfers,
    identities: frozenset[str] = frozenset(),
) -> Failure | None:
    """Download all resource files (in wire form) below `directory`; None when all are there.

    Blobs of a container are written under `filePath/` and their full names: `blobPrefix` is not cut off
    (documented). The first failure ends the others. No text of a failure holds a SAS. `identities` are those
    of the pool: what a resource file names another one for fails with `ResourceContainerListMiscError` if it
    is a container (documented), with `BlobAccessDenied` if it is a blob (assumed).
    """
    downloads: list[_Download] = []
    try:
        for resource_file in resource_files:
            downloads += await _downloads(resource_file, transfers, identities)
        await for_each(downloads, partial(_fetch, directory=directory, transfers=transfers))
    except _Failed as failed:
        return failed.failure
    return None


async def _downloads(
    resource_file: Mapping[str, Any], transfers: Transfers, identities: frozenset[str]
) -> list[_Download]:
    """What one resource file asks for."""
    path = resource_file.get("filePath") or ""
    mode = _mode(resource_file.get("fileMode") or DEFAULT_MODE, path)
    container = resource_file.get("storageContainerUrl")
    url = resource_file.get("httpUrl")
    if resource_file.get("autoStorageContainerName"):
        text = (
            "autoStorageContainerName: there is no auto storage here; give a storageContainerUrl with a SAS"
        )
        raise _Failed(_CONTAINER_OTHER, text)
    if url is None and container is None:
        raise _Failed(_BAD_FILE, "it has neither httpUrl nor storageContainerUrl", path)
    let_in = _access(resource_file, identities, path)
    if container is None:
        return [_Download(str(url), path, mode, let_in)]
    try:
        names = await transfers.list_blobs(container, resource_file.get("blobPrefix") or "", let_in)
    except TransferError as error:
        raise _Failed(_CONTAINER.get(error.trouble, _CONTAINER_OTHER), str(error)) from None
    within = f"{path.rstrip('/')}/" if path else ""
    return [_Download(blob_url(container, name), within + name.lstrip("/"), mode, let_in) for name in names]


def _access(resource_file: Mapping[str, Any], identities: frozenset[str], path: str) -> Mapping[str, str]:
    """The headers by which the resource file is reached."""
    container = resource_file.get("storageContainerUrl")
    url = container or resource_file.get("httpUrl") or ""
    try:
        return access(resource_file.get("identityReference"), identities, url)
    except NotOnPool as error:
        raise _Failed(_CONTAINER_OTHER if container else _BLOB_DENIED, str(error), path) from None
    except TransferError as error:
        raise _Failed(_CONTAINER_DENIED if container else _BLOB_DENIED, str(error), path) from None


async def _fetch(download: _Download, directory: Path, transfers: Transfers) -> None:
    target = directory.joinpath(*_inside(download.path))
    is_folder = download.path.endswith("/")  # a blob that stands for a folder
    try:
        (target if is_folder else target.parent).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _disk_trouble(error, _NO_DIRECTORY, download.path) from None
    if is_folder:
        return
    try:
        await transfers.download(download.url, target, download.access)
        target.chmod(download.mode)
    except TransferError as error:
        raise _Failed(_BLOB.get(error.trouble, _BLOB_OTHER), str(error), download.path) from None
    except OSError as error:
        raise _disk_trouble(error, _NO_WRITE, download.path) from None


def _inside(path: str) -> list[str]:
    """The parts of a path that stays in the working directory."""
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if not parts or path.startswith("/") or ".." in parts or "\0" in path:
        raise _Failed(_BAD_FILE, "the path must be relative and stay in the task's working directory", path)
    return parts


def _mode(text: str, path: str) -> int:
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise _Failed(_BAD_FILE, f"fileMode {text!r} is not an octal mode such as 0770", path)
    return mode


def _disk_trouble(error: OSError, otherwise: Failure, path: str) -> _Failed:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    return _Failed(_DISK_FULL if full else otherwise, os.strerror(error.errno or 0), path)
