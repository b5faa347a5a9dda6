"""The clouds that Azure is: which names belong together, told by the Batch endpoint.

Sovereign clouds have suffixes and token audiences of their own. Where people and tokens are at home there,
azure-identity reads from AZURE_AUTHORITY_HOST.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Cloud:
    """One cloud: its suffixes of endpoints, and what tokens are asked for.

    Attributes:
        batch: suffix of Batch endpoints.
        blobs: suffix of blob endpoints.
        batch_resource: whom tokens for Batch are for. Its name ends in a slash.
        management: the endpoint of Azure Resource Manager.
    """

    batch: str
    blobs: str
    batch_resource: str
    management: str

    @property
    def batch_scope(self) -> str:
        """What tokens for Batch are asked for: with two slashes, as the resource's name ends in one
        (documented).
        """
        return f"{self.batch_resource}/.default"


PUBLIC = Cloud(
    "batch.azure.com",
    "blob.core.windows.net",
    "https://batch.core.windows.net/",
    "https://management.azure.com",
)
SOVEREIGN = (
    Cloud(
        "batch.chinacloudapi.cn",
        "blob.core.chinacloudapi.cn",
        "https://batch.chinacloudapi.cn/",
        "https://management.chinacloudapi.cn",
    ),
    Cloud(
        "batch.usgovcloudapi.net",
        "blob.core.usgovcloudapi.net",
        "https://batch.core.usgovcloudapi.net/",
        "https://management.usgovcloudapi.net",
    ),
)
"""As the `az` command knows them (azure-cli, cloud.py). Not tried."""


def cloud_of(batch_endpoint: str) -> Cloud:
    """The cloud that the endpoint is in; the public one for any that tells nothing, as an emulator's."""
    host = urlsplit(batch_endpoint if "://" in batch_endpoint else f"https://{batch_endpoint}").hostname or ""
    return next((cloud for cloud in SOVEREIGN if host.endswith(f".{cloud.batch}")), PUBLIC)
