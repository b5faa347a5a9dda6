"""Microsoft's own tests of azure-batch pass against the emulator, and every answer is as described."""

import os
from pathlib import Path
from urllib.error import URLError

import pytest

from tests.conformance.openapi import Description
from tests.sdk_suite import their_tests

pytestmark = pytest.mark.waits(seconds=8)

COLLECTED = 46
"""How many tests azure-batch 15.1.0 brings: 16 with a service, sync and async, and 14 without."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> their_tests.Run:
    """One run of all of them."""
    try:
        tests = their_tests.fetch()
    except URLError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(f"Microsoft's tests cannot be downloaded here: {error}")
    return their_tests.run(tests, tmp_path_factory.mktemp("sdk_suite"))


def test_all_of_them_pass(run: their_tests.Run) -> None:
    failed = [f"{one['test']}\n{one['text']}" for one in run.outcomes if not one["passed"]]
    assert not failed, "\n\n".join(failed)
    assert len(run.outcomes) == COLLECTED, run.output


def test_every_answer_meanwhile_is_as_the_official_description_says(run: their_tests.Run) -> None:
    file = os.environ.get("BATCH_OPENAPI")
    if not file:
        pytest.skip("BATCH_OPENAPI names no description")
    description = Description(Path(file))
    answers = [one for one in run.answers if not one["path"].startswith("/_emulator/")]
    assert len(answers) > 300
    findings = [
        f"{one['method']} {one['path']}: {text}"
        for one in answers
        for text in description.findings(one["method"], one["path"], one["status"], one["body"])
    ]
    assert not findings, "\n".join(findings)
