"""A workload of one's own is one short file."""

import inspect
from pathlib import Path

import pytest
from prefect.exceptions import ParameterTypeError

from batch_tasks.options import PoolOptions
from batch_tasks.settings import Account
from tests.workloads import line_count


def test_a_workload_of_at_most_20_lines_runs_end_to_end(on_account: Account, tmp_path: Path) -> None:
    assert len(inspect.getsource(line_count).splitlines()) <= 20
    (tmp_path / "a.txt").write_text("1\n2\n3\n")
    report = line_count.line_count([str(tmp_path / "a.txt")], PoolOptions(), output_dir=str(tmp_path / "out"))
    assert len(report.succeeded) == 1
    assert (tmp_path / "out" / "a.lines").read_text().split() == ["3"]


@pytest.mark.parametrize("wrong", [{"input_files": []}, {"pool": {"dedicated_nodes": -1}}])
def test_its_parameters_are_checked_as_all_others(wrong: dict[str, object]) -> None:
    with pytest.raises(ParameterTypeError):
        line_count.line_count.validate_parameters({"input_files": ["a"], "pool": {}, **wrong})
