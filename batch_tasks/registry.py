"""Container images in registries that let a pool's identity in: those of Azure Container Registry.

Any other registry takes no tokens of Microsoft Entra ID: its images are fetched as anybody may.
"""

from __future__ import annotations

from azure.batch.models import BatchNodeIdentityReference, ContainerRegistryReference

_SUFFIXES = (".azurecr.io", ".azurecr.cn", ".azurecr.us")
"""Of login servers, by cloud (documented)."""


def registry_by_identity(image: str, identity: str) -> ContainerRegistryReference | None:
    """How Batch signs in to the registry of the image; None where no identity is set or would help. Pure."""
    server = image.partition("/")[0].lower()
    if not identity or not server.endswith(_SUFFIXES):
        return None
    return ContainerRegistryReference(
        registry_server=server, identity_reference=BatchNodeIdentityReference(resource_id=identity)
    )
