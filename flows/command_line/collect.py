"""The command `collect-garbage`: one pass here and now, of the flow that is else scheduled."""

from __future__ import annotations

import argparse
from contextlib import ExitStack

from prefect.exceptions import ParameterTypeError
from prefect.settings import get_current_settings

from batch_tasks.errors import AccountError, RunError
from flows.account import accounts_known, runs_locally, where
from flows.collect_garbage import collect_garbage
from flows.command_line import terminal
from flows.local_stack import ServiceError, loopback_past_proxies
from flows.local_stack.prefect_server import running_prefect_server, using

FAILED, REFUSED = 1, 2


def collect_here(options: argparse.Namespace) -> int:
    """One pass with the options of the command line; the exit code.

    Which runs live is asked of the Prefect server in use; without one, of the history that the commands keep.
    """
    given = {name: getattr(options, name) for name in ("silent_minutes", "grace_hours", "retry_hours")}
    parameters = {name: value for name, value in given.items() if value is not None}
    parameters |= {"account": options.account, "dry_run": options.dry_run}
    try:
        where(options.account)  # refuses half an account
        collect_garbage.validate_parameters(parameters)
    except (AccountError, ParameterTypeError) as error:
        terminal.complain(error)
        return REFUSED
    url = get_current_settings().api.url
    if runs_locally(options.account) and (options.account or not url):
        return _nothing()
    try:
        with ExitStack() as stack:
            stack.enter_context(loopback_past_proxies())
            if not url:
                terminal.say("Starting a temporary Prefect server ...")
                server = stack.enter_context(running_prefect_server())
                stack.enter_context(using(server.api_url()))
            names = [options.account] if options.account else accounts_known()
            if not names:
                return _nothing()
            terminal.say(f"Looking at {', and '.join(map(where, names))}.")
            for row in collect_garbage(**parameters):
                print(f"{row['what']}: {row['action']}, as {row['why']}")
    except (RunError, ServiceError) as error:
        terminal.complain(error)
        return FAILED
    return 0


def _nothing() -> int:
    terminal.say("No Azure account is set, and a local stack ends with its run: nothing to collect.")
    return 0
