"""Prices, estimates, node-seconds: by rule, and held against the emulator's own ledger."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from azure.batch import BatchClient, models

from batch_tasks.errors import InputError
from batch_tasks.inputs import InputFile
from batch_tasks.money.bill import SPENT, Bill, billed, ceiling_problem, kinds_of
from batch_tasks.money.estimate import estimate
from batch_tasks.money.meter import Meter, NodeKind, Sighting
from batch_tasks.money.prices import SHIPPED, NodePrice, price_table
from batch_tasks.money.spending import NODE_FIELDS, Spending, Spent, metered, nodes_seen, too_expensive
from batch_tasks.naming import RunNames
from batch_tasks.options import PoolOptions, RetryOptions
from batch_tasks.plan import RunPlan, plan_tasks
from batch_tasks.pools.specification import pool_options
from batch_tasks.pre_flight.money import priced
from batch_tasks.report import RunReport
from batch_tasks.workload import Workload
from tests.conformance import scene
from tests.conformance.own_emulator import Control, running
from tests.signing import credential_for

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
COPY = Workload(name="copy", command="cp {input} {output}", outputs=("{stem}.out",))
PRICES = price_table()
SPOT, DEDICATED = NodeKind("standard_d2s_v5", dedicated=False), NodeKind("standard_d2s_v5", dedicated=True)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def plan(files: int, created: datetime = NOON) -> RunPlan:
    tasks = plan_tasks(COPY, [InputFile(f"/in/{number}", str(number), 1) for number in range(files)])
    names = RunNames.of("copy", "12345678-1234-5678-1234-567812345678")
    return RunPlan(names, COPY, tasks, created, created + timedelta(hours=10))


def node(name: str, state: str, since: float, *, dedicated: bool = True, allocated: float = 0) -> Sighting:
    return Sighting(name, "Standard_D2s_v5", dedicated, state, at(since), at(allocated))


def test_node_seconds_are_counted_from_allocation_by_what_nodes_did() -> None:
    meter = Meter(NOON)
    meter.look([node("a", "idle", 60), node("b", "creating", 90, dedicated=False, allocated=90)], at(100))
    meter.look([node("a", "running", 120), node("b", "preempted", 150, dedicated=False)], at(200))
    meter.look([node("b", "preempted", 150, dedicated=False)], at(220))
    time = meter.read()
    assert time.seconds == {
        DEDICATED: {"starting": 60, "idle": 60, "running": 80 + 10},
        SPOT: {"starting": 60, "preempted": 70},
    }
    assert (time.billed(DEDICATED), time.billed(SPOT), time.node_seconds) == (210, 60, 270)
    assert meter.read(at(300)).seconds[SPOT]["preempted"] == 150


def test_of_a_pool_that_was_there_before_only_the_runs_own_time_counts() -> None:
    meter = Meter(at(1000))
    meter.look([node("a", "idle", 60)], at(1100))
    assert meter.read().seconds == {DEDICATED: {"idle": 100}}


def test_an_amount_always_says_whose_price_it_is() -> None:
    spending = Spending(NOON, PRICES)
    spending.look([node("a", "running", 0)], at(3600))
    spent = spending.spent()
    assert spent.amount == pytest.approx(0.115)
    assert spent.words == (
        "Nodes until the end of the run: 0.12 USD, by prices of westeurope of 2025-03-04. "
        "Node-hours: 1.00 (1.00 running)."
    )
    assert spent.as_dict()["prices"] == "by prices of westeurope of 2025-03-04"


def test_hours_are_told_in_the_order_of_a_nodes_life_and_those_away_apart() -> None:
    doing = {"preempted": 900.0, "running": 7200.0, "other": 36.0, "idle": 10.0, "starting": 360.0}
    spent = Spent(doing, 7606, 0.004, "EUR", "by prices of nowhere of 2026-01-01")
    assert spent.cost == "under 0.01 EUR"
    assert spent.hours == "2.11"
    assert spent.doing == (
        "0.10 starting, under 0.01 idle, 2.00 running, 0.01 other; 0.25 preempted, not billed"
    )
    assert replace(spent, seconds_by_doing={}, node_seconds=0).apart == "0.00"


def test_without_a_price_there_is_no_amount() -> None:
    spending = Spending(NOON, PRICES)
    spending.look([replace(node("a", "running", 0), vm_size="standard_unheard_of")], at(3600))
    assert (spending.spent().amount, spending.over()) == (None, None)


def test_a_ceiling_that_cannot_be_held_for_want_of_a_price_stops_the_run() -> None:
    spending = Spending(NOON, PRICES, ceiling=5)
    spending.look([replace(node("a", "running", 0, dedicated=False), vm_size="standard_unheard_of")], at(9))
    assert (spending.over() or "").startswith(
        "max_cost is 5.00 USD, and what the run costs is not known: the price table of westeurope of "
        "2025-03-04 has no price of a Spot standard_unheard_of, which its pool has."
    )


def test_a_ceiling_is_reached_when_it_is_spent() -> None:
    with metered(Spending(NOON, PRICES, ceiling=0.2)) as spending:
        spending.look([node("a", "running", 0)], at(3600))
        assert too_expensive(at(3600)) is None
        spending.look([node("a", "running", 0)], at(7200))
        assert (too_expensive(at(7200)) or "").startswith(
            "The run has cost 0.23 USD by prices of westeurope of 2025-03-04, and max_cost is 0.20 USD."
        )
    assert too_expensive(at(7200)) is None


def test_a_ceiling_holds_while_nobody_can_look_at_the_nodes() -> None:
    spending = Spending(NOON, PRICES, ceiling=0.2)
    spending.look([node("a", "running", 0)], at(3600))
    assert spending.over(at(6000)) is None
    assert "has cost 0.23 USD" in (spending.over(at(7200)) or "")
    assert spending.spent().amount == pytest.approx(0.115), "what is only supposed is not added up"


def test_of_a_retry_the_nodes_of_the_attempt_before_count_from_its_beginning() -> None:
    meter = Meter(at(1000))
    meter.begin(at(2000))
    meter.begin(at(400))
    meter.look([node("a", "running", 60)], at(1100))
    assert meter.read().seconds == {DEDICATED: {"running": 700}}


@contextmanager
def bill_of_a_run(*nodes: str) -> Iterator[Bill]:
    """The bill of a run on which these nodes were seen, an hour after they came."""
    with TemporaryDirectory() as folder, bill_of_an_attempt(folder, *nodes) as bill:
        yield bill


@contextmanager
def bill_of_an_attempt(folder: str, *nodes: str) -> Iterator[Bill]:
    begun = datetime.now(UTC) - timedelta(hours=2)
    came = f"{begun + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    told = {"vmSize": "standard_d2s_v5", "isDedicated": True, "state": "running"}
    told |= {"stateTransitionTime": came, "allocationTime": came}
    with billed(plan(1, begun), PoolOptions(), price_table(), Path(folder)) as bill:
        if nodes:
            nodes_seen([models.BatchNode({**told, "id": name}) for name in nodes])
        yield bill


def spent_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line for line in caplog.messages if line.startswith("Nodes until the end of the run: ")]


@pytest.mark.parametrize("error", [ValueError("failed"), KeyboardInterrupt()])
def test_what_was_spent_is_told_once_of_a_run_that_fails_or_is_interrupted(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        with pytest.raises(type(error)), bill_of_a_run("a"):
            raise error
        [line] = spent_lines(caplog)
        assert "0.12 USD, by prices of westeurope" in line


def test_what_the_report_tells_of_cost_is_not_told_again(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"), bill_of_a_run("a") as bill:
        report = bill.on(RunReport("copy", "id", "out", ()))
    assert report.cost is not None
    assert report.cost.node_seconds == pytest.approx(3600, abs=60)
    assert spent_lines(caplog) == []


def test_an_attempt_goes_on_from_what_earlier_ones_had_spent(tmp_path: Path) -> None:
    amounts = []
    for nodes in (["a"], ["b"], [], ["c", "d"]):  # each pool was deleted before the next attempt
        with bill_of_an_attempt(str(tmp_path), *nodes) as bill:
            bill.begin(datetime.now(UTC) - timedelta(days=1))  # told already
            cost = bill.on(RunReport("copy", "id", "out", ())).cost
            assert cost is not None
            amounts.append((cost.amount, cost.node_seconds))
    assert amounts == [
        (pytest.approx(0.115 * hours, abs=0.005), pytest.approx(3600 * hours, abs=60))
        for hours in (1, 2, 2, 4)
    ]


@pytest.mark.parametrize(
    ("left_since", "hours"),
    [
        (None, 1 + 2),  # nothing was left: the days between are not the run's
        (timedelta(days=4), 1 + 72),  # containers from before the first attempt told: from what it told on
        (timedelta(hours=5), 1 + 5),  # an attempt after it was killed
    ],
)
def test_days_between_attempts_on_a_pool_of_others_count_only_while_something_is_left(
    left_since: timedelta | None, hours: int, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    told = Spent({"running": 3600.0}, 3600.0, 0.115, "USD", "by prices of nowhere").as_dict()
    (tmp_path / SPENT).write_text(json.dumps({"until": (now - timedelta(days=3)).isoformat(), **told}))
    came = f"{now - timedelta(days=9):%Y-%m-%dT%H:%M:%SZ}"
    there = models.BatchNode(
        {
            "id": "a",
            "vmSize": "standard_d2s_v5",
            "isDedicated": True,
            "state": "running",
            "stateTransitionTime": came,
            "allocationTime": came,
        }
    )
    attempt = plan(1, now - timedelta(hours=2))
    with billed(attempt, PoolOptions(), price_table(), tmp_path) as bill:
        bill.begin(now - left_since if left_since else None)
        nodes_seen([there])
        cost = bill.on(RunReport("copy", "id", "out", ())).cost
    assert cost is not None
    assert cost.node_seconds == pytest.approx(3600 * hours, abs=60)


@pytest.mark.parametrize("told", ["", "{}", '{"until": "yesterday", "amount": 1}', "[1]"])
def test_what_is_no_earlier_bill_counts_for_nothing(told: str, tmp_path: Path) -> None:
    (tmp_path / SPENT).write_text(told)
    with bill_of_an_attempt(str(tmp_path), "a") as bill:
        cost = bill.on(RunReport("copy", "id", "out", ())).cost
    assert cost is not None
    assert cost.amount == pytest.approx(0.115, abs=0.005)


def test_a_ceiling_holds_over_all_attempts() -> None:
    earlier = Spent({"running": 3600.0}, 3600.0, 5.0, "USD", "by prices of nowhere")
    spending = Spending(NOON, PRICES, ceiling=5)
    assert spending.over() is None
    spending.go_on(earlier)
    assert "The run has cost 5.00 USD" in (spending.over() or "")
    euros = replace(earlier, currency="EUR")
    assert Spent({}, 0.0, 1.0, "USD", "").after(euros).amount is None
    other = Spending(NOON, PRICES, ceiling=5)
    other.go_on(euros)
    assert other.over() is None


def test_nothing_is_told_of_nodes_that_nobody_saw(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"), pytest.raises(ValueError, match="before"), bill_of_a_run():
        raise ValueError("before there were nodes")
    assert spent_lines(caplog) == []


def test_a_ceiling_that_cannot_be_held_is_refused_before_anything_is_made() -> None:
    pool = PoolOptions(vm_size="standard_unheard_of", max_cost=5)
    said = ceiling_problem(5, kinds_of(pool), PRICES) or ""
    assert "has no price of a dedicated standard_unheard_of" in said
    [problem] = priced(plan(1), pool)[1].problems
    assert problem == said
    assert ceiling_problem(5, kinds_of(PoolOptions(spot_nodes=1)), PRICES) is None
    no_spot = PRICES.model_copy(update={"per_hour": {"standard_d2s_v5": NodePrice(dedicated=1)}})
    assert "no price of a Spot" in (ceiling_problem(5, kinds_of(PoolOptions(spot_nodes=1)), no_spot) or "")


def test_the_table_of_prices_can_be_replaced(tmp_path: Path) -> None:
    told = json.loads(SHIPPED.read_text("utf-8"))
    own = tmp_path / "prices.json"
    own.write_text(json.dumps({**told, "region": "uksouth", "per_hour": {"standard_x1": {"dedicated": 2}}}))
    table = price_table(str(own))
    assert table.price("Standard_X1", dedicated=True) == 2
    assert table.price("Standard_X1", dedicated=False) is None
    assert table.valid == "by prices of uksouth of 2025-03-04"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "cannot be used"),
        ('{"date": "2025-03-04"}', "region: Field required"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_table_that_is_none_is_refused_by_place(content: str | None, told: str, tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=told):
        price_table(str(file))


def test_an_estimate_says_what_is_expected_and_what_it_can_be_at_most() -> None:
    pool = PoolOptions(dedicated_nodes=2, spot_nodes=1, task_slots_per_node=2, expected_minutes=30)
    told = estimate(plan(12), pool, PRICES)
    assert told.expected_seconds == 3 * (120 + 2 * 1800)
    assert told.most_seconds == 4 * 60 * (10 * 60 + 5 + 5), "three, and one in place of the Spot node"
    assert told.most == pytest.approx((3 * 0.115 + 0.023) * (10 + 1 / 6))
    assert told.words(PRICES) == (
        "Estimated cost of nodes: 0.26 USD expected, at most 3.74 USD, if no node goes before its 10 hours "
        "are over, by prices of westeurope of 2025-03-04."
    )
    unknown = estimate(plan(12), pool.model_copy(update={"vm_size": "standard_unheard_of"}), PRICES)
    assert unknown.words(PRICES) == (
        "No estimate of cost: the prices of westeurope of 2025-03-04 have none for these nodes."
    )
    stays_spot = replace(plan(12), retry=RetryOptions(dedicated_after=0))
    assert estimate(stays_spot, pool, PRICES).most_seconds == 3 * 60 * 610
    assert estimate(stays_spot, pool, PRICES).expected == told.expected
    assert PRICES.per_hour["standard_d2s_v5"] == NodePrice(dedicated=0.115, spot=0.023)


@pytest.fixture
def stepped() -> Iterator[tuple[BatchClient, Control]]:
    with running("--time", "stepped", "--delays", "azure", "--simulate", "--seed", "1") as account:
        credential = credential_for(account.name, account.key)
        with BatchClient(account.endpoint, credential) as client:
            yield client, Control(account.endpoint)


def ledger(control: Control) -> dict[str, Any]:
    return control.ask("GET", "state").json()  # type: ignore[no-any-return]


def now(control: Control) -> datetime:
    return datetime.fromisoformat(ledger(control)["now"])


class Looks:
    """Looks at a pool's nodes as the clock moves."""

    def __init__(self, client: BatchClient, control: Control, pool_id: str) -> None:
        self.client, self.control, self.pool_id = client, control, pool_id
        self.now = now(control)

    def after(self, seconds: float) -> None:
        self.control.advance(seconds)
        self.now += timedelta(seconds=seconds)
        nodes_seen(list(self.client.list_nodes(self.pool_id, select=[NODE_FIELDS])), self.now)


def test_estimate_and_actual_agree_with_the_emulators_ledger(
    stepped: tuple[BatchClient, Control], capsys: pytest.CaptureFixture[str]
) -> None:
    client, control = stepped
    run = plan(12, now(control).replace(microsecond=0))
    pool = PoolOptions(dedicated_nodes=2, spot_nodes=1, task_slots_per_node=2, expected_minutes=240)
    with metered(Spending(run.created, PRICES)) as spending:
        client.create_pool(pool_options(run, pool))
        client.create_job({"id": "j", "poolInfo": {"poolId": run.names.pool_id}})  # type: ignore[arg-type]
        for task in run.tasks:
            options = models.BatchTaskCreateOptions(id=task.task_id, command_line="simulate 4h")
            client.create_task("j", options)
        looks = Looks(client, control, run.names.pool_id)
        while client.get_job_task_counts("j").task_counts.completed < 12:
            looks.after(100)
        client.begin_delete_pool(run.names.pool_id, polling_interval=0)
        looks.after(15)
        control.advance(60)
        spent = spending.spent()
    stays = ledger(control)["stays"]
    billed_seconds = sum(stay["nodeSeconds"] for stay in stays)
    by_state = {
        state: sum(stay["secondsByState"].get(state, 0) for stay in stays) for state in ("idle", "running")
    }
    told = estimate(run, pool, PRICES, boot=timedelta(seconds=20))
    with capsys.disabled():
        print(
            f"\nnode-seconds: ledger {billed_seconds:.0f}, metered {spent.node_seconds:.0f}, "
            f"estimated {told.expected_seconds:.0f}"
        )
    assert spent.node_seconds == pytest.approx(billed_seconds, rel=0.01)
    assert told.expected_seconds == pytest.approx(billed_seconds, rel=0.01)
    assert told.expected == pytest.approx(spent.amount, rel=0.01)
    assert spent.seconds_by_doing["running"] == pytest.approx(by_state["running"], rel=0.01)


def test_preempted_time_is_told_apart_as_in_the_ledger(stepped: tuple[BatchClient, Control]) -> None:
    client, control = stepped
    control.fault("preempt", at=1000, restore=2400)
    began = now(control)
    with metered(Spending(began, PRICES)) as spending:
        client.create_pool(scene.pool_options("p", target_dedicated_nodes=1, target_low_priority_nodes=2))
        looks = Looks(client, control, "p")
        for _ in range(90):
            looks.after(60)
        spent = spending.spent()
    stays = ledger(control)["stays"]
    assert spent.node_seconds == pytest.approx(sum(stay["nodeSeconds"] for stay in stays), rel=0.01)
    preempted = sum(stay["secondsByState"].get("preempted", 0) for stay in stays)
    assert preempted > 0
    assert spent.seconds_by_doing["preempted"] == pytest.approx(preempted, rel=0.01)
