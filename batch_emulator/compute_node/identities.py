"""What an emulated node reaches by an identity of its pool: a token for storage, which nobody signed.

Azurite takes such a token with `--oauth basic`; Azure Storage refuses it. Tokens go over https only.
"""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

from batch_emulator.compute_node.storage_answers import TransferError, Trouble, without_query

AUDIENCE = "https://storage.azure.com"
NOBODY = "00000000-0000-0000-0000-000000000000"
_LASTS = 3600


class NotOnPool(Exception):
    """The pool does not have the identity; the text says so."""


def access(reference: Mapping[str, Any] | None, identities: frozenset[str], url: str) -> dict[str, str]:
    """The headers that let in to `url`: none without an identity, for the URL must do then.

    Args:
        reference: `identityReference` of a document.
        identities: resource ids of the pool's identities, in lower case.
        url: what is to be reached.

    Raises:
        NotOnPool: the pool does not have the identity.
        TransferError: a token would go over plain http.
    """
    if not reference:
        return {}
    resource_id = str(reference.get("resourceId") or "")
    if resource_id.lower() not in identities:
        has = ", ".join(sorted(identities)) or "none"
        raise NotOnPool(f"the pool does not have the identity {resource_id}; it has {has}")
    if not url.lower().startswith("https://"):
        text = f"{without_query(url)}: the token of an identity goes over https only"
        raise TransferError(Trouble.DENIED, text)
    return {"Authorization": f"Bearer {_token(time.time())}"}


def _token(now: float) -> str:
    claims = {
        "aud": AUDIENCE,
        "iss": f"https://sts.windows.net/{NOBODY}/",
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now) + _LASTS,
        "ver": "1.0",
        "tid": NOBODY,
        "oid": NOBODY,
    }
    parts = (json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims))
    encoded = (base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    return ".".join([*encoded, "bm9ib2R5"])  # in place of a signature: "nobody"
