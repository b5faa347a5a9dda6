"""Splits a command line into words like a shell, without being one."""

import shlex
from functools import lru_cache


def split(command_line: str) -> list[str]:
    r"""The program and its arguments.

    Single quotes, double quotes and the backslash work as in a POSIX shell, but nothing is a variable, a
    pattern, a pipe or a redirection: `>` is an argument like any other. Callers of the service rely on
    `'"'"'`, on `\"` and on a literal `>`. Assumed: inside double quotes a backslash escapes only itself and
    the double quote.

    Raises:
        ValueError: nothing to run, a quote without its end, or a NUL character.
    """
    return list(_words(command_line))


@lru_cache(maxsize=256)  # the tasks of a job often have the same
def _words(command_line: str) -> tuple[str, ...]:
    if "\0" in command_line:
        raise ValueError("The command line has a NUL character; no program can be given one.")
    try:
        words = shlex.split(command_line)
    except ValueError:
        raise ValueError(
            "The command line has a quote that is not closed, or ends in a lone backslash; "
            "close the quote or escape it with a backslash."
        ) from None
    if not words:
        raise ValueError("The command line is empty; give it a program to run.")
    return tuple(words)
