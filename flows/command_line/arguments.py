"""The options that all commands share, and what they mean as parameters of a flow.

An option that is not given is left out of the parameters: defaults are written once, at the flow.
"""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from batch_tasks.errors import InputError
from batch_tasks.options import CleanUpPolicy, PoolOptions, RetryOptions

POOL = {
    "dedicated_nodes": "--nodes",
    "spot_nodes": "--spot-nodes",
    "task_slots_per_node": "--slots",
    "vm_size": "--vm-size",
    "max_hours": "--max-hours",
    "kind": "--pool-kind",
    "pool_id": "--pool-id",
    "max_cost": "--max-cost",
    "expected_minutes": "--expected-minutes",
    "prices": "--prices",
    "identity": "--identity",
}
KEEP = {
    "pool": "pool",
    "job": "job",
    "inputs": "input_container",
    "outputs": "output_container",
}


KINDS = [name for name in RetryOptions.model_fields if name not in {"exit", "dedicated_after"}]
"""What `--retry` takes, beside exit codes and `preemptions`."""

_OWN_NAMES = {
    "input_files": "FILES",
    "outputs": "--output",
    "environment": "--env",
    "download": "--no-download",
    "check_only": "--check",
}
"""The options of parameters that are called otherwise on the command line."""


def run_parser(
    command: str,
    description: str,
    pool_options: type[PoolOptions] = PoolOptions,
    clean_up: type[CleanUpPolicy] = CleanUpPolicy,
) -> argparse.ArgumentParser:
    """A parser for a command that runs a flow over files. The command adds what only it has.

    Defaults of pool and clean-up are shown as these groups have them.
    """
    parser = argparse.ArgumentParser(prog=command, description=description, allow_abbrev=False)
    _add_files(parser)
    parser.add_argument(
        "--account",
        metavar="NAME",
        help="'environment', 'local', or the name of a Prefect block (default: the Azure account of the "
        "environment when one is set, else a local stack that runs for as long as the command does)",
    )
    pool = parser.add_argument_group("the pool of compute nodes")
    for name, option in POOL.items():
        field = pool_options.model_fields[name]
        default = f" (default: {field.default})" if field.default not in (None, "") else ""
        help_text = f"{field.description}{default}".replace("%", "%%")
        pool.add_argument(option, dest=name, metavar=option.rpartition("-")[2].upper(), help=help_text)
    _add_clean_up(parser, clean_up)
    _add_retry(parser)
    parser.add_argument(
        "--check",
        dest="check_only",
        action="store_true",
        default=None,
        help="only look for what would stand in the way: sign-in and roles, quotas, image, VM size, sizes",
    )
    parser.add_argument("--verbose", action="store_true", help="show the log of the run, no progress bar")
    return parser


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILES",
        help="files, folders, patterns in quotes, URLs of blobs or containers, or @list.txt, a file with one "
        "of these on each line; URLs with a signature (SAS) only there",
    )
    parser.add_argument("--output-dir", metavar="FOLDER", help="where outputs go (default: output)")
    parser.add_argument(
        "--no-download",
        dest="download",
        action="store_false",
        default=None,
        help="leave the outputs in storage, where --keep outputs keeps them",
    )
    parser.add_argument(
        "--files-per-task", metavar="N", help="how many files one Batch task works on (default: 1)"
    )


def _add_clean_up(parser: argparse.ArgumentParser, clean_up: type[CleanUpPolicy]) -> None:
    kept = [word for word, name in KEEP.items() if clean_up.model_fields[name].default is False]
    left = ", ".join(kept) or "nothing"
    parser.add_argument(
        "--keep",
        action="append",
        default=[],
        choices=[*KEEP, "all"],
        help=f"what to leave in the account at the end; may be given several times (default: {left})",
    )
    parser.add_argument(
        "--delete",
        action="append",
        default=[],
        choices=list(KEEP),
        help="what to delete at the end although it is left by default",
    )


def _add_retry(parser: argparse.ArgumentParser) -> None:
    usual = RetryOptions()
    defaults = ", ".join(f"{kind}={getattr(usual, kind)}" for kind in KINDS)
    parser.add_argument(
        "--retry",
        action="append",
        default=[],
        metavar="WHAT=N",
        help="how often a file that failed is tried again in a new task, by whose fault it was: infra (node "
        "or service), input, output, user (its command), or an exit code, such as --retry 75=2; with "
        "preemptions=N the run goes on with dedicated nodes after so many of one file. May be given several "
        f"times (default: {defaults}, preemptions={usual.dedicated_after})",
    )


def _retry(given: Sequence[str]) -> dict[str, Any]:
    """The group `retry` of a flow's parameters. Raises InputError for what has no such form."""
    group: dict[str, Any] = {}
    wrong = []
    for text in given:
        what, _, number = text.partition("=")
        if number.strip() and what.isdecimal():
            group.setdefault("exit", {})[what] = number
        elif number.strip() and what in (*KINDS, "preemptions"):
            group["dedicated_after" if what == "preemptions" else what] = number
        else:
            choices = ", ".join((*KINDS, "preemptions"))
            wrong.append(f"--retry {text}: write WHAT=N, where WHAT is one of {choices}, or an exit code.")
    if wrong:
        raise InputError(wrong)
    return group


def flow_parameters(options: argparse.Namespace, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the flow: what the options say, and the command's own where `given` (not None)."""
    kept = KEEP.values() if "all" in options.keep else [KEEP[word] for word in options.keep]
    pool = {name: getattr(options, name) for name in POOL if getattr(options, name) is not None}
    deleted = dict.fromkeys((KEEP[word] for word in options.delete), True)
    groups = {
        "pool": pool,
        "clean_up": dict.fromkeys(kept, False) | deleted,
        "retry": _retry(options.retry),
    }
    shared = {
        name: getattr(options, name)
        for name in ("output_dir", "download", "files_per_task", "account", "check_only")
    }
    single = {**shared, **given}
    return {
        "input_files": list(options.files),
        **{name: value for name, value in single.items() if value is not None},
        **{name: group for name, group in groups.items() if group},
    }


def option_for(parameter: str) -> str:
    """The option that sets a parameter, written as `pool.vm_size` or `n`, for error messages."""
    group, _, name = parameter.rpartition(".")
    if group == "pool" and name in POOL:
        return POOL[name]
    if parameter == "pool":
        return f"{POOL['dedicated_nodes']}, {POOL['spot_nodes']}"
    if group.startswith("retry"):
        return f"--retry {'preemptions' if name == 'dedicated_after' else name}"
    own = parameter.partition(".")[0]
    return _OWN_NAMES.get(own, f"--{own.replace('_', '-')}")
