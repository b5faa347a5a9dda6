"""Run a flow in this process: refuse what is wrong first, then serve, run, and tell how it ended."""

import argparse
import json
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn

from prefect import Flow
from prefect.exceptions import ParameterTypeError
from prefect.settings import get_current_settings

from batch_tasks.errors import AccountError, InputError, PreFlightFailed, RunError
from batch_tasks.inputs import not_looked
from batch_tasks.options import RunOptions
from batch_tasks.report import RunReport
from batch_tasks.unfinished import TasksFailed
from batch_tasks.workload import Workload
from flows.account import runs_locally, where
from flows.command_line import terminal
from flows.command_line.arguments import flow_parameters, option_for
from flows.local_stack import ServiceError, loopback_past_proxies, require_installed
from flows.local_stack.prefect_server import running_prefect_server, using
from flows.pipeline import plan_run

FAILED, REFUSED, INTERRUPTED = 1, 2, 130
LARGEST_PARAMETERS = 500_000
"""Characters of JSON; a Prefect server takes 524,288 bytes (measured)."""

ReportingFlow = Flow[..., RunReport]


def run_here(
    flow: ReportingFlow,
    workload_for: Callable[[dict[str, Any]], Workload],
    options: argparse.Namespace,
    given: Mapping[str, Any],
) -> int:
    """Run `flow` with the options of the command line; returns the exit code.

    `workload_for` makes the workload from the flow's checked parameters: it is only looked at, to refuse what
    cannot work before a server is started. `given` are the parameters that only this command has.
    """
    try:
        parameters = _checked(flow, workload_for, flow_parameters(options, given))
        here = where(options.account)
        if runs_locally(options.account):
            require_installed()
    except (InputError, AccountError, ServiceError) as error:
        terminal.complain(error)
        return REFUSED
    try:
        with _ending_on_signals():
            return terminal.conclude(_run(flow, parameters, here, verbose=options.verbose))
    except KeyboardInterrupt as error:
        terminal.complain(error, "Interrupted. What the run had made is deleted.")
        return INTERRUPTED
    except PreFlightFailed as error:
        terminal.complain(error)
        return REFUSED
    except TasksFailed as error:
        terminal.conclude(error.report)
        terminal.complain(error)
    except (RunError, ServiceError) as error:
        terminal.complain(error)
    except Exception as error:  # noqa: BLE001  whatever it is, it ends the command with its text
        terminal.complain(error, f"{type(error).__name__}: {error}")
    return FAILED


def _run(flow: ReportingFlow, parameters: dict[str, Any], here: str, *, verbose: bool) -> RunReport:
    with ExitStack() as stack:
        stack.enter_context(loopback_past_proxies())
        if not get_current_settings().api.url:
            terminal.say("Starting a temporary Prefect server ...")
            server = stack.enter_context(running_prefect_server())
            stack.enter_context(using(server.api_url()))
        terminal.say(f"Running on {here}.")
        if not verbose:
            stack.enter_context(terminal.progress_shown())
        report: RunReport = flow(**parameters)
        return report


@contextmanager
def _ending_on_signals() -> Iterator[None]:
    """SIGTERM, and SIGHUP of a closed terminal, end the block as an exception: the run is cleaned up."""

    def leave(number: int, _frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _checked(
    flow: ReportingFlow,
    workload_for: Callable[[dict[str, Any]], Workload],
    parameters: dict[str, Any],
) -> dict[str, Any]:
    """The parameters as the flow will see them. Raises InputError with everything that is wrong, at once."""
    try:
        checked = flow.validate_parameters(parameters)
    except ParameterTypeError as error:
        wrong = dict(_parameter_problems(str(error)))
        problems = [_in_words(parameter, reason, parameters) for parameter, reason in wrong.items()]
        refused = {parameter.split(".")[0] for parameter in wrong}
        rest = {name: value for name, value in parameters.items() if name not in refused}
        if set(flow.parameters.required or ()) <= rest.keys():
            problems += _problems_of(lambda: _checked(flow, workload_for, rest))
        raise InputError(problems) from None
    options = RunOptions(**{name: checked[name] for name in RunOptions.model_fields if name in checked})
    plan_run(workload_for(checked), checked["input_files"], options, look=not_looked)
    _refuse_too_many(parameters)
    return checked


def _problems_of(check: Callable[[], object]) -> list[str]:
    try:
        check()
    except InputError as error:
        return error.problems
    return []


def _parameter_problems(text: str) -> Iterator[tuple[str, str]]:
    """The wrong parameters that a text of Prefect's lists, and why they are wrong."""
    for problem in text.split("\n - ")[1:]:
        parameter, _, reason = problem.partition(": ")
        yield parameter, reason.removeprefix("Value error, ")


def _in_words(parameter: str, reason: str, parameters: Mapping[str, Any]) -> str:
    value: Any = parameters
    for part in parameter.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    shown = f" {value}" if isinstance(value, str) else ""
    return f"{option_for(parameter)}{shown}: {reason}"


def _refuse_too_many(parameters: Mapping[str, Any]) -> None:
    if len(json.dumps(parameters)) > LARGEST_PARAMETERS:
        number = len(parameters["input_files"])
        problem = (
            f"{number} file names are more than Prefect takes as parameters of a run: name their folder, or "
            "put the pattern in quotes so that the shell does not expand it."
        )
        raise InputError([problem])
