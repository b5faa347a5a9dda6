"""The flow's parameters: what the form shows, and what is refused before anything is created."""

from pathlib import Path
from typing import Any

import pytest
from prefect.exceptions import ParameterTypeError
from prefect.utilities.callables import parameter_schema

from batch_tasks.errors import InputError
from batch_tasks.options import CleanUpPolicy, PoolOptions, RunOptions
from flows.pipeline import plan_run
from flows.top_n_words import top_n_words, top_n_words_workload


def validated(**parameters: Any) -> dict[str, Any]:
    return top_n_words.validate_parameters({"input_files": ["a.txt"], **parameters})


def test_the_form_shows_titles_bounds_and_groups() -> None:
    schema = parameter_schema(top_n_words).model_dump()
    properties, groups = schema["properties"], schema["definitions"]
    assert schema["required"] == ["input_files"]
    assert properties["n"]["minimum"] == 1
    assert properties["n"]["default"] == 3
    assert properties["input_files"]["type"] == "array"
    assert {"PoolOptions", "CleanUpPolicy"} <= set(groups)
    assert groups["PoolOptions"]["properties"]["dedicated_nodes"]["maximum"] == 1000
    for fields in (properties, groups["PoolOptions"]["properties"], groups["CleanUpPolicy"]["properties"]):
        assert all(field.get("title") not in {None, name} for name, field in fields.items())
        assert all(field.get("description") for field in fields.values())


def test_the_form_has_one_plain_field_for_each_parameter() -> None:
    """Of several types Prefect's form makes tabs, called as Python calls the types."""
    schema = parameter_schema(top_n_words).model_dump(exclude_none=True)
    for group in (schema, *schema["definitions"].values()):
        assert [name for name, field in group["properties"].items() if "anyOf" in field] == []


def test_nothing_is_taken_for_a_setting_that_is_left_empty() -> None:
    values = validated(account=None, pool={"max_cost": None, "expected_minutes": None})
    assert values["account"] == ""
    assert values["pool"] == PoolOptions()


def test_every_setting_has_a_word_of_help() -> None:
    for group in (PoolOptions, CleanUpPolicy):
        for name, field in group.model_fields.items():
            assert field.description, name


@pytest.mark.parametrize(
    "wrong",
    [
        {"n": 0},
        {"n": "many"},
        {"input_files": []},
        {"pool": {"dedicated_nodes": 0}},
        {"pool": {"dedicated_nodes": -1}},
        {"pool": {"nodes": 2}},
        {"pool": {"vm_size": "a b"}},
        {"clean_up": {"everything": True}},
        {"words": 3},
    ],
)
def test_wrong_values_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((ParameterTypeError, TypeError)):
        validated(**wrong)


def test_plain_values_become_groups() -> None:
    values = validated(n=5, pool={"dedicated_nodes": 4}, clean_up={"pool": False})
    assert values["pool"] == PoolOptions(dedicated_nodes=4)
    assert values["clean_up"] == CleanUpPolicy(pool=False)


def test_a_plan_has_a_task_for_each_file(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("words")
    plan = plan_run(top_n_words_workload(5), [str(tmp_path)], RunOptions(output_dir=str(tmp_path / "out")))
    count = 'python3 -I -S "$TASK_FILES_DIR/top_n_words.py" --n 5 --encoding utf-8'
    assert [file.run.command for file in plan.files] == [
        f"{count} --output a_OUTPUT.txt -- a.txt",
        f"{count} --output b_OUTPUT.txt -- b.txt",
    ]
    assert not (tmp_path / "out").exists()


def test_all_problems_of_a_run_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError) as refused:
        plan_run(
            top_n_words_workload(3),
            [str(tmp_path / "missing"), str(tmp_path / "*.none")],
            RunOptions(output_dir=str(tmp_path / "file" / "out")),
        )
    assert len(refused.value.problems) == 3


def test_an_output_never_replaces_an_input(tmp_path: Path) -> None:
    for name in ("a.txt", "a_OUTPUT.txt"):
        (tmp_path / name).write_text("words")
    with pytest.raises(InputError, match="would replace an input"):
        plan_run(top_n_words_workload(3), [str(tmp_path)], RunOptions(output_dir=str(tmp_path)))
