"""What follows from what Batch says of job, pool and nodes: every cause, and every treatment."""

from dataclasses import replace
from typing import Any

import pytest

from batch_tasks.diagnosis import Chart, Decision, decide, treated
from batch_tasks.stalls import Limits, NodeView, PoolView, RunView, why_nothing_runs

LIMITS = Limits()


def pool(*states: str, **more: Any) -> PoolView:
    nodes = [NodeView(f"n{number}", state, ("DiskFull: no room",)) for number, state in enumerate(states)]
    return PoolView("p", "active", nodes=nodes, **more)


def lost(*states: str) -> PoolView:
    return PoolView("p", "active", nodes=[NodeView(f"n{number}", one) for number, one in enumerate(states)])


def view(of: PoolView | None, **more: Any) -> RunView:
    return RunView("p", of, job_id="j", **more)


def resize(code: str) -> PoolView:
    return pool(resize_errors=((code, "As Azure says."),))


@pytest.mark.parametrize(
    ("seen", "told", "patience"),
    [
        (view(None), "The pool p was deleted while its tasks ran", 0),
        (view(PoolView("p", "deleting")), "The pool p was deleted", 0),
        (view(pool("idle"), job_state="disabled"), "The job j was disabled by somebody", LIMITS.disabled),
        (view(resize("AccountCoreQuotaReached")), "AccountCoreQuotaReached: As Azure says. Ask for fewer", 0),
        (view(resize("AccountSpotCoreQuotaReached")), "have the quota of the Batch account raised", 0),
        (view(resize("UnsupportedVMSize")), "As Azure says. Choose another VM size or image", 0),
        (view(resize("ImageNotFound")), "ImageNotFound: As Azure says. Choose another", 0),
        (view(resize("AllocationFailed")), "Azure may be short of this VM size", LIMITS.allocation),
        (view(resize("AllocationTimedout")), "AllocationTimedout", LIMITS.allocation),
        (view(pool(autoscale_error="Bad: formula")), "cannot be evaluated: Bad: formula", 0),
        (view(pool()), "gets no nodes, and Batch gives no reason", LIMITS.allocation),
        (view(pool("preempted", "preempted")), "2 preempted. Allow dedicated nodes", LIMITS.preempted),
        (view(pool("waitingforstarttask")), "No node gets ready", LIMITS.starting),
        (view(pool("idle", "starttaskfailed")), "Nodes are ready and no task starts", LIMITS.idle),
        (view(lost("unusable", "unknown")), "1 unknown, 1 unusable. It often recovers", LIMITS.starting),
    ],
)
def test_each_cause_has_its_sentence_and_its_patience(seen: RunView, told: str, patience: float) -> None:
    stall = why_nothing_runs(seen)
    assert stall is not None
    assert told in stall.text
    assert stall.patience == patience


def test_nodes_busy_with_the_tasks_of_others_are_no_stall() -> None:
    assert why_nothing_runs(view(pool("running", "starttaskfailed"))) is None


def looks(
    *steps: tuple[float, RunView], limits: Limits = LIMITS, refused: frozenset[str] = frozenset()
) -> list[Decision]:
    """One look after the other, each at its time in seconds; Batch refuses treatments of these kinds."""
    chart, made = Chart(), []
    for now, seen in steps:
        made.append(decide(seen, chart, now, limits))
        chart = made[-1].chart
        for treatment in made[-1].treatments:
            chart = treated(chart, treatment, now, limits, accepted=treatment.kind not in refused)
    return made


def treatments(decisions: list[Decision]) -> list[list[tuple[str, str]]]:
    return [[(one.kind, one.node_id) for one in decision.treatments] for decision in decisions]


@pytest.mark.parametrize(
    "seen", [view(None), view(resize("AccountCoreQuotaReached")), view(resize("UnsupportedVMSize"))]
)
def test_what_waiting_does_not_change_ends_the_run_at_once(seen: RunView) -> None:
    assert looks((0, seen))[0].ends


@pytest.mark.parametrize(
    ("seen", "patience"),
    [
        (view(resize("AllocationFailed")), LIMITS.allocation),
        (view(pool("preempted")), LIMITS.preempted),
        (view(pool("idle"), job_state="disabled"), LIMITS.disabled),
        (view(pool("starting")), LIMITS.starting),
        (view(pool("idle")), LIMITS.idle),
    ],
)
def test_what_may_pass_is_waited_for_told_once_and_ends_the_run_at_its_deadline(
    seen: RunView, patience: float
) -> None:
    decisions = looks((10, seen), (11, seen), (9 + patience, seen), (10 + patience, seen))
    assert [decision.ends for decision in decisions] == [False, False, False, True]
    assert sum(decision.news for decision in decisions) == 1


@pytest.mark.parametrize("seen", [view(resize("AllocationFailed")), view(pool("preempted"))])
def test_what_went_wrong_is_told_at_once(seen: RunView) -> None:
    assert [decision.news for decision in looks((0, seen), (1, seen))] == [True, False]


@pytest.mark.parametrize("seen", [view(pool(steady=False)), view(pool("starting")), view(pool("idle"))])
def test_what_every_run_goes_through_is_told_when_it_takes_long(seen: RunView) -> None:
    looked = (0, LIMITS.quiet - 1, LIMITS.quiet, LIMITS.quiet + 1)
    decisions = looks(*((now, seen) for now in looked))
    assert [decision.news for decision in decisions] == [False, False, True, False]
    assert decisions[2].lasted == LIMITS.quiet


def test_a_pool_that_is_getting_its_nodes_is_not_told_to_get_none() -> None:
    stall = why_nothing_runs(view(pool(steady=False)))
    assert stall is not None
    assert stall.text == "The pool p has no nodes yet: Batch is getting them."


def alternating(one: RunView, other: RunView, *, each: float, until: float) -> list[tuple[float, RunView]]:
    times = [each * number for number in range(int(until / each) + 1)]
    return [(now, (one, other)[number % 2]) for number, now in enumerate(times)]


def test_an_allocation_that_fails_again_and_again_ends_the_run_at_its_deadline() -> None:
    failed, tried_again = view(resize("AllocationFailed")), view(pool(steady=False))
    decisions = looks(*alternating(failed, tried_again, each=300, until=LIMITS.allocation))
    assert [decision.ends for decision in decisions] == [False] * 9 + [True]
    assert sum(decision.news for decision in decisions) == 2
    last = decisions[-1].stall
    assert last is not None
    assert "Earlier: AllocationFailed: As Azure says." in last.text


def test_spot_nodes_that_come_and_go_without_a_task_end_the_run_at_its_deadline() -> None:
    gone, back = view(pool("preempted")), view(pool("starting"))
    decisions = looks(*alternating(gone, back, each=300, until=LIMITS.starting))
    ends = [decision.ends for decision in decisions]
    assert ends == [False] * (len(ends) - 1) + [True]


def test_what_only_looks_alike_is_not_added_up() -> None:
    idle, starting = view(pool("idle")), view(pool("starting"))
    decisions = looks(*alternating(idle, starting, each=300, until=LIMITS.idle * 2))
    assert not any(decision.ends for decision in decisions)


def test_a_resize_error_beside_nodes_is_remarked_once_with_the_numbers() -> None:
    errors = (("AccountCoreQuotaReached", "As Azure says."),)
    some = view(pool("running", resize_errors=errors, current=(1, 0), target=(4, 2)), running=1)
    again, well = view(pool("running", steady=False), running=1), view(pool("running"), running=1)
    decisions = looks((0, some), (30, some), (60, again), (90, some), (120, well), (150, some))
    assert [len(decision.remarks) for decision in decisions] == [1, 0, 0, 0, 0, 1]
    assert decisions[0].remarks == (
        "The pool p has 1 of 4 dedicated and 0 of 2 Spot nodes: AccountCoreQuotaReached: As Azure says.",
    )
    assert not any(decision.ends or decision.stall for decision in decisions)


def test_a_treatment_that_batch_refuses_is_asked_for_again_and_then_given_up() -> None:
    seen, often = view(pool("running", "unusable"), running=1), LIMITS.refusals
    times = [(30.0 * number, seen) for number in range(3 * often)]
    both = treatments(looks(*times, refused=frozenset({"reboot", "replace"})))
    assert both == [[("reboot", "n1")]] * often + [[("replace", "n1")]] * often + [[]] * often
    reboots = treatments(looks(*times, refused=frozenset({"reboot"})))
    assert reboots == [[("reboot", "n1")]] * often + [[("replace", "n1")]] + [[]] * (2 * often - 1)


def test_a_run_whose_nodes_batch_will_not_treat_ends() -> None:
    seen, refused = view(pool("unusable")), frozenset({"reboot", "replace"})
    decisions = looks(*((30.0 * number, seen) for number in range(200)), refused=refused)
    assert decisions[-1].ends


def test_a_task_that_runs_meanwhile_starts_the_wait_anew() -> None:
    seen = view(pool("preempted", "running"), running=1)
    stalled = view(pool("preempted"))
    decisions = looks((0, stalled), (LIMITS.preempted - 1, seen), (LIMITS.preempted, stalled))
    assert [decision.ends for decision in decisions] == [False, False, False]


def test_a_bad_node_is_rebooted_once_and_replaced_when_that_did_not_help() -> None:
    seen = view(pool("running", "unusable"), running=1)
    decisions = looks((0, seen), (19, seen), (20, seen), (90, seen))
    assert treatments(decisions) == [[("reboot", "n1")], [], [("replace", "n1")], []]


def test_nodes_of_a_pool_that_is_not_the_runs_own_are_left_alone() -> None:
    seen = view(pool("starttaskfailed", "starttaskfailed"), own_pool=False)
    (decision,) = looks((0, seen))
    assert decision.treatments == ()
    assert decision.ends


def test_a_node_is_replaced_only_while_its_pool_is_steady() -> None:
    resizing = view(pool("idle", "unusable", steady=False), running=1)
    steady = view(pool("idle", "unusable"), running=1)
    assert treatments(looks((0, resizing), (60, resizing), (61, steady)))[1:] == [[], [("replace", "n1")]]


def test_no_more_nodes_are_replaced_than_the_limit() -> None:
    seen = view(pool("running", *["unusable"] * 5), running=1)
    decisions = looks((0, seen), (60, seen), (120, seen))
    assert [len(decision.treatments) for decision in decisions] == [5, LIMITS.replacements, 0]
    assert not any(decision.ends for decision in decisions)


def test_a_start_task_that_never_worked_ends_the_run_when_a_reboot_did_not_help() -> None:
    failed = view(pool("starttaskfailed", "starttaskfailed"))
    up = view(pool("starting", "starting"))
    decisions = looks((0, failed), (1, failed), (5, up), (6, failed))
    assert treatments(decisions) == [[("reboot", "n0"), ("reboot", "n1")], [], [], []]
    assert [decision.ends for decision in decisions] == [False, False, False, True]
    assert decisions[-1].stall is not None
    assert "The start task failed on all 2 nodes of pool p" in decisions[-1].stall.text


def test_a_start_task_that_worked_before_gets_a_new_node() -> None:
    ready, failed = view(pool("idle")), view(pool("starttaskfailed"))
    decisions = looks((0, ready), (1, failed), (1 + LIMITS.settle, failed))
    assert treatments(decisions)[-1] == [("replace", "n0")]


def test_a_new_node_that_never_comes_is_not_waited_for_without_end() -> None:
    broken, last = view(pool("unusable")), 20 + LIMITS.replacement
    limits = replace(LIMITS, replacements=1)
    decisions = looks((0, broken), (20, broken), (21, broken), (last, broken), limits=limits)
    assert [decision.ends for decision in decisions] == [False, False, False, True]


def test_what_a_treated_node_lacked_is_told_when_no_node_comes_after_it() -> None:
    broken, none = view(pool("unusable")), view(pool())
    decisions = looks((0, broken), (60, broken), (61, none), (61 + LIMITS.allocation, none))
    assert decisions[-1].ends
    assert decisions[-1].stall is not None
    assert "Earlier: node n0 is unusable: DiskFull: no room" in decisions[-1].stall.text


def test_a_node_without_contact_is_treated_only_when_it_was_not_recovered() -> None:
    seen = view(lost("unknown", "running"), running=1)
    decisions = looks((0, seen), (LIMITS.recovery - 1, seen), (LIMITS.recovery, seen))
    assert treatments(decisions) == [[], [], [("reboot", "n0")]]


def test_a_node_that_was_recovered_begins_a_new_life() -> None:
    gone, back = view(lost("unknown"), running=1), view(lost("idle"), running=1)
    assert treatments(looks((0, gone), (800, back), (900, gone), (1000, gone))) == [[], [], [], []]
