"""The emulator in a process that was forked with all its modules: a start takes a hundredth of a second."""

import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path

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


def end(arguments: list[str], folder: Path) -> None:
    """Be the emulator in `folder`, where `stdout` and `stderr` take what it says."""
    os.chdir(folder)
    for standard, name in ((1, "stdout"), (2, "stderr")):
        with Path(name).open("wb") as file:
            os.dup2(file.fileno(), standard)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    main(arguments)
