"""The Batch emulator as a child process of ours, on a free port and with a key that it makes itself."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flows.local_stack.service import Service

ACCOUNT, KEY, ENDPOINT = "AZURE_BATCH_ACCOUNT", "AZURE_BATCH_ACCESS_KEY", "AZURE_BATCH_ENDPOINT"


@dataclass(frozen=True)
class BatchAccount:
    """A Batch account that the emulator serves."""

    endpoint: str
    name: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Emulator:
    """The emulator as it starts; `account()` waits until it listens."""

    service: Service

    def account(self) -> BatchAccount:
        """The account to use, once the emulator listens.

        Raises:
            ServiceError: the emulator ended, or did not listen in time.
        """
        settings: dict[str, str] = {}

        def complete(line: str) -> BatchAccount | None:
            settings.update(exported(line))
            if not {ACCOUNT, KEY, ENDPOINT} <= settings.keys():
                return None
            return BatchAccount(settings[ENDPOINT], settings[ACCOUNT], settings[KEY])

        return self.service.announced(complete)


@contextmanager
def running_emulator(env: dict[str, str], *options: str) -> Iterator[Emulator]:
    """The emulator for the length of a `with` block; it removes its nodes' files when it ends."""
    command = [sys.executable, "-m", "batch_emulator", "--port", "0", "--exit-with-stdin", *options]
    with Service("The Batch emulator", command, env=env) as service:
        yield Emulator(service)


def exported(line: str) -> dict[str, str]:
    """The setting in a line `export NAME=value`; nothing for any other line."""
    if not line.startswith("export "):
        return {}
    words = shlex.split(line)[1:]
    return dict(word.split("=", 1) for word in words if "=" in word)
