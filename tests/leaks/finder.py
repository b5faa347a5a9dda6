"""What a secret looks like, and where in some bytes one is. Pure, and quick: the databases of a whole session
are looked through in seconds.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

SHAPES = {
    # 64 bytes in base64, as Azure, Azurite and the emulator make account keys; not within longer base64,
    # and not an npm package's `sha512-...`.
    "an account key": re.compile(rb"==(?<=(?<![A-Za-z0-9+/=-])[A-Za-z0-9+/]{86}==)(?!=)"),
    # Half a signature is enough: what is shown may be cut.
    "a SAS signature": re.compile(rb"sig(?:=|%3[Dd])(?:[A-Za-z0-9+/]|%2[BbFf]|%252[BbFf]){20,}(?:%3[Dd])?"),
    "a bearer token": re.compile(rb"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+"),
    "a header with a bearer token": re.compile(rb"Bearer +[\w.~+/-]{30,}"),
}
"""What to look for where the secret itself is not known. Each begins with fixed letters: that is quick."""
_KEY_LENGTH = 88
_SHOWN = 50


@dataclass(frozen=True)
class Leak:
    """A secret that was found: where, what, and what stands before it. Never the secret itself."""

    place: str
    what: str
    before: str = field(compare=False)

    def __str__(self) -> str:
        return f"{self.what} in {self.place}, after {self.before!r}"


class Finder:
    """Looks for the secrets it was told of, and for what looks like one unless it is exactly a fake."""

    def __init__(self, fakes: Iterable[str] = ()) -> None:
        self._fakes = {fake.encode() for fake in fakes}
        self._known: dict[bytes, str] = {}
        self._inputs: set[str] = set()

    def knows_input(self, place: str) -> None:
        """A test put a secret into this very file, as people do; anywhere else it is a leak."""
        self._inputs.add(place)

    def knows(self, secret: str, what: str) -> None:
        """From now on the secret is looked for, as it is and as it stands in URLs and JSON."""
        if len(secret) >= 20:
            forms = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], secret.replace("/", "\\/")}
            self._known.update({form.encode(): what for form in forms})

    def look(self, place: str, content: bytes) -> Iterator[Leak]:
        """All leaks in the content; of a secret that is there often, the first."""
        if place in self._inputs:
            return
        for secret, what in self._known.items():
            if (at := content.find(secret)) >= 0:
                yield Leak(place, what, _before(content, at))
        for what, shape in SHAPES.items():
            for hit in shape.finditer(content):
                start = hit.end() - _KEY_LENGTH if hit[0] == b"==" else hit.start()
                if content[start : hit.end()] not in self._fakes:
                    yield Leak(place, what, _before(content, start))
                    break


def _before(content: bytes, at: int) -> str:
    """The text before a secret; cut where another one may begin."""
    text = content[max(0, at - _SHOWN) : at].decode("utf-8", "replace")
    return re.sub(r"[A-Za-z0-9+/%=_-]{20,}", "...", text)
