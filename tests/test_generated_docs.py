"""The pages that are generated say what the code says."""

import importlib.util
from pathlib import Path

from batch_emulator import lifecycle
from batch_emulator.operations import OPERATIONS, UNLIKE, Evidence

GENERATOR = Path(__file__).resolve().parents[1] / "docs" / "generate.py"


def test_the_generated_pages_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("generate", GENERATOR)
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert not generate.stale(), "run docs/generate.py"


def test_the_pages_hold_every_operation_and_every_state() -> None:
    coverage = (GENERATOR.parent / "emulator-coverage.md").read_text(encoding="utf-8")
    diagrams = (GENERATOR.parent / "lifecycles.md").read_text(encoding="utf-8")
    assert all(f"| `{one.name}` | {one.method} `{one.path}` |" in coverage for one in OPERATIONS)
    assert all(
        f"    {state.value} --> " in diagrams for state in lifecycle.NodeState if lifecycle.NODE[state]
    )


def test_every_operation_of_the_service_is_carried_out_and_has_a_source() -> None:
    names = [one.name for one in OPERATIONS]
    assert len(names) == len(set(names)) == 72
    assert all(one.handler is not None for one in OPERATIONS)
    assert {one.evidence for one in OPERATIONS} == set(Evidence)
    assert set(UNLIKE) <= set(names)
