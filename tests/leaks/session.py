"""The secrets of this session, told by whoever makes them, and the fakes that tests plant on purpose."""

from typing import Protocol, TypeVar

from tests.leaks.finder import Finder

FAKE_KEY = "Tm8ga2V5LCBidXQgYSBmYWtlIG9mIHRoZSB0ZXN0czogaXQgaGFzIHNpeHR5LWZvdXIgYnl0ZXMgbGlrZSBvbg=="
FAKE_SIGNATURE = "sig=bm90YXNpZ25hdHVyZWJ1dGFmYWtlb2Z0aGV0ZXN0czE%3D"
FAKE_TOKEN = "eyJmYWtlIjoieWVzIn0.eyJvZiI6InRoZSB0ZXN0cyJ9.bm9ib2R5"
FAKE_HEADER = "Bearer no-token-but-a-fake-of-the-tests-itself"
FINDER = Finder((FAKE_KEY, FAKE_SIGNATURE, FAKE_TOKEN, FAKE_HEADER))
"""Looks for the secrets of this process's session."""


class HasKey(Protocol):
    """An account as an emulator serves it."""

    @property
    def key(self) -> str:
        """The account's key."""


A = TypeVar("A", bound=HasKey)


def noted(account: A) -> A:
    """The account; from now on its key is a secret of this session."""
    FINDER.knows(account.key, f"the key of a {type(account).__name__}")
    return account
