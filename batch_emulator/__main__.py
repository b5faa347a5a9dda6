"""`batch-emulator`: the Azure Batch data plane on this machine."""

import argparse
import asyncio
import logging
import shlex
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from batch_emulator.options import parse
from batch_emulator.tables import Mistake, read_table

if TYPE_CHECKING:
    from batch_emulator.emulator import Emulator

PR_SET_DUMPABLE = 4


def main(arguments: list[str] | None = None) -> None:
    """Run the emulator until SIGTERM, SIGINT, or the end of standard input where that is asked for."""
    options = parse(arguments)
    _close_to_others()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s")
    with suppress(KeyboardInterrupt), tempfile.TemporaryDirectory(prefix="batch-emulator-") as scratch:
        try:
            asyncio.run(_serve(options, options.root or Path(scratch)))
        except Mistake as mistake:
            print(f"batch-emulator: error: {mistake}", file=sys.stderr)
            sys.exit(2)


def _close_to_others() -> None:
    """On Linux, let no process of the same user read the environment or the memory of this one: the key."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415

        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


async def _serve(options: argparse.Namespace, root: Path) -> None:
    # Imported here, so that --help and a refused command line answer at once.
    from batch_emulator.app import App  # noqa: PLC0415
    from batch_emulator.auth import Authenticator, SharedKey  # noqa: PLC0415
    from batch_emulator.handlers.management import Management  # noqa: PLC0415
    from batch_emulator.server import Server  # noqa: PLC0415
    from batch_emulator.tokens import BearerToken  # noqa: PLC0415

    listener = socket.create_server((options.host, options.port), family=_family(options.host))
    # Its connections inherit this. Without it an answer's second packet waits 40 ms for the caller's
    # delayed acknowledgement; asyncio sets it only on sockets that name their protocol.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    port = listener.getsockname()[1]
    origin = f"{'https' if options.tls_cert else 'http'}://{_bracketed(options.host)}:{port}"
    url = origin + options.path_prefix
    emulator = _emulator(options, root, url)
    manager = None
    known: list[Authenticator] = [SharedKey.from_text(options.account_name, options.account_key)]
    if options.oauth:
        known.append(BearerToken())
        manager = Management(emulator, options.identity)
    hosts = {"127.0.0.1", "localhost", "::1", options.host}
    app = App(emulator, known, hosts, options.path_prefix, manager)
    server = Server(
        app, tls_cert=options.tls_cert, tls_key=options.tls_key, on_ready=lambda: _announce(options, url)
    )
    if options.exit_with_stdin:
        server.exit_when_closed(sys.stdin.buffer)
    await server.run(listener)


def _emulator(options: argparse.Namespace, root: Path, url: str) -> "Emulator":
    from batch_emulator import delays, faults  # noqa: PLC0415
    from batch_emulator.clock import SteppedClock, WallClock  # noqa: PLC0415
    from batch_emulator.emulator import Emulator  # noqa: PLC0415
    from batch_emulator.operations import OPERATIONS  # noqa: PLC0415
    from batch_emulator.simulation.work import Profile, profile  # noqa: PLC0415

    simulated = None
    if options.simulate is not None:
        simulated = profile(read_table(Path(options.simulate))) if options.simulate else Profile()
    emulator = Emulator(
        options.account_name,
        root,
        url=url,
        clock=SteppedClock() if options.time == "stepped" else WallClock(options.time_scale),
        delays=delays.delays(options.delays),
        simulated=simulated,
        seed=options.seed,
    )
    if options.faults:
        operations = [operation.name for operation in OPERATIONS]
        for fault in faults.parse(read_table(options.faults), operations):
            emulator.faults.add(fault)
    return emulator


def _announce(options: argparse.Namespace, url: str) -> None:
    # The names that the `az` command reads, so that one `eval` signs in whatever speaks to Batch.
    settings = {
        "AZURE_BATCH_ACCOUNT": options.account_name,
        "AZURE_BATCH_ACCESS_KEY": options.account_key,
        "AZURE_BATCH_ENDPOINT": url,
    }
    for name, value in settings.items():
        print(f"export {name}={shlex.quote(value)}")
    sys.stdout.flush()


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


if __name__ == "__main__":
    main()
