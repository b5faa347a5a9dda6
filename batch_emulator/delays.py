"""How long the emulated service takes for what: a named profile or a file.

A profile is a table of seconds by the names of `scheduler.Delays`; what it leaves out takes no time.
"""

import asyncio
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from batch_emulator.clock import Clock, sleep
from batch_emulator.compute_node.task_run import CommandRun, RunCommand, Services
from batch_emulator.outcomes import Outcome
from batch_emulator.scheduler import Delays
from batch_emulator.tables import Mistake, read_table

NONE = Delays()

AZURE = replace(
    NONE,
    allocation=52.0,  # of a pool of one small Linux node, until it is steady (seen in recorded traffic)
    creating=10.5,  # of a node (seen in recorded traffic)
    starting=9.0,  # of a node (seen in recorded traffic)
    scheduling=2.0,  # 0.1 to 0.8 s seen on an idle node; 2 to 5 s between two tasks of a slot reported
    launching=0.5,  # an `echo` from running to completed (seen in recorded traffic)
    restarting=60.0,  # assumed
    leaving=30.0,  # assumed; "a few minutes" for the deletion of a pool (documented)
    stopping=5.0,  # assumed
    deleting_pool=5.0,  # assumed
    deleting_job=5.0,  # assumed
)

PROFILES = {"none": NONE, "azure": AZURE}


def delays(name: str) -> Delays:
    """The delays of a profile, or of a JSON or TOML file.

    Raises:
        Mistake: there is no such profile or file, or it does not hold seconds by known names.
    """
    if name in PROFILES:
        return PROFILES[name]
    return from_table(read_table(Path(name)))


def from_table(table: dict[str, Any]) -> Delays:
    """The delays of a table of seconds by name; `profile` names the one that it starts from.

    Raises:
        Mistake: a name is unknown, or a value is not a number of seconds.
    """
    given = dict(table)
    start = given.pop("profile", "none")
    if start not in PROFILES:
        raise Mistake(f"profile is {start!r}; give one of {', '.join(PROFILES)}")
    known = [field.name for field in fields(Delays)]
    for name, seconds in given.items():
        if name not in known:
            raise Mistake(f"there is no delay {name!r}; there are {', '.join(known)}")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e9:
            raise Mistake(f"{name} is {seconds!r}; give seconds, 0 or more")
    return replace(PROFILES[start], **{name: float(seconds) for name, seconds in given.items()})


def delayed(run_command: RunCommand, seconds: float, clock: Clock) -> RunCommand:
    """`run_command`, but beginning so many emulated seconds later, or when it is ended before."""
    if not seconds:
        return run_command

    async def run(command: CommandRun, services: Services, end: asyncio.Event) -> Outcome:
        began = clock.now()
        waits = (asyncio.ensure_future(sleep(clock, seconds)), asyncio.ensure_future(end.wait()))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return replace(await run_command(command, services, end), started=began)

    return run
