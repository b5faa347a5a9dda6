"""A real blob store for the transfers, and a node in a temporary directory."""

import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.blob import (
    BlobServiceClient,
    ContainerClient,
    ContainerSasPermissions,
    generate_container_sas,
)

from batch_emulator.compute_node.directories import NodeDirectories
from batch_emulator.compute_node.environment import ComputeNode

ACCOUNT = "devstoreaccount1"
# The key is Azurite's own, the same for everybody.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
AZURITE = Path(__file__).parents[3] / "node_modules" / ".bin" / "azurite-blob"


@dataclass(frozen=True)
class Container:
    """A container of this test."""

    client: ContainerClient
    service: BlobServiceClient

    @property
    def url(self) -> str:
        return str(self.client.url)

    @property
    def missing(self) -> "Container":
        """A container that does not exist."""
        return Container(
            self.service.get_container_client(f"{self.client.container_name}-missing"), self.service
        )

    def with_sas(self, permissions: str, *, hours: float = 1) -> str:
        """Its URL with a SAS of these permissions, such as "rl"."""
        sas = generate_container_sas(
            ACCOUNT,
            str(self.client.container_name),
            account_key=KEY,
            permission=ContainerSasPermissions.from_string(permissions),
            expiry=datetime.now(UTC) + timedelta(hours=hours),
        )
        return f"{self.url}?{sas}"

    def put(self, name: str, data: bytes) -> None:
        self.client.upload_blob(name, data)

    def get(self, name: str) -> bytes:
        return self.client.download_blob(name).readall()

    def names(self) -> set[str]:
        return set(self.client.list_blob_names())


@pytest.fixture(scope="session")
def blob_service() -> Iterator[BlobServiceClient]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = "--silent --inMemoryPersistence --skipApiVersionCheck --disableTelemetry --blobHost 127.0.0.1"
    azurite = subprocess.Popen([str(AZURITE), *options.split(), "--blobPort", str(port)])
    try:
        _wait_until_it_listens(azurite, port)
        with BlobServiceClient(f"http://127.0.0.1:{port}/{ACCOUNT}", credential=KEY) as service:
            yield service
    finally:
        azurite.terminate()
        azurite.wait()


def _wait_until_it_listens(azurite: "subprocess.Popen[bytes]", port: int) -> None:
    for _ in range(600):
        assert azurite.poll() is None, "Azurite has ended"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("Azurite does not listen")


@pytest.fixture
def container(blob_service: BlobServiceClient) -> Container:
    return Container(blob_service.create_container(f"c-{uuid.uuid4().hex}"), blob_service)


@pytest.fixture
def node(tmp_path: Path) -> ComputeNode:
    directories = NodeDirectories(tmp_path / "node")
    directories.create()
    return ComputeNode(
        account_name="laptop",
        account_url="http://127.0.0.1:1",
        pool_id="pool",
        node_id="tvmps_1_d",
        dedicated=True,
        directories=directories,
    )
