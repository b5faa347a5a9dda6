"""Blobs over plain HTTP: list, download, upload, each tried again when that may help.

It speaks the Blob REST API itself: all that a node has is the SAS in a document, or headers that let it in.
"""

import asyncio
import base64
import hashlib
import logging
import os
import stat
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self, TypeVar

from batch_emulator.compute_node.storage_answers import (
    TransferError,
    blob_url,
    check,
    listed_page,
    transport_trouble,
    with_query,
)

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from hashlib import _Hash
    from ssl import SSLContext

    import httpx

VERSION = {"x-ms-version": "2021-12-02"}
"""Storage version: it tells names that XML cannot hold, which older ones do not."""
AT_ONCE = 16
"""Transfers at once, over all nodes of the emulator."""
BLOCK = 8 << 20
"""Bytes of a block, and of the largest file that is sent in one request."""
CHUNK = 1 << 20

NOTHING: Mapping[str, str] = {}

T = TypeVar("T")


class BlobClient:
    """An HTTP client that is made for its first request. Use it in `async with`.

    Importing its library takes a third of the emulator's start (measured), and most runs store no blob.
    """

    def __init__(self, patience: float = 60.0) -> None:
        """Nothing is open yet; an answer may take `patience` seconds."""
        self._patience = patience
        self._opened: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        """Do nothing."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close what was opened."""
        if self._opened is not None:
            await self._opened.aclose()

    async def get(self, url: str, **options: Any) -> "httpx.Response":
        """What GET answers."""
        return await self._client().get(url, **options)

    async def put(self, url: str, **options: Any) -> "httpx.Response":
        """What PUT answers."""
        return await self._client().put(url, **options)

    def stream(self, method: str, url: str, **options: Any) -> "AbstractAsyncContextManager[httpx.Response]":
        """An answer that is read piece by piece."""
        return self._client().stream(method, url, **options)

    def _client(self) -> "httpx.AsyncClient":
        if self._opened is None:
            self._opened = _open_client(self._patience)
        return self._opened


def _open_client(patience: float) -> "httpx.AsyncClient":
    """It waits for a free connection without limit, for the queue is ours and a long one is no failure.

    The loggers of the HTTP libraries name whole URLs, with their SAS: they are silenced below warnings.
    """
    import httpx  # noqa: PLC0415

    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    limits = httpx.Limits(max_connections=2 * AT_ONCE, max_keepalive_connections=2 * AT_ONCE)
    timeout = httpx.Timeout(patience, connect=10.0, pool=None)
    return httpx.AsyncClient(timeout=timeout, limits=limits, verify=_trusted())


@cache
def _trusted() -> "SSLContext":
    """The certificates that this machine trusts; to read them takes longer than many a transfer."""
    import httpx  # noqa: PLC0415

    return httpx.create_ssl_context()


@dataclass(frozen=True, slots=True)
class Transfers:
    """The way to storage: one for all nodes, so that its bound holds over all of them."""

    client: BlobClient
    pauses: tuple[float, ...] = (0.2, 1.0, 3.0)
    """Seconds before each further try. The service's own tries can take minutes (reported)."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def list_blobs(
        self, container_url: str, prefix: str = "", access: Mapping[str, str] = NOTHING
    ) -> list[str]:
        """The names of all blobs in a container that begin with `prefix`. Needs the right to list.

        `access`, here and below, are headers that let in where the URL does not.

        Raises:
            TransferError: the container cannot be listed.
        """
        names: list[str] = []
        marker = ""
        while True:
            query = {"restype": "container", "comp": "list", "prefix": prefix, "marker": marker}
            url = with_query(container_url, query)
            page, marker = await self._patiently(partial(self._list, url, access), url)
            names += page
            if not marker:
                return names

    async def download(self, url: str, path: Path, access: Mapping[str, str] = NOTHING) -> None:
        """Stream what `url` gives to `path`, byte for byte. On failure no file stays.

        Raises:
            TransferError: it cannot be fetched.
            OSError: it cannot be written.
        """
        try:
            async with self.turns:
                await self._patiently(lambda: self._get(url, path, access), url)
        except BaseException:
            _discard(path)
            raise

    async def upload(
        self,
        path: Path,
        container_url: str,
        name: str,
        headers: Mapping[str, str],
        access: Mapping[str, str] = NOTHING,
    ) -> int:
        """Store a regular file as a block blob with its MD5, replacing what is there; its size in bytes.

        The right to write suffices. Files of more than `BLOCK` bytes go in blocks, one in memory at a time.

        Raises:
            TransferError: it cannot be stored.
            OSError: it cannot be read.
        """
        url = blob_url(container_url, name)
        async with self.turns:
            with _open_regular(path) as file:
                digest = hashlib.md5(usedforsecurity=False)
                data = await in_thread(partial(_read, file, digest))
                if len(data) < BLOCK:
                    whole = {"x-ms-blob-type": "BlockBlob", **headers, **access, **_md5(digest)}
                    await self._put(url, data, whole)
                    return len(data)
                return await self._put_blocks(url, file, data, digest, headers, access)

    async def _put_blocks(
        self,
        url: str,
        file: BinaryIO,
        data: bytes,
        digest: "_Hash",
        headers: Mapping[str, str],
        access: Mapping[str, str],
    ) -> int:
        blocks: list[str] = []
        size = 0
        while data:
            blocks.append(base64.b64encode(b"%010d" % len(blocks)).decode())
            await self._put(with_query(url, {"comp": "block", "blockid": blocks[-1]}), data, access)
            size += len(data)
            data = await in_thread(partial(_read, file, digest))
        listed = "".join(f"<Latest>{block}</Latest>" for block in blocks)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'.encode()
        await self._put(with_query(url, {"comp": "blocklist"}), body, {**headers, **access, **_md5(digest)})
        return size

    async def _put(self, url: str, data: bytes, headers: Mapping[str, str]) -> None:
        async def put() -> None:
            check(await self.client.put(url, content=data, headers={**VERSION, **headers}), url)

        await self._patiently(put, url)

    async def _list(self, url: str, access: Mapping[str, str]) -> tuple[list[str], str]:
        answer = await self.client.get(url, headers={**VERSION, **access})
        check(answer, url)
        return listed_page(answer.content, url)

    async def _get(self, url: str, path: Path, access: Mapping[str, str]) -> None:
        # The stored bytes are wanted, whatever Content-Encoding a blob carries.
        headers = {**VERSION, "Accept-Encoding": "identity", **access}
        async with self.client.stream("GET", url, headers=headers, follow_redirects=True) as answer:
            check(answer, url)
            with _open_new(path) as file:
                async for chunk in answer.aiter_raw(CHUNK):
                    file.write(chunk)

    async def _patiently(self, call: Callable[[], Awaitable[T]], url: str) -> T:
        import httpx  # noqa: PLC0415

        for pause in (*self.pauses, None):
            try:
                return await call()
            except TransferError as error:
                failed = error
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                failed = transport_trouble(error, url)
            if pause is None or not failed.passing:
                break
            await self.sleep(pause)
        raise failed


async def for_each(items: Sequence[T], act: Callable[[T], Awaitable[None]]) -> None:
    """Act on all items, a bounded number at once; the first error ends the others and is raised."""
    remaining = iter(items)

    async def work() -> None:
        for item in remaining:
            await act(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, len(items))):
                group.create_task(work())
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


async def in_thread(call: Callable[[], T]) -> T:
    """What `call` returns, from a thread; cancelled, it waits for the thread, which uses what we own."""
    running = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait((running,))
        raise


def _discard(path: Path) -> None:
    path.unlink(missing_ok=True)


def _open_new(path: Path) -> BinaryIO:
    return path.open("wb", buffering=0)


def _open_regular(path: Path) -> BinaryIO:
    """Open a file to read. A pipe is refused instead of waited for, a link is not followed."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(f"{path.name} is not a regular file")
    return os.fdopen(fd, "rb", buffering=0)


def _read(file: BinaryIO, digest: "_Hash") -> bytes:
    data = file.read(BLOCK)
    digest.update(data)
    return data


def _md5(digest: "_Hash") -> dict[str, str]:
    return {"x-ms-blob-content-md5": base64.b64encode(digest.digest()).decode()}
