"""`$filter`, `$select`, `$expand`: what they mean, and what is refused where."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from azure.batch import models
from hypothesis import given
from hypothesis import strategies as st

from batch_emulator.errors import InvalidQueryParameterValue
from batch_emulator.odata import Scalar, parse_expand, parse_filter, parse_select, select
from batch_emulator.queryable import FILTERABLE, SELECTABLE

TASKS = FILTERABLE["tasks"]
COMPLETED: Mapping[str, Scalar] = {
    "id": "task-7",
    "state": "completed",
    "creationTime": "2025-01-31T12:00:00.5Z",
    "executionInfo/exitCode": 3,
    "executionInfo/result": "failure",
}
ACTIVE: Mapping[str, Scalar] = {"id": "it's", "state": "active", "creationTime": 1738324800.0}


def holds(text: str, values: Mapping[str, Scalar], table: str = "tasks") -> bool:
    return parse_filter(text, FILTERABLE[table])(values.get)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("state eq 'completed'", True),
        ("state ne 'completed'", False),
        ("startswith(id,'task-')", True),
        ("startswith( id , 'x' )", False),
        ("not startswith(id,'x')", True),
        ("id ge 'task-10'", True),
        ("executionInfo/exitCode gt 2 and executionInfo/exitCode le 3", True),
        ("executionInfo/exitCode lt 0 or executionInfo/exitCode gt 0", True),
        ("(executionInfo/exitCode lt 0) or (executionInfo/exitCode gt 0)", True),
        ("executionInfo/exitCode eq -3", False),
        ("creationTime gt DateTime'2025-01-31T12:00:00Z'", True),
        ("creationTime lt datetime'2025-02-01'", True),
        ("state eq 'active' or state eq 'completed' and id eq 'other'", False),
        ("(state eq 'completed' or state eq 'active') and not (id eq 'other')", True),
        ("not state eq 'active' and id eq 'task-7'", True),
        ("not not state eq 'completed'", True),
        ("state eq 'completed' AND NOT id eq 'x'", True),
        ("executionInfo/endTime eq null", True),
        ("executionInfo/exitCode ne null", True),
        ("executionInfo/endTime lt DateTime'2030-01-01'", False),
    ],
)
def test_a_filter_means_what_odata_says(text: str, expected: bool) -> None:
    assert holds(text, COMPLETED) is expected


def test_a_quote_in_a_text_is_doubled() -> None:
    assert holds("id eq 'it''s'", ACTIVE)
    assert not holds("id eq ''''", ACTIVE)


def test_a_time_may_be_given_as_seconds() -> None:
    assert holds("creationTime eq DateTime'2025-01-31T12:00:00Z'", ACTIVE)


def test_what_is_absent_is_neither_before_nor_after_anything_but_unequal() -> None:
    assert not holds("executionInfo/exitCode lt 1", ACTIVE)
    assert holds("executionInfo/exitCode ne 0", ACTIVE)


def test_yes_and_no_are_literals_too() -> None:
    assert holds("enableAutoScale eq true", {"enableAutoScale": True}, "pools")
    assert holds("enableAutoScale ne true", {"enableAutoScale": False}, "pools")


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("", 1, "a property is expected"),
        ("state", 6, "one of eq"),
        ("state eq", 9, "a text is expected"),
        ("state eq completed", 10, "a text is expected"),
        ("state eq 'a", 10, "no part of a filter"),
        ("State eq 'active'", 1, "'State' is none of"),
        ("commandLine eq 'x'", 1, "'commandLine' is none of"),
        ("state gt 'active'", 7, "only be compared by eq, ne"),
        ("startswith(state,'a')", 12, "only be compared by eq, ne"),
        ("startswith(id 'a')", 15, "startswith(property,'text')"),
        ("startswith(id,3)", 15, "startswith(property,'text')"),
        ("executionInfo/exitCode eq '0'", 27, "a number is expected"),
        ("executionInfo/exitCode eq 1x", 27, "no part of a filter"),
        ("creationTime gt '2025-01-01'", 17, "a time is expected"),
        ("creationTime gt DateTime'yesterday'", 17, "it is not a time"),
        ("state eq 'a' state eq 'b'", 14, "'and', 'or' or the end"),
        ("state eq 'a' and", 17, "a property is expected"),
        ("(state eq 'a'", 1, "never closed"),
        ("state eq 'a')", 13, "never opened"),
        ("state eq 'a' & id eq 'b'", 14, "no part of a filter"),
        ("contains(id,'a')", 1, "'contains' is none of"),
    ],
)
def test_what_is_no_filter_is_refused_with_its_place(text: str, position: int, says: str) -> None:
    with pytest.raises(InvalidQueryParameterValue) as caught:
        parse_filter(text, TASKS)
    assert caught.value.values["QueryParameterName"] == "$filter"
    assert caught.value.values["QueryParameterValue"] == text
    reason = caught.value.values["Reason"]
    assert reason.startswith(f"At character {position}: ")
    assert says in reason


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000 + "state eq 'completed'" + ")" * 100_000,
        "not " * 100_000 + "state eq 'completed'",
        " and ".join(["state eq 'completed'"] * 20_000),
    ],
)
def test_no_depth_exhausts_the_stack(text: str) -> None:
    assert holds(text, COMPLETED)


@given(st.text(max_size=40) | st.from_regex(r"(state|id|not|and|or|eq|'a'|\(|\)|,| ){1,12}", fullmatch=True))
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    with suppress(InvalidQueryParameterValue):
        assert parse_filter(text, TASKS)(COMPLETED.get) in {True, False}


@st.composite
def expressions(draw: st.DrawFn) -> tuple[str, str]:
    """A filter, and the same in Python."""
    text, code = draw(st.sampled_from([("state eq 'completed'", "True"), ("state eq 'active'", "False")]))
    for _ in range(draw(st.integers(0, 5))):
        other, meaning = draw(st.sampled_from([("id eq 'task-7'", "True"), ("id eq 'x'", "False")]))
        word = draw(st.sampled_from(["and", "or"]))
        if draw(st.booleans()):
            text, code = f"not ({text})", f"not ({code})"
        if draw(st.booleans()):
            text, code = f"({text}) {word} {other}", f"({code}) {word} {meaning}"
        else:
            text, code = f"{other} {word} {text}", f"{meaning} {word} {code}"
    return text, code


@given(expressions())
def test_operators_bind_as_they_do_in_python(expression: tuple[str, str]) -> None:
    text, code = expression
    assert holds(text, COMPLETED) is eval(code)


def test_the_documented_examples_of_each_list_are_filters() -> None:
    parse_filter("startswith(name,'wd/')", FILTERABLE["files"])
    parse_filter("poolId eq 'p'", FILTERABLE["nodecounts"])
    parse_filter("state eq 'starttaskfailed' or state eq 'preempted'", FILTERABLE["nodes"])
    parse_filter("verificationType eq 'verified' and osType eq 'linux'", FILTERABLE["supportedimages"])
    parse_filter("executionInfo/poolId eq 'p'", FILTERABLE["jobsofschedule"])


TASK: dict[str, Any] = {
    "id": "t",
    "url": "http://x",
    "state": "completed",
    "executionInfo": {"exitCode": 0, "retryCount": 0},
    "resourceFiles": [{"httpUrl": "u"}],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, TASK),
        ("", TASK),
        ("*", TASK),
        ("state,id", {"id": "t", "state": "completed"}),
        (" id , executionInfo/exitCode ", {"id": "t", "executionInfo": {"exitCode": 0}}),
        ("executionInfo/exitCode,executionInfo", {"executionInfo": TASK["executionInfo"]}),
        ("executionInfo/failureInfo", {}),
        ("nodeInfo,id", {"id": "t"}),
        ("resourceFiles", {"resourceFiles": [{"httpUrl": "u"}]}),
    ],
)
def test_a_selection_keeps_what_it_names(text: str | None, expected: dict[str, Any]) -> None:
    assert select(TASK, parse_select(text, SELECTABLE["tasks"])) == expected


@pytest.mark.parametrize("text", ["ID", "nothing", "id,executioninfo", "executionInfo//exitCode", "/id"])
def test_a_selection_of_what_there_never_is_is_refused(text: str) -> None:
    with pytest.raises(InvalidQueryParameterValue) as caught:
        parse_select(text, SELECTABLE["tasks"])
    assert caught.value.values["QueryParameterName"] == "$select"


def test_only_statistics_can_be_expanded() -> None:
    assert parse_expand(None) == frozenset()
    assert parse_expand("stats") == {"stats"}
    with pytest.raises(InvalidQueryParameterValue):
        parse_expand("stats,nodes")


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("pools", models.BatchPool),
        ("jobs", models.BatchJob),
        ("jobschedules", models.BatchJobSchedule),
        ("tasks", models.BatchTask),
        ("nodes", models.BatchNode),
        ("subtasksinfo", models.BatchSubtask),
        ("extensions", models.BatchNodeVMExtension),
        ("jobpreparationandreleasetaskstatus", models.BatchJobPreparationAndReleaseTaskStatus),
    ],
)
def test_selectable_is_what_the_official_model_has(path: str, model: Any) -> None:
    model({})  # the model's fields are looked up at its first use
    assert {field._rest_name for field in model._attr_to_rest_field.values()} == SELECTABLE[path]
