"""The commands: each runs its flow here and now and ends with an exit code that a script can rely on.

0: every file succeeded. 1: a file, or the run, failed. 2: refused, nothing was started. 130: Ctrl-C, after
the clean-up. Nothing heavy is imported here, so that `--help` and a misspelt option answer at once.
"""

import os
import sys
from collections.abc import Sequence

from flows.command_line.arguments import run_parser


def top_n_words(arguments: Sequence[str] | None = None) -> int:
    """The command `top-n-words`: the most frequent words of each text file."""
    parser = run_parser(
        "top-n-words", "Write the most frequent words of each text file to a file of its own."
    )
    parser.add_argument("--n", metavar="N", help="how many words of each file (default: 3)")
    options = parser.parse_args(arguments)
    _before_prefect(verbose=options.verbose)

    from flows import top_n_words as module  # noqa: PLC0415
    from flows.command_line.run_here import run_here  # noqa: PLC0415

    return run_here(
        module.top_n_words,
        lambda parameters: module.top_n_words_workload(parameters["n"]),
        options,
        given={"n": options.n},
    )


def _before_prefect(*, verbose: bool) -> None:
    """What must be settled before Prefect is imported: it sets up its log then."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a file's name may be no text at all
    if not verbose:
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
