"""A real blob store for the transfers, and a node in a temporary directory."""

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
from flows.local_stack.azurite import BlobAccount


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
            str(self.service.account_name),
            str(self.client.container_name),
            account_key=self.service.credential.account_key,
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
def blob_service(azurite: BlobAccount) -> Iterator[BlobServiceClient]:
    with BlobServiceClient(azurite.endpoint, credential=azurite.key) as service:
        yield service


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
