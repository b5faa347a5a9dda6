"""`batch-emulator`: the Azure Batch data plane on this machine."""

import argparse
import asyncio
import ipaddress
import logging
import os
import secrets
import shlex
import socket
import sys
import tempfile
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from contextlib import suppress
from pathlib import Path

DEFAULT_ACCOUNT = "localbatch"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(
        prog="batch-emulator",
        description="The Azure Batch data plane on this machine. It runs the commands it is sent: "
        "requests must be signed with the account key, and it listens on loopback only.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="let --host be another address than loopback: whoever has the key can then run commands here",
    )
    parser.add_argument("--port", type=int, default=10010, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--account-name", default=DEFAULT_ACCOUNT, help="default: %(default)s")
    parser.add_argument(
        "--account-key",
        help="base64; default: AZURE_BATCH_ACCESS_KEY (which no process list shows), else random",
    )
    parser.add_argument(
        "--root", type=Path, help="directory for the files of the nodes (default: a temporary one)"
    )
    parser.add_argument(
        "--tls-cert", type=Path, help="certificate chain, PEM; with --tls-key it serves https"
    )
    parser.add_argument("--tls-key", type=Path, help="private key, PEM")
    parser.add_argument(
        "--exit-with-stdin",
        action="store_true",
        help="end when standard input closes: with the parent process",
    )
    options = parser.parse_args(arguments)
    _check(parser, options)
    return options


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    try:
        loopback = options.host == "localhost" or ipaddress.ip_address(options.host).is_loopback
    except ValueError:
        parser.error(f"--host {options.host}: give an IP address or localhost")
    if not loopback and not options.allow_remote:
        parser.error(
            f"--host {options.host} is not loopback; whoever reaches the emulator with its key can run "
            "commands here; add --allow-remote if you mean it"
        )
    if (options.tls_cert is None) != (options.tls_key is None):
        parser.error("--tls-cert and --tls-key go together")
    for file in filter(None, (options.tls_cert, options.tls_key)):
        if not file.is_file():
            parser.error(f"{file}: no such file")
    if not 0 <= options.port <= 65535:
        parser.error(f"--port {options.port}: give 0 to 65535")
    options.account_key = options.account_key or os.environ.pop("AZURE_BATCH_ACCESS_KEY", None)
    options.account_key = options.account_key or b64encode(secrets.token_bytes(64)).decode()
    try:
        b64decode(options.account_key, validate=True)
    except NotBase64:
        parser.error("the account key is not base64")


def main(arguments: list[str] | None = None) -> None:
    """Run the emulator until SIGTERM, SIGINT, or the end of standard input where that is asked for."""
    options = parse(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s")
    with suppress(KeyboardInterrupt), tempfile.TemporaryDirectory(prefix="batch-emulator-") as scratch:
        asyncio.run(_serve(options, options.root or Path(scratch)))


async def _serve(options: argparse.Namespace, root: Path) -> None:
    # Imported here, so that --help and a refused command line answer at once.
    from batch_emulator.app import App  # noqa: PLC0415
    from batch_emulator.auth import SharedKey  # noqa: PLC0415
    from batch_emulator.emulator import Emulator  # noqa: PLC0415
    from batch_emulator.server import Server  # noqa: PLC0415

    listener = socket.create_server((options.host, options.port), family=_family(options.host))
    port = listener.getsockname()[1]
    url = f"{'https' if options.tls_cert else 'http'}://{_bracketed(options.host)}:{port}"
    emulator = Emulator(options.account_name, root, url=url)
    key = SharedKey.from_text(options.account_name, options.account_key)
    app = App(emulator, [key], hosts={"127.0.0.1", "localhost", "::1", options.host})
    server = Server(
        app, tls_cert=options.tls_cert, tls_key=options.tls_key, on_ready=lambda: _announce(options, url)
    )
    if options.exit_with_stdin:
        server.exit_when_closed(sys.stdin.buffer)
    await server.run(listener)


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
