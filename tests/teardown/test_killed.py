"""What no process can do for itself: after SIGKILL, without a worker, past a stop of the server.

Where the worker lives, Prefect runs the hook `on_crashed` in a fresh process. Where nothing lives, one pass
of `collect-garbage` empties the account. Living runs, kept outputs and what is not ours stay.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import pytest
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from batch_tasks.settings import Account
from flows.collect_garbage import collect_garbage
from flows.local_stack.prefect_server import using
from tests.teardown import table
from tests.teardown.casualties import SILENCE, Bystanders, Casualties
from tests.teardown.scene import LEASES, WORDS, PrefectServer, Scene
from tests.teardown.stages import STAGES, held_by_hand
from tests.teardown.waiting import ROOT, until

pytestmark = [pytest.mark.prefect_server, pytest.mark.matrix, pytest.mark.timeout(900)]


def collected(scene: Scene, *, dry_run: bool = False, **more: float) -> Counter[str]:
    """One pass of collect-garbage; how many things of each kind it deleted."""
    # This process has no heartbeats to wait for at its end.
    with using(scene.api_url), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        one_pass = cast("Callable[..., list[dict[str, str]]]", collect_garbage)
        rows = one_pass(dry_run=dry_run, silent_minutes=SILENCE / 60, reason="a test", **more)
    return Counter(row["what"].split()[0] for row in rows if row["action"] == "deleted")


def test_a_pass_leaves_what_a_retry_needs_and_one_without_empties_the_account_of_the_dead_alone(
    scene: Scene,
    casualties: Casualties,
    bystanders: Bystanders,
    account_in_environment: Account,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dead = casualties.silent()
    _, survivor = casualties.two.result()
    survivor.end()
    until(survivor.left_nothing, "the run that survived its worker cleans up after itself")
    before = scene.names()
    theirs = {name for name in before for one in dead.values() if one.run.hex in name}
    states = {how: one.run.state_name() for how, one in dead.items()}
    assert len(theirs) == sum(one.left for one in dead.values()) > 3 * len(STAGES)
    assert collected(scene, dry_run=True) == Counter()
    assert scene.names() == before

    containers = {name for name in theirs if name.startswith("container")}
    assert collected(scene, retry_hours=24)["container"] == 0
    assert scene.names() == before - (theirs - containers)
    first = {how: len(one.run.left()) for how, one in dead.items()}
    assert collected(scene) == Counter(container=len(containers))
    rows = {
        how: (states[how], str(one.left), str(first[how]), str(len(one.run.left())))
        for how, one in dead.items()
    }
    heads = ("how it died", "its state", "things it left", "with retry_hours=24", "by default")
    table.show(capsys, "What collect-garbage finds", heads, rows)
    assert scene.names() == before - theirs
    assert bystanders.foreign <= before - theirs
    assert bystanders.kept.left() == {f"container top-n-words-{bystanders.kept.hex}-outputs"}
    assert len(bystanders.living.left()) == 4


def test_the_collector_tells_of_each_thing_in_an_artifact(scene: Scene, casualties: Casualties) -> None:
    wanted = {"artifacts": {"key": {"any_": ["garbage"]}}}
    (artifact,) = scene.api("POST", "/artifacts/latest/filter", wanted)
    assert "have nobody left who will delete them: deleted." in artifact["description"]
    with_containers = [one for one in casualties.dead.values() if one.left > 1]  # found by the last pass
    assert len(with_containers) >= len(STAGES)
    assert all(str(one.run.id) in artifact["data"] for one in with_containers)
    assert "its run was asked to keep it" in artifact["data"]


def test_a_living_run_is_not_disturbed_by_all_that(scene: Scene, bystanders: Bystanders) -> None:
    bystanders.finish()
    assert bystanders.living.end() == "COMPLETED"
    copies = {path.stem: path.read_text() for path in bystanders.living.output.glob("*.copy")}
    assert copies == {Path(name).stem: text for name, text in WORDS.items()}
    until(bystanders.living.left_nothing, "it cleans up after itself")


def leases(scene: Scene) -> Mapping[str, str]:
    """Until when each run may hold its slot of a limit, as the server keeps it on its disk."""
    files = (scene.folder / "prefect" / "concurrency_leases").glob("????????-*.json")
    told = [json.loads(file.read_text()) for file in files]
    return {lease["id"]: lease["expiration"] for lease in told}


def test_runs_survive_a_restart_of_the_server_or_clean_up(
    scene: Scene, server: PrefectServer, bystanders: Bystanders, account_in_environment: Account
) -> None:
    """Their deployments have a concurrency limit, as those that are shipped. The run that lives through the
    restart then asks for its slot once more: a server that had forgotten it would have it end.
    """
    assert f"LEASES := {LEASES}" in (ROOT / "Makefile").read_text()
    others = leases(scene)
    alone, alone_held = held_by_hand(scene, "poll")
    lasting, lasting_held = held_by_hand(scene, "poll", "tests/teardown/renewing.py:renewing")
    server.stop()
    alone_held.release()
    until(alone.left_nothing, "a run that nobody can watch cleans up all the same")
    known = {lease: expires for lease, expires in leases(scene).items() if lease not in others}
    assert len(known) == 2
    server.start()
    until(
        lambda: any(leases(scene).get(lease, "") > expires for lease, expires in known.items()),
        "the run has asked for its slot again",
    )
    assert lasting.state_name() == "Running"
    lasting_held.release()
    assert lasting.end() == "COMPLETED"
    collected(scene)
    assert scene.names() == bystanders.foreign | bystanders.kept.left()
