"""The emulator in a process that was forked with all its modules: a start takes a hundredth of a second."""

import os
import sys
from multiprocessing.connection import Connection

import httpx  # noqa: F401

import batch_emulator.app
import batch_emulator.handlers.management
import batch_emulator.server  # noqa: F401
from batch_emulator.__main__ import main


def serve(arguments: list[str], env: dict[str, str], held: Connection, printing: Connection) -> None:
    """Be the emulator until whoever holds the other end of `held` lets go; stdout is `printing`."""
    os.environ.clear()
    os.environ.update(env)
    for connection, standard in ((held, 0), (printing, 1)):
        os.dup2(connection.fileno(), standard)
        connection.close()
    sys.stdin = os.fdopen(0)
    sys.stdout = os.fdopen(1, "w")
    main(arguments)
