"""How long simulated commands take and how they exit: drawn by a seed, or said by the command itself.

A command line `simulate 5s exit 1`, or the same words without the first as the environment setting
`SIMULATE`, is what the command does. For any other one a profile is asked. What is drawn for a command
depends on its name and attempt only, so that it is the same in whatever order commands come.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from random import Random
from typing import Any

from batch_emulator.tables import Mistake

_WORDS = re.compile(r"(?:(\d+(?:\.\d+)?)(ms|s|m|h)?)?\s*(?:exit\s+(\d{1,3}))?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
SETTING = "SIMULATE"
PROGRAM = "simulate"


@dataclass(frozen=True, slots=True)
class Seconds:
    """A duration to be drawn: between two bounds, or log-normal around a median."""

    low: float = 0.0
    high: float = 0.0
    median: float | None = None
    sigma: float = 0.0

    def draw(self, random: Random) -> float:
        """Seconds."""
        if self.median is not None:
            return self.median * math.exp(random.gauss(0.0, self.sigma))
        return self.low if self.low == self.high else random.uniform(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Kind:
    """What commands of one kind do; `match` is a shell pattern of their command lines."""

    match: str = "*"
    seconds: Seconds = Seconds(1.0, 1.0)
    exit_codes: tuple[tuple[int, float], ...] = ((0, 1.0),)
    """Codes with their weights."""

    def draw(self, random: Random) -> tuple[float, int]:
        """Seconds and exit code."""
        seconds = self.seconds.draw(random)
        if len(self.exit_codes) == 1:
            return seconds, self.exit_codes[0][0]
        codes, weights = zip(*self.exit_codes, strict=True)
        return seconds, int(random.choices(codes, weights)[0])


@dataclass(frozen=True, slots=True)
class Profile:
    """Kinds of commands, the first that matches counts; the last one matches all."""

    kinds: tuple[Kind, ...] = (Kind(),)

    def draw(self, document: Mapping[str, Any], name: str) -> tuple[float, int]:
        """Seconds and exit code of one attempt.

        Args:
            document: of the task or start task.
            name: what the draw depends on: seed, names and attempt.
        """
        command = document.get("commandLine", "")
        said = _said(document, command)
        if said is not None:
            return said
        kind = next(one for one in self.kinds if one.match == "*" or fnmatchcase(command, one.match))
        return kind.draw(Random(name))  # noqa: S311 - chance, not secrecy


def _said(document: Mapping[str, Any], command: str) -> tuple[float, int] | None:
    program, _, words = command.partition(" ")
    if program != PROGRAM:
        settings = document.get("environmentSettings", ())
        words = next((one.get("value", "") for one in settings if one["name"] == SETTING), "")
    match = _WORDS.fullmatch(words.strip())
    if match is None or not match[0]:
        return None
    seconds = float(match[1]) * _UNITS[match[2] or "s"] if match[1] else 0.0
    return seconds, int(match[3] or 0)


def profile(table: Mapping[str, Any]) -> Profile:
    """The profile that a table describes: `seconds`, `exit_codes`, and `commands` with a `match` each.

    `seconds` is a number, a list of two bounds, or `{median, sigma}`; `exit_codes` are weights by code.

    Raises:
        Mistake: a name is unknown or a value does not fit; says which.
    """
    commands = table.get("commands", [])
    if not isinstance(commands, list) or not all(isinstance(one, dict) for one in commands):
        raise Mistake("commands must be a list of tables")
    rest = {name: value for name, value in table.items() if name != "commands"}
    if "match" in rest:
        raise Mistake("match belongs into an entry of commands")
    kinds = [_kind(one, f"commands[{index}]: ") for index, one in enumerate(commands)]
    return Profile((*kinds, _kind(rest, "")))


def _kind(table: Mapping[str, Any], where: str) -> Kind:
    known = ("match", "seconds", "exit_codes")
    for name in table:
        if name not in known:
            raise Mistake(f"{where}there is no {name!r}; there are {', '.join(known)}")
    match = table.get("match", "*")
    if not isinstance(match, str):
        raise Mistake(f"{where}match must be a text")
    try:
        codes = tuple(_codes(table.get("exit_codes", {"0": 1.0})))
        return Kind(match, _seconds(table.get("seconds", 1.0)), codes)
    except (TypeError, ValueError) as error:
        raise Mistake(f"{where}{error}") from None


def _seconds(value: Any) -> Seconds:
    if isinstance(value, Mapping) and set(value) <= {"median", "sigma"} and "median" in value:
        return Seconds(median=_number(value["median"]), sigma=_number(value.get("sigma", 0.5)))
    if isinstance(value, list) and len(value) == 2:
        low, high = map(_number, value)
        if low <= high:
            return Seconds(low, high)
    if isinstance(value, int | float):
        return Seconds(_number(value), _number(value))
    raise Mistake(f"seconds is {value!r}; give a number, [least, most], or median and sigma")


def _codes(value: Any) -> list[tuple[int, float]]:
    weights = [(int(code), _number(weight)) for code, weight in dict(value).items()]
    if not weights or not sum(weight for _, weight in weights):
        raise Mistake("exit_codes must hold a weight above 0")
    if any(not 0 <= code <= 255 for code, _ in weights):
        raise Mistake("exit_codes are 0 to 255")
    return weights


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise Mistake(f"{value!r} is not a number of 0 or more")
    return float(value)
