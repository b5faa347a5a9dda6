"""Bearer tokens: checked as far as a stranger can, without the keys of whoever signs them.

The form, the audience, the issuer's form, the times: all but the signature. So a token proves nothing about
who sends it; it is for trying out code that signs in with Microsoft Entra ID, and off unless asked for.
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from typing import Any

from batch_emulator.auth import Request
from batch_emulator.errors import InvalidToken

AUDIENCES = frozenset({"https://batch.core.windows.net/", "https://batch.core.windows.net"})
"""The scope that clients ask for is `https://batch.core.windows.net//.default`, with both slashes."""
ISSUER = re.compile(
    r"https://(?:sts\.windows\.net/[0-9a-f-]{36}/|login\.microsoftonline\.com/[0-9a-f-]{36}/v2\.0)", re.I
)
LEEWAY = 300
"""Seconds by which two clocks may differ."""


@dataclass(frozen=True, slots=True)
class BearerToken:
    """Takes any token for one of these audiences that is of the right form and in time."""

    audiences: frozenset[str] = AUDIENCES
    scheme: str = field(default="bearer", init=False)

    def authenticate(self, credentials: str, request: Request, now: float) -> None:
        """Check the claims of a token.

        Raises:
            InvalidToken: it is no token, or it is for somebody else, or not of now; no text repeats it.
        """
        del request
        claims = _claims(credentials)
        audience = claims.get("aud")
        if not isinstance(audience, str) or audience not in self.audiences:
            wanted = max(self.audiences)
            raise InvalidToken(AuthenticationErrorDetail=f"The audience must be {wanted}.")
        issuer = claims.get("iss")
        if not isinstance(issuer, str) or ISSUER.fullmatch(issuer) is None:
            raise InvalidToken(
                AuthenticationErrorDetail="The issuer must read https://sts.windows.net/<tenant>/."
            )
        if _time(claims, "nbf") > now + LEEWAY:
            raise InvalidToken(AuthenticationErrorDetail="The token is not valid yet.")
        if _time(claims, "exp") <= now - LEEWAY:
            raise InvalidToken(AuthenticationErrorDetail="The token has expired.")


def _claims(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:
        raise InvalidToken(AuthenticationErrorDetail="It must be a JSON web token: three parts with dots.")
    header, claims = (_decoded(part) for part in parts[:2])
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise InvalidToken(AuthenticationErrorDetail="Its parts must be JSON objects in base64url.")
    return claims


def _decoded(part: str) -> Any:
    try:
        return json.loads(base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None


def _time(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidToken(AuthenticationErrorDetail=f"The claim {name!r} must be a time in seconds.")
    return float(value)
