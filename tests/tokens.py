"""Emulators that take bearer tokens over https, and a credential whose tokens nobody signed.

What this proves is our side: which tokens are asked for and sent, and that nothing needs a key. Whether a
token may do something is not decided here: emulators have no roles.
"""

import datetime as dt
import json
import time
from base64 import urlsafe_b64encode
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from azure.core.credentials import AccessToken
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.leaks.session import FINDER

TENANT = "11111111-2222-3333-4444-555555555555"
RESOURCES = {
    "https://batch.core.windows.net//.default": "https://batch.core.windows.net/",
    "https://storage.azure.com/.default": "https://storage.azure.com",
    "https://management.azure.com/.default": "https://management.azure.com",
}
"""The scopes that may be asked for, and the audience of their tokens. Any other is a mistake of ours."""


IDENTITY = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/emulator/providers/"
    "Microsoft.ManagedIdentity/userAssignedIdentities/nodes"
)
"""The one that exists for `token_emulator`."""

Certificate = tuple[Path, Path]
"""The files of a certificate and of its key."""


class UnsignedTokens:
    """A credential as azure-identity's are, which makes its tokens itself; remembers them."""

    def __init__(self) -> None:
        self.issued: list[str] = []

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """A token for the one scope."""
        (scope,) = scopes
        expires = int(time.time()) + 3600
        issuer = f"https://sts.windows.net/{TENANT}/"
        claims = {
            "aud": RESOURCES[scope],
            "iss": issuer,
            "nbf": 0,
            "iat": 0,
            "exp": expires,
            "ver": "1.0",
            "tid": TENANT,
            "oid": TENANT,  # who a user delegation key is for
        }
        parts = ({"alg": "none", "typ": "JWT"}, claims)
        encoded = (urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        token = ".".join([*encoded, "bm9ib2R5"])
        self.issued.append(token)
        FINDER.knows(token, "a token of UnsignedTokens")
        return AccessToken(token, expires)

    def as_managed_identity(self, scope: str) -> bytes:
        """What the endpoint of a managed identity answers: a token for the scope's resource."""
        token = self.get_token(scope)
        return json.dumps(
            {
                "access_token": token.token,
                "expires_on": str(token.expires_on),
                "resource": RESOURCES[scope],
                "token_type": "Bearer",
            }
        ).encode()


def certificate(folder: Path) -> Certificate:
    """A certificate for loopback that is its own authority, and its key, both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "certificate.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return chain, private
