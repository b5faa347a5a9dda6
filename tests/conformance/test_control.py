"""The control plane: what it shows, what it does, and to whom it does not answer."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.batch import models

from flows.local_stack.emulator import BatchAccount
from tests import web
from tests.conformance import scene
from tests.conformance.conftest import Batch
from tests.conformance.own_emulator import Control, running


@pytest.fixture(scope="module")
def emulator() -> Iterator[BatchAccount]:
    with running() as account:
        yield account


@pytest.fixture
def control(emulator: BatchAccount) -> Iterator[Control]:
    control = Control(emulator.endpoint)
    yield control
    control.clean()


def test_the_state_shows_the_whole_account_and_no_secret(batch: Batch, control: Control) -> None:
    with scene.pool(batch, "p"), scene.job(batch, "j", "p"):
        file = models.ResourceFile(http_url="http://127.0.0.1:9/a/b?sig=hidden", file_path="b")
        setting = models.EnvironmentSetting(name="TOKEN", value="hidden")
        options = models.BatchTaskCreateOptions(
            id="T", command_line="true", resource_files=[file], environment_settings=[setting]
        )
        control.fault("download_failure")
        batch.create_task("j", options)
        scene.completed(batch, "j", "T")
        answer = control.ask("GET", "state")
        state = answer.json()
        assert state["jobs"]["j"]["tasks"]["t"]["state"] == "completed"
        assert [node["state"] for node in state["pools"]["p"]["nodes"].values()] == ["idle"]
        assert state["jobs"]["j"]["created"].endswith("Z")
        assert "hidden" not in answer.text
        assert "TOKEN" in answer.text
        assert "hidden" not in control.ask("GET", "events").text


def test_the_events_tell_what_was_decided_in_order(batch: Batch, control: Control) -> None:
    last = control.events()[-1]["number"] if control.events() else 0
    with scene.pool(batch, "p"):
        pass
    lines = control.ask("GET", f"events?since={last}").text.splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["number"] for event in events] == list(range(last + 1, last + 1 + len(events)))
    names = [event["name"] for event in events]
    assert names.index("AddPool") < names.index("AllocationDone") < names.index("DeletePool")
    (added,) = [event for event in events if event["name"] == "AddPool"]
    assert added["pool"] == "p"
    assert added["instructions"][0]["event"]["name"] == "AllocationDone"


def test_events_can_be_followed_as_they_come(batch: Batch, control: Control, emulator: BatchAccount) -> None:
    url = f"{emulator.endpoint}/_emulator/events?follow=1&since=1000000000"
    before = control.events()
    number = before[-1]["number"] if before else 0
    url = url.replace("1000000000", str(number))
    with web.client().stream("GET", url, timeout=20) as answer:
        assert answer.status_code == 200
        batch.create_job({"id": "followed", "poolInfo": {"poolId": "none"}})
        first = json.loads(next(answer.iter_lines()))
    assert (first["name"], first["job"]) == ("AddJob", "followed")


def test_a_reset_empties_the_account_and_ends_every_process(
    batch: Batch, control: Control, tmp_path: Path
) -> None:
    note = tmp_path / "pid"
    batch.create_pool(scene.pool_options("p"))
    batch.create_job({"id": "j", "poolInfo": {"poolId": "p"}})
    command = f"/bin/sh -c 'echo $$ > {note}; exec sleep 600'"
    batch.create_task("j", models.BatchTaskCreateOptions(id="t", command_line=command))
    scene.wait_for(lambda: note.exists() and bool(note.read_text().strip()))
    assert control.ask("POST", "reset").status_code == 204
    assert batch.list_pools() == []
    assert batch.list_jobs() == []
    assert not Path(f"/proc/{note.read_text().strip()}").exists()
    with scene.pool(batch, "p"):
        assert len(batch.list_nodes("p")) == 1


@pytest.mark.parametrize(("method", "path"), [("POST", "reset"), ("POST", "faults"), ("DELETE", "faults")])
def test_what_changes_something_needs_the_header_that_no_web_page_can_send(
    emulator: BatchAccount, method: str, path: str
) -> None:
    answer = web.client().request(method, f"{emulator.endpoint}/_emulator/{path}")
    assert (answer.status_code, answer.json()["code"]) == (400, "MissingRequiredHeader")


def test_a_page_of_another_origin_is_refused_even_with_the_header(control: Control) -> None:
    assert control.ask("POST", "reset", Origin="https://attacker.example").status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "nothing", 400),
        ("PUT", "reset", 405),
        ("GET", "state/pools", 400),
        ("GET", "events?since=x", 400),
    ],
)
def test_what_it_does_not_know_is_refused(control: Control, method: str, path: str, status: int) -> None:
    assert control.ask(method, path).status_code == status


def test_a_clock_that_goes_by_itself_cannot_be_moved(control: Control) -> None:
    assert control.ask("POST", "clock", {"advance": 1}).status_code == 409
    shown = control.ask("GET", "clock").json()
    assert (shown["stepped"], shown["scale"]) == (False, 1.0)
    assert shown["now"][:4] == time.strftime("%Y", time.gmtime())
