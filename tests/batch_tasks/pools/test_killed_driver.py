"""The driver dies by SIGKILL in each stage; nobody helps; how long do its nodes bill?

The emulator's clock is moved by the test, so that hours pass in a moment.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import uuid4

import pytest
from azure.batch import BatchClient
from azure.core.exceptions import ResourceNotFoundError

from batch_tasks.pools.scaling import last_billed
from batch_tasks.settings import Account
from flows.local_stack.azurite import BlobAccount
from tests.batch_tasks.pools.driver import Request, drivers
from tests.conformance.own_emulator import PROCESSES, Control, running
from tests.flows.processes import eventually, is_running
from tests.signing import account_of, credential_for

HOURS = 2.0
LATER = 120.0
"""Seconds of the emulator's clock between two looks."""


@dataclass(frozen=True)
class Drivers:
    """The process that forks drivers: what it is asked, and what they say."""

    asking: Connection
    said: Connection

    def killed(self, request: Request, control: Control, *, moving: bool) -> str:
        """Kill a driver once it has reached its stage, with the clock moved until then; what it said."""
        self.asking.send(request)
        driver: int = self.said.recv()
        try:
            while not self.said.poll(0 if moving else None):
                if control.ask("GET", "state").json()["jobs"]:
                    control.advance(30)
            stage: str | None = self.said.recv()
        finally:
            with suppress(ProcessLookupError):
                os.kill(driver, signal.SIGKILL)
            eventually(lambda: not is_running(driver), "the driver is gone")
        assert stage, "the driver ended by itself"
        return stage


@pytest.fixture(scope="module")
def driven() -> Iterator[Drivers]:
    """Drivers for the tests of this module."""
    asked, asking = PROCESSES.Pipe(duplex=False)
    said, saying = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=drivers, args=(asked, saying))
    process.start()
    asked.close()
    saying.close()
    yield Drivers(asking, said)
    asking.close()
    process.join()
    said.close()


@pytest.fixture
def stepped(azurite: BlobAccount, lasts: int, tmp_path: Path) -> Iterator[Account]:
    """An account whose clock stands where the driver's does when it starts; tasks take `lasts` minutes."""
    profile = tmp_path / "simulated.toml"
    profile.write_text(f"seconds = {lasts * 60}\n")
    with running("--time", "stepped", "--delays", "azure", "--simulate", str(profile)) as emulator:
        yield account_of(azurite, emulator)


@pytest.mark.parametrize(
    ("stage", "kind", "lasts"),
    [
        ("provision-pool", "ephemeral", 40),
        ("upload-inputs", "ephemeral", 40),
        ("create-job", "ephemeral", 40),
        ("create-job", "auto", 40),
        ("submit-tasks", "ephemeral", 40),
        ("poll-tasks", "ephemeral", 2400),
        ("poll-tasks", "named", 2400),
        ("poll-tasks", "auto", 40),
        ("retrieve-outputs", "ephemeral", 5),
    ],
)
def test_no_node_bills_longer_than_stated_when_the_driver_is_killed(
    stage: str,
    kind: str,
    lasts: int,
    stepped: Account,
    driven: Drivers,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.txt").write_text("x")
    control, run = Control(stepped.batch_endpoint), uuid4().hex
    killed = driven.killed(
        Request(stepped, stage, kind, run, str(folder), HOURS),
        control,
        moving=stage in ("poll-tasks", "retrieve-outputs", "clean-up"),
    )
    assert killed == stage
    bound = _bound(stepped, control, run, lasts)
    died = _now(control)
    while (now := _billing(control)) is not None:
        assert now <= bound, "nodes bill longer than stated"
        control.advance(LATER)
    zero = _now(control) - died
    with capsys.disabled():
        print(
            f"\nkilled in {stage} ({kind}, tasks of {lasts} min): no node after {zero}, stated {bound - died}"
        )


def _bound(account: Account, control: Control, run: str, lasts: int) -> datetime:
    """The stated bound: from the times that the pool and the job of the run were made with."""
    job = f"killed-{run}"
    created = _now(control)
    with _client(account) as client:
        pools = list(client.list_pools())
        created = min([pool.creation_time for pool in pools if pool.creation_time], default=created)
        try:
            tasks = list(client.list_tasks(job))
        except ResourceNotFoundError:
            tasks = []
    expires = created + timedelta(hours=HOURS)
    if not tasks:
        return last_billed(created, expires, created)
    if lasts > HOURS * 60:
        return last_billed(created, expires)
    return last_billed(created, expires, _now(control) + timedelta(minutes=45))  # all tasks run at once


def _client(account: Account) -> BatchClient:
    return BatchClient(account.batch_endpoint, credential_for(account.batch_account, account.batch_key))


def _now(control: Control) -> datetime:
    return datetime.fromisoformat(control.ask("GET", "state").json()["now"])


def _billing(control: Control) -> datetime | None:
    """The time, as long as a node is there or may still come."""
    state = control.ask("GET", "state").json()
    here = any("leftTime" not in stay for stay in state["stays"])
    to_come = any(pool["target_dedicated"] or pool["target_low_priority"] for pool in state["pools"].values())
    return datetime.fromisoformat(state["now"]) if here or to_come else None
