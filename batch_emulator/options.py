"""The command line of `batch-emulator`, checked; what it names is read by whoever uses it."""

import argparse
import ipaddress
import os
import re
import secrets
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from pathlib import Path

DEFAULT_ACCOUNT = "localbatch"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(
        prog="batch-emulator",
        description="The Azure Batch data plane on this machine. It runs the commands it is sent: "
        "requests must be signed with the account key, and it listens on loopback only.",
    )
    _add_account(parser)
    _add_unkindness(parser.add_argument_group("time, work and faults"))
    options = parser.parse_args(arguments)
    _check(parser, options)
    return options


def _add_account(parser: argparse.ArgumentParser) -> None:
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
    _add_edge(parser)


def _add_edge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tls-cert", type=Path, help="certificate chain, PEM; with --tls-key it serves https"
    )
    parser.add_argument("--tls-key", type=Path, help="private key, PEM")
    parser.add_argument(
        "--oauth",
        choices=["basic"],
        help="take bearer tokens too; basic checks all but their signature, so whoever can reach the "
        "emulator can make one",
    )
    parser.add_argument(
        "--identity",
        action="append",
        default=[],
        metavar="RESOURCE_ID",
        help="a user-assigned identity that exists, for pools made with --oauth by the management plane; may "
        "be given several times",
    )
    parser.add_argument(
        "--path-prefix", default="", help="what the paths of the account begin with, such as /account"
    )
    parser.add_argument(
        "--exit-with-stdin",
        action="store_true",
        help="end when standard input closes: with the parent process",
    )


def _add_unkindness(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--time",
        choices=["real", "stepped"],
        default="real",
        help="stepped: time stands still until a test moves it (default: %(default)s)",
    )
    group.add_argument(
        "--time-scale", type=float, default=1.0, metavar="N", help="an emulated minute takes 60/N seconds"
    )
    group.add_argument(
        "--delays",
        default="none",
        metavar="none|azure|FILE",
        help="how long the service takes for what: nothing, as recorded, or as a file says "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--simulate",
        nargs="?",
        const="",
        metavar="FILE",
        help="run no commands: tasks take the time and exit as the file, or their command line, says",
    )
    group.add_argument("--faults", type=Path, metavar="FILE", help="what goes wrong from the start")
    group.add_argument("--seed", help="draw the same each time: node ids, simulated work, faults")


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
    if not loopback and options.oauth:
        parser.error(
            f"--oauth {options.oauth} lets in whoever reaches the emulator, so it is for loopback only; "
            f"leave it out, or --host {options.host}"
        )
    if options.identity and not options.oauth:
        parser.error(
            "--identity is for pools made by the management plane, which takes tokens: add --oauth basic"
        )
    if (options.tls_cert is None) != (options.tls_key is None):
        parser.error("--tls-cert and --tls-key go together")
    for file in filter(None, (options.tls_cert, options.tls_key)):
        if not file.is_file():
            parser.error(f"{file}: no such file")
    if not 0 <= options.port <= 65535:
        parser.error(f"--port {options.port}: give 0 to 65535")
    _check_world(parser, options)
    options.account_key = options.account_key or os.environ.pop("AZURE_BATCH_ACCESS_KEY", None)
    options.account_key = options.account_key or b64encode(secrets.token_bytes(64)).decode()
    try:
        b64decode(options.account_key, validate=True)
    except NotBase64:
        parser.error("the account key is not base64")


def _check_world(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if not 0 < options.time_scale <= 1e6:
        parser.error(f"--time-scale {options.time_scale:g}: give a number above 0")
    if options.time == "stepped" and options.time_scale != 1.0:
        parser.error("--time-scale is for time that goes by itself; leave it out with --time stepped")
    if options.path_prefix and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", options.path_prefix):
        parser.error(f"--path-prefix {options.path_prefix}: give a path such as /account")
