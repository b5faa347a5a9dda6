"""Every move of a node, made by the scheduler."""

from collections.abc import Callable

import pytest

from batch_emulator import events, node_events
from batch_emulator.lifecycle import NODE, NodeEvent
from batch_emulator.node_events import RestartKind
from tests.batch_emulator.scheduler.cells import Cell, cells, drive, in_table, name, named
from tests.batch_emulator.scheduler.world import Stage

GOES = "preempt > preempted, broken > unusable, leave > leavingpool"
RESTARTS = "reboot > rebooting, reimage > reimaging, deallocate > deallocating"
UP = f"contact lost > unknown, upgrade os > upgradingos, {RESTARTS}, {GOES}"
CELLS = cells(f"""
    creating: allocated > starting, {GOES}
    starting: start task began > waitingforstarttask, booted > idle, {GOES}
    waitingforstarttask: start task succeeded > idle, start task failed > starttaskfailed, {GOES}
    starttaskfailed: {RESTARTS}, {GOES}
    idle: task started > running, scheduling disabled > offline, {UP}
    running: last task ended > idle, {UP}
    offline: scheduling enabled > idle, {UP}
    preempted: restored > creating, leave > leavingpool
    unusable: restored > starting, {RESTARTS}, leave > leavingpool
    unknown: contact regained > idle, {GOES}
    rebooting: restarted > starting, {GOES}
    reimaging: restarted > starting, {GOES}
    deallocating: deallocated > deallocated, {GOES}
    deallocated: start > starting, leave > leavingpool
    upgradingos: restarted > starting, {GOES}
""")
WITH_START_TASK = ("waitingforstarttask", "starttaskfailed")
SECOND = 1.0


class OneNode:
    """A stage with a single Spot node; each of its states takes a second that ends by itself."""

    def __init__(self, *, start_task: bool) -> None:
        self.stage = Stage(creating=SECOND, starting=SECOND, restarting=SECOND, leaving=SECOND)
        command = {"commandLine": "prepare"} if start_task else None
        self.stage.pool(nodes=0, low_priority=1, start_task=command)
        self.node = self.stage.node()
        self.run = 0

    def wait(self) -> None:
        self.stage.pass_time(SECOND)

    def end_start_task(self, exit_code: int) -> None:
        assert self.node.start_run is not None
        self.stage.end_run(self.node.start_run, exit_code)

    def work(self) -> None:
        self.stage.job()
        run = self.stage.task("a").run
        assert run is not None
        self.run = run

    def finish(self) -> None:
        self.stage.end_run(self.run)

    def restart(self, how: RestartKind) -> None:
        self.stage.submit(node_events.RestartNode("pool", self.node.id, how))

    def submit(self, event: Callable[[str, str], events.Event]) -> None:
        self.stage.submit(event("pool", self.node.id))

    def remove(self) -> None:
        self.stage.submit(events.RemoveNodes("pool", (self.node.id,), 900.0))


ACTS: dict[str, Callable[[OneNode], None]] = {
    "allocated": OneNode.wait,
    "booted": OneNode.wait,
    "start task began": OneNode.wait,
    "start task succeeded": lambda one: one.end_start_task(0),
    "start task failed": lambda one: one.end_start_task(1),
    "task started": OneNode.work,
    "last task ended": OneNode.finish,
    "scheduling disabled": lambda one: one.submit(node_events.DisableScheduling),
    "scheduling enabled": lambda one: one.submit(node_events.EnableScheduling),
    "reboot": lambda one: one.restart(NodeEvent.REBOOT),
    "reimage": lambda one: one.restart(NodeEvent.REIMAGE),
    "deallocate": lambda one: one.restart(NodeEvent.DEALLOCATE),
    "restarted": OneNode.wait,
    "deallocated": OneNode.wait,
    "start": lambda one: one.submit(node_events.StartNode),
    "preempt": lambda one: one.submit(node_events.PreemptNode),
    "restored": lambda one: one.submit(node_events.RestoreNode),
    "broken": lambda one: one.submit(node_events.BreakNode),
    "contact lost": lambda one: one.submit(node_events.LoseContact),
    "contact regained": lambda one: one.submit(node_events.RegainContact),
    "upgrade os": lambda one: one.submit(node_events.UpgradeNode),
    "leave": OneNode.remove,
}
WAYS: dict[str, tuple[str, ...]] = {
    "creating": (),
    "starting": ("allocated",),
    "waitingforstarttask": ("allocated", "start task began"),
    "starttaskfailed": ("allocated", "start task began", "start task failed"),
    "idle": ("allocated", "booted"),
    "running": ("allocated", "booted", "task started"),
    "offline": ("allocated", "booted", "scheduling disabled"),
    "preempted": ("preempt",),
    "unusable": ("broken",),
    "unknown": ("allocated", "booted", "contact lost"),
    "rebooting": ("allocated", "booted", "reboot"),
    "reimaging": ("allocated", "booted", "reimage"),
    "deallocating": ("allocated", "booted", "deallocate"),
    "deallocated": ("allocated", "booted", "deallocate", "deallocated"),
    "upgradingos": ("allocated", "booted", "upgrade os"),
}
"""What happens to a new node until it is in a state."""


@pytest.mark.parametrize("cell", CELLS, ids=name)
def test_a_node_moves_as_it_should(cell: Cell) -> None:
    state, event, _ = cell
    one = OneNode(start_task=state in WITH_START_TASK or event == "start task began")
    for happening in WAYS[state]:
        ACTS[happening](one)
    drive(NODE, cell, lambda: one.node.state.value, lambda: ACTS[event](one))


def test_no_move_of_a_node_is_left_out() -> None:
    assert named(CELLS) == in_table(NODE)
