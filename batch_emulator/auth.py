"""Who may talk to the account: signatures, their age, and where a request comes from.

An authenticator answers for one scheme of the `Authorization` header, so that bearer tokens fit in beside the
shared key as another one.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Protocol
from urllib.parse import SplitResult, parse_qs, urlsplit

from batch_emulator.errors import AuthenticationFailed, InvalidAuthenticationInfo
from batch_emulator.wire.values import parse_http_date

OLDEST = 15 * 60
"""Seconds by which the date of a request may differ from the clock (documented)."""

_SIGNED = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


@dataclass(frozen=True, slots=True)
class Request:
    """What a signature is about: the request as it was sent, before anything was decoded."""

    method: str
    raw_path: str
    """With its percent-encoding, and with the prefix of the endpoint if it has one."""
    raw_query: str
    headers: Mapping[str, str] = field(repr=False)
    """By lower-case name."""


class Authenticator(Protocol):
    """Checks the credentials of one scheme."""

    @property
    def scheme(self) -> str:
        """The first word of the `Authorization` header, in lower case."""
        ...

    def authenticate(self, credentials: str, request: Request, now: float) -> None:
        """Return if the rest of the header proves that the request is the account's; raise a BatchError."""
        ...


def authenticate(request: Request, authenticators: Sequence[Authenticator], now: float) -> None:
    """Return if one of the authenticators vouches for the request.

    Args:
        request: as sent.
        authenticators: at most one for each scheme.
        now: seconds since 1970.

    Raises:
        AuthenticationFailed: there is no `Authorization` header, or it does not prove anything.
        InvalidAuthenticationInfo: the header is malformed or of an unknown scheme.
    """
    header = request.headers.get("authorization", "").strip()
    if not header:
        raise AuthenticationFailed(AuthenticationErrorDetail="The Authorization header is missing.")
    scheme, _, credentials = header.partition(" ")
    for authenticator in authenticators:
        if scheme.lower() == authenticator.scheme:
            authenticator.authenticate(credentials.strip(), request, now)
            return
    known = ", ".join(authenticator.scheme for authenticator in authenticators)
    raise InvalidAuthenticationInfo(
        AuthenticationErrorDetail=f"The scheme of the Authorization header must be one of: {known}."
    )


@dataclass(frozen=True, slots=True)
class SharedKey:
    """Signatures with the key of the account."""

    account: str
    key: bytes = field(repr=False)
    scheme: str = field(default="sharedkey", init=False)

    @classmethod
    def from_text(cls, account: str, key: str) -> "SharedKey":
        """Take the key as the portal shows it, in base64.

        Raises:
            ValueError: it is not base64; the key itself is not in the text.
        """
        try:
            return cls(account, base64.b64decode(key, validate=True))
        except (binascii.Error, ValueError):
            raise ValueError("the account key must be base64, as the portal shows it") from None

    def authenticate(self, credentials: str, request: Request, now: float) -> None:
        """Check account, age and signature: `<account>:<base64 of HMAC-SHA256>`."""
        account, colon, signature = credentials.partition(":")
        if not colon or not account or not signature:
            raise InvalidAuthenticationInfo(
                AuthenticationErrorDetail="It must read 'SharedKey <account>:<signature>'."
            )
        if account != self.account:
            raise AuthenticationFailed(AuthenticationErrorDetail=f"There is no account {account!r} here.")
        _check_age(request.headers, now)
        sent = signature.encode("utf-8", "surrogateescape")
        texts = strings_to_sign(self.account, request)
        if not any(hmac.compare_digest(self.sign(text).encode(), sent) for text in texts):
            ours = next(iter(strings_to_sign(self.account, request)))
            raise AuthenticationFailed(
                AuthenticationErrorDetail=f"The account's key gives another signature of {ours[:2000]!r}."
            )

    def sign(self, text: str) -> str:
        """The signature of a text, in base64."""
        digest = hmac.new(self.key, text.encode("utf-8", "surrogateescape"), hashlib.sha256).digest()
        return base64.b64encode(digest).decode()


def _check_age(headers: Mapping[str, str], now: float) -> None:
    date = headers.get("ocp-date") or headers.get("date")
    if not date:
        raise AuthenticationFailed(AuthenticationErrorDetail="The ocp-date or Date header is missing.")
    try:
        age = now - parse_http_date(date)
    except ValueError as error:
        raise AuthenticationFailed(AuthenticationErrorDetail=f"Date {date!r}: {error}.") from None
    if abs(age) > OLDEST:
        raise AuthenticationFailed(
            AuthenticationErrorDetail=f"The request's date {date!r} is more than 15 minutes off this clock."
        )


def strings_to_sign(account: str, request: Request) -> Iterable[str]:
    """The texts that clients sign for this request, the official Python client's first.

    Clients differ in four points: whether the absent body of a POST or DELETE has the length 0 or none,
    whether names of query parameters are put in lower case, whether a Date counts beside an ocp-date, and
    whether the colon in the id of a schedule's job, signed as `%3A`, is sent as a colon by a library below.
    """
    headers = {name: value for name, value in request.headers.items() if value}
    length = headers.get("content-length", "")
    lengths = [length, ""] if length in {"", "0"} else [length]
    if request.method not in {"GET", "HEAD"} and not length.strip("0"):
        lengths = ["0", ""]
    date = headers.get("date", "")
    dates = [date, ""] if date and "ocp-date" in headers else [date]
    ours = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers) if "ocp-" in name)
    queries = dict.fromkeys((_canonical(request.raw_query), _canonical(request.raw_query, lower=True)))
    paths = dict.fromkeys((request.raw_path, request.raw_path.replace(":", "%3A")))
    for path, query, signed_length, signed_date in product(paths, queries, dict.fromkeys(lengths), dates):
        signed = {**headers, "content-length": signed_length, "date": signed_date}
        lines = "".join(f"{signed.get(name, '')}\n" for name in _SIGNED)
        yield f"{request.method}\n{lines}{ours}/{account}{path}{query}"


def _canonical(raw_query: str, *, lower: bool = False) -> str:
    """A line `name:value` for each parameter by name: decoded, the first value only, blank ones left out."""
    first = {name: values[0] for name, values in parse_qs(raw_query).items()}
    named = ((name.lower() if lower else name, value) for name, value in first.items())
    return "".join(f"\n{name}:{value}" for name, value in sorted(named))


def allowed_host(host: str | None, allowed: Iterable[str]) -> bool:
    """Whether a Host header names this emulator, at any port.

    A web page can make a name of its own resolve to this machine; its requests carry that name.

    Args:
        host: the header, such as `127.0.0.1:10010` or `[::1]:10010`.
        allowed: names and addresses, without ports; IPv6 addresses without brackets.
    """
    parts = _parts(f"//{host or ''}")
    plain = parts is not None and parts.netloc == host and "@" not in parts.netloc
    name = (parts.hostname or "").rstrip(".") if parts and plain else ""
    return name in {known.lower() for known in allowed}


def allowed_origin(origin: str | None, host: str | None) -> bool:
    """Whether a request comes from no web page, or from one that this emulator served itself.

    Args:
        origin: the Origin header; programs send none, browsers send one across origins.
        host: the Host header, found good by `allowed_host`.
    """
    if origin is None:
        return True
    parts = _parts(origin)
    return host is not None and parts is not None and parts.netloc.lower() == host.lower()


def check_source(headers: Mapping[str, str], allowed: Iterable[str]) -> None:
    """Refuse what a web page makes a browser send.

    Raises:
        AuthenticationFailed: the Host header is not this emulator's, or the Origin is another site.
    """
    host = headers.get("host")
    if not allowed_host(host, allowed):
        raise AuthenticationFailed(
            AuthenticationErrorDetail=f"The Host header {host!r} is not a name of this emulator."
        )
    if not allowed_origin(headers.get("origin"), host):
        raise AuthenticationFailed(
            AuthenticationErrorDetail="Requests from web pages of another origin are refused."
        )


def _parts(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None
