"""Inputs already in storage: URLs of blobs, containers and folders made into files; nothing is moved.

`https://<account>.blob.core.windows.net/<container>[/<blob or folder>]`, or an emulator's
`http://127.0.0.1:<port>/<account>/<container>...`. A URL that brings its own signature is read with it; one
of the run's own account is signed by us when tasks are submitted.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import ContainerClient

from batch_tasks.clients import blob_service
from batch_tasks.errors import InputError, error_code
from batch_tasks.patience import FIRST_CONTACT, patient_list, patiently

_SCHEME = re.compile(r"(?i)https?://")
_SIGNATURE = re.compile(r"(?i)[?&]sig=")
_LONGEST_NAME = 255  # bytes of a file name on Linux


@dataclass(frozen=True)
class StoredPlace:
    """A container, or what lies below `path` in it. `container_url` has no `/` at its end."""

    container_url: str
    path: str
    signature: str = field(repr=False)
    """The query of the URL, without `?`; "" when it is not signed."""

    def blob_url(self, name: str) -> str:
        """The URL of a blob in the container, signed as this place is."""
        url = f"{self.container_url}/{quote(name, safe='/~')}"
        return f"{url}?{self.signature}" if self.signature else url

    def __str__(self) -> str:
        return f"{self.container_url}/{self.path}".rstrip("/")


@dataclass(frozen=True)
class StoredFile:
    """A blob: its name below the place that was named, its signed or bare URL, its size in bytes."""

    key: str
    url: str = field(repr=False)
    size: int

    @property
    def path(self) -> str:
        """The URL as people read it: not signed, nothing in it escaped."""
        return unquote(unsigned(self.url))


def is_url(source: str) -> bool:
    """Whether a source of inputs is a URL rather than a path."""
    return _SCHEME.match(source) is not None


def is_signed(source: str) -> bool:
    """Whether a source of inputs is a URL with a signature (SAS): who has it may read what it names."""
    return is_url(source) and _SIGNATURE.search(source) is not None


def unsigned(source: str) -> str:
    """A source of inputs as people may see it: a URL without its query, which signs it; a path as it is."""
    return source.partition("?")[0] if is_url(source) else source


def stored_place(url: str) -> StoredPlace:
    """The place a URL names. Looks at nothing but its text.

    Raises:
        InputError: it names no container.
    """
    parts = urlsplit(url)
    names = [unquote(part) for part in parts.path.split("/")[1:]]
    account = names[:1] if _has_account_in_path(parts.hostname or "") else []
    container, path = names[len(account) : len(account) + 1], names[len(account) + 1 :]
    if not parts.hostname or not container or not container[0]:
        problem = (
            f"The URL {unsigned(url)!r} names no container: write https://<account>.blob.core.windows"
            ".net/<container>, with a blob or a folder behind it unless you mean all of it."
        )
        raise InputError([problem])
    root = "/".join([f"{parts.scheme}://{parts.netloc}", *account])
    return StoredPlace(f"{root}/{container[0]}", "/".join(path), parts.query)


def stored_files(place: StoredPlace) -> list[StoredFile]:
    """The blobs of the place: the one of that very name, else all below it. Asks storage.

    Raises:
        InputError: storage does not let us look, nothing is there, or a name can be no file's on a node.
    """
    client = _container_client(place)
    try:
        if place.path and not place.path.endswith("/"):
            size = _size_of(client, place.path)
            if size is not None:
                return [_stored_file(place, place.path, place.path.rpartition("/")[0], size)]
        folder = place.path.rstrip("/")
        prefix = f"{folder}/" if folder else None
        blobs = patient_list(lambda: client.list_blobs(name_starts_with=prefix), patience=FIRST_CONTACT)
        found = [(blob.name, blob.size) for blob in blobs]
    except AzureError as error:
        problem = (
            f"Storage does not let us look at {str(place)!r} ({error_code(error) or type(error).__name__}). "
            "Check the URL; one of another account needs a signature (SAS) that allows to read and list."
        )
        raise InputError([problem]) from None
    # Some tools keep a folder as an empty blob called like it.
    folders = {str(parent) for name, _ in found for parent in PurePosixPath(name).parents}
    files = [
        _stored_file(place, name, folder, size)
        for name, size in found
        if size or not (name.endswith("/") or name in folders)
    ]
    if not files:
        raise InputError([f"There is no blob {str(place)!r}, and none below it."])
    return files


def _stored_file(place: StoredPlace, name: str, folder: str, size: int) -> StoredFile:
    key = name[len(folder) + 1 :] if folder else name
    parts = key.split("/")
    if not all(_is_file_name(part) for part in parts):
        raise InputError([f"The blob {name!r} in {place.container_url!r} has a name that can be no file's."])
    return StoredFile(key, place.blob_url(name), size)


def _is_file_name(part: str) -> bool:
    return part not in {"", ".", ".."} and "\0" not in part and len(part.encode()) <= _LONGEST_NAME


def _size_of(client: ContainerClient, blob: str) -> int | None:
    """The blob's size in bytes; None when there is none of that name."""
    try:
        return patiently(
            lambda: int(client.get_blob_client(blob).get_blob_properties().size), patience=FIRST_CONTACT
        )
    except ResourceNotFoundError as error:
        if error_code(error) == "ContainerNotFound":
            raise
        return None


def _container_client(place: StoredPlace) -> ContainerClient:
    """A client with the URL's own signature; with the account's credentials where the URL is of ours."""
    if place.signature:
        return ContainerClient.from_container_url(f"{place.container_url}?{place.signature}")
    root, _, container = place.container_url.rpartition("/")
    ours = blob_service()
    if root.lower() == ours.url.rstrip("/").lower():
        return ours.get_container_client(container)
    return ContainerClient.from_container_url(place.container_url)


def _has_account_in_path(host: str) -> bool:
    """Whether URLs of this host name the account first, as those of emulators do."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." not in host
    return True
