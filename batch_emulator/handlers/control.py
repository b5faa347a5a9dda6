"""The emulator's own operations, under a prefix that the service does not have.

They are for people and tests on this machine: no signature is asked; the Host header is checked as ever.
"""

from batch_emulator import errors
from batch_emulator.calls import Reply
from batch_emulator.emulator import Emulator

PREFIX = "/_emulator/"


def answer(emulator: Emulator, method: str, raw_path: str) -> Reply:
    """Answer a request to the control plane."""
    if (method, raw_path.removeprefix(PREFIX)) == ("GET", "health"):
        return Reply(200, {"status": "ok", "account": emulator.account_name})
    raise errors.InvalidUri
