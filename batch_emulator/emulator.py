"""The emulator as a whole: the scheduler decides, the runner acts, what was decided is kept for a look."""

import asyncio
import random
import secrets
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from batch_emulator import scheduler
from batch_emulator.clock import Clock, SteppedClock, WallClock
from batch_emulator.compute_node.task_run import run_command
from batch_emulator.delays import delayed
from batch_emulator.events import Event
from batch_emulator.faults import Rules
from batch_emulator.faults.runs import with_faults
from batch_emulator.faults.world import WorldFaults
from batch_emulator.history import History
from batch_emulator.resources import Account
from batch_emulator.runner import Runner
from batch_emulator.scheduler import Delays, World
from batch_emulator.simulation.runner import SimulatedRunner
from batch_emulator.simulation.work import Profile


def node_ids(seed: str | None) -> Callable[[bool], str]:
    """Makes node ids in the form the service gives: 64 hex digits, `_d` for dedicated, `_p` for Spot.

    With a seed they are the same each time.
    """
    drawn = random.Random(f"{seed}:nodes") if seed is not None else secrets.SystemRandom()  # noqa: S311
    return lambda dedicated: f"tvmps_{drawn.getrandbits(256):064x}_{'d' if dedicated else 'p'}"


class Emulator:
    """One Batch account: its resources, and everything that happens to them.

    Args:
        account_name: name of the account, in signatures and in `AZ_BATCH_ACCOUNT_NAME`.
        root: directory for the files of all nodes.
        url: where it can be reached, for `AZ_BATCH_ACCOUNT_URL`.
        clock: tells the time.
        delays: how long the service takes for what.
        simulated: what tasks do instead of running their commands; None runs them.
        seed: of everything that is drawn; None draws other things each time.
    """

    def __init__(
        self,
        account_name: str,
        root: Path,
        *,
        url: str,
        clock: Clock | None = None,
        delays: Delays | None = None,
        simulated: Profile | None = None,
        seed: str | None = None,
    ) -> None:
        self.account_name = account_name
        self.clock: Clock = clock or WallClock()
        delays = delays or Delays()
        self._node_ids = node_ids(seed)
        self.world = World(Account(), self._node_ids, delays)
        self.history = History()
        seed = seed if seed is not None else secrets.token_hex(8)
        self.rules = Rules(seed)
        self.faults = WorldFaults(self.rules, self.world, self.clock, self.submit)
        run = delayed(with_faults(run_command, self.rules, self.clock), delays.launching, self.clock)
        kind = Runner if simulated is None else SimulatedRunner
        self.runner = kind(account_name, url, root, self.clock, self.world.account, self.submit, run)
        if isinstance(self.runner, SimulatedRunner) and simulated is not None:
            self.runner.simulate(simulated, seed, self.rules, delays.launching)

    def submit(self, event: Event) -> None:
        """Let an event happen now, and do what follows from it.

        Raises:
            BatchError: the event is a request that is refused.
        """
        event = self.faults.instead_of(event)
        now = self.clock.now()
        instructions = scheduler.handle(self.world, event, now)
        self.history.add(now, event, instructions)
        self.runner.carry_out(instructions)

    async def advance(self, seconds: float) -> None:
        """Let time pass on a stepped clock; what runs and who asks get their turns in between.

        Raises:
            TypeError: the clock is none.
        """
        if not isinstance(self.clock, SteppedClock):
            raise TypeError("only a stepped clock can be moved")
        for _ in self.clock.steps(seconds):
            await asyncio.sleep(0)

    async def reset(self) -> None:
        """Empty the account at once: no process, file or resource of it is left. Faults stay in force."""
        # The runner and the faults hold on to these objects, and timers that are still set tell what they
        # are about by numbers: the objects stay, and the counter goes on.
        pools = list(self.world.account.pools)
        world = World(Account(), self._node_ids, self.world.delays, counter=self.world.counter)
        for whole, empty in ((self.world.account, world.account), (self.world, world)):
            for field in fields(whole):
                if field.name != "account":
                    setattr(whole, field.name, getattr(empty, field.name))
        self.faults.apply_quotas()
        await self.runner.reset(pools)

    async def open(self) -> None:
        """Get ready to run commands; needs a running event loop."""
        await self.runner.open()

    async def close(self) -> None:
        """End every process."""
        await self.runner.close()
