"""The emulator as a whole: the scheduler decides, the runner acts, what was decided is kept for a look."""

import secrets
from collections import deque
from collections.abc import Callable
from pathlib import Path

from batch_emulator import scheduler
from batch_emulator.clock import Clock, WallClock
from batch_emulator.events import Event, Instruction
from batch_emulator.resources import Account
from batch_emulator.runner import Runner
from batch_emulator.scheduler import Delays, World

HISTORY = 10_000
"""How many of the last events are kept."""


def new_node_id(dedicated: bool) -> str:  # noqa: FBT001 - the scheduler calls it with one positional truth
    """A node id in the form the service gives: 64 hex digits, `_d` for dedicated, `_p` for Spot."""
    return f"tvmps_{secrets.token_hex(32)}_{'d' if dedicated else 'p'}"


class Emulator:
    """One Batch account: its resources, and everything that happens to them.

    Args:
        account_name: name of the account, in signatures and in `AZ_BATCH_ACCOUNT_NAME`.
        root: directory for the files of all nodes.
        url: where it can be reached, for `AZ_BATCH_ACCOUNT_URL`.
        clock: tells the time.
        delays: how long the service takes for what.
        node_ids: makes ids of nodes.
    """

    def __init__(
        self,
        account_name: str,
        root: Path,
        *,
        url: str,
        clock: Clock | None = None,
        delays: Delays | None = None,
        node_ids: Callable[[bool], str] = new_node_id,
    ) -> None:
        self.account_name = account_name
        self.clock: Clock = clock or WallClock()
        self.world = World(Account(), node_ids, delays or Delays())
        self.runner = Runner(account_name, url, root, self.clock, self.world.account, self.submit)
        self.history: deque[tuple[float, Event, list[Instruction]]] = deque(maxlen=HISTORY)

    def submit(self, event: Event) -> None:
        """Let an event happen now, and do what follows from it.

        Raises:
            BatchError: the event is a request that is refused.
        """
        now = self.clock.now()
        instructions = scheduler.handle(self.world, event, now)
        self.history.append((now, event, instructions))
        self.runner.carry_out(instructions)

    async def open(self) -> None:
        """Get ready to run commands; needs a running event loop."""
        await self.runner.open()

    async def close(self) -> None:
        """End every process."""
        await self.runner.close()
