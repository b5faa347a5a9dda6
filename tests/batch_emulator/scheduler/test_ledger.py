"""What nodes would be billed for."""

from batch_emulator import events, node_events
from batch_emulator.lifecycle import NodeEvent
from tests.batch_emulator.scheduler.world import Stage


def test_a_node_is_billed_from_its_allocation_until_it_has_left() -> None:
    stage = Stage(creating=10.0, starting=5.0, leaving=30.0)
    stage.pool(nodes=1)
    began = stage.now
    stage.pass_time(15.0)
    stage.job()
    task = stage.task("a")
    stage.pass_time(100.0)
    stage.end(task)
    stage.pass_time(20.0)
    [stay] = stage.world.account.stays.values()
    assert stay.node_seconds(stage.now) == 135.0
    stage.submit(events.DeletePool("pool"))
    stage.pass_time(1000.0)
    assert not stage.world.account.pools
    assert (stay.allocated, stay.left) == (began, began + 165.0)
    assert stay.node_seconds(stage.now) == 165.0
    assert stay.seconds_by_state(stage.now) == {
        "creating": 10.0,
        "starting": 5.0,
        "running": 100.0,
        "idle": 20.0,
        "leavingpool": 30.0,
    }


def test_a_machine_that_is_not_there_is_not_billed() -> None:
    stage = Stage()
    stage.pool(nodes=1, low_priority=1)
    dedicated, spot = stage.node(0), stage.node(1)
    stage.pass_time(10.0)
    stage.submit(node_events.PreemptNode("pool", spot.id, restore_after=100.0))
    stage.submit(node_events.RestartNode("pool", dedicated.id, NodeEvent.DEALLOCATE))
    stage.pass_time(500.0)
    stays = stage.world.account.stays
    assert stays[spot.id].node_seconds(stage.now) == 410.0
    assert stays[dedicated.id].node_seconds(stage.now) == 10.0
    stage.submit(node_events.StartNode("pool", dedicated.id))
    stage.pass_time(40.0)
    assert stays[dedicated.id].node_seconds(stage.now) == 50.0
    assert len(list(stays[dedicated.id].billed(stage.now))) == 2


def test_the_seconds_of_all_states_add_up_to_the_stay() -> None:
    stage = Stage(creating=3.0, starting=2.0, restarting=7.0)
    stage.pool(nodes=2)
    stage.pass_time(50.0)
    stage.submit(node_events.RestartNode("pool", stage.node().id, NodeEvent.REBOOT))
    stage.pass_time(1.0)
    stage.submit(node_events.BreakNode("pool", stage.node().id))
    stage.pass_time(33.0)
    for stay in stage.world.account.stays.values():
        assert sum(stay.seconds_by_state(stage.now).values()) == stage.now - stay.allocated
        assert stay.node_seconds(stage.now) == stage.now - stay.allocated
