"""The command `collect-garbage`, on a real account and a Prefect server."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from batch_tasks.clean_up import delete_container
from batch_tasks.clients import blob_service, signed_in
from batch_tasks.naming import RunNames, metadata
from batch_tasks.settings import Account
from flows.command_line import collect_garbage


def test_help_answers_without_prefect(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        collect_garbage(["--help"])
    assert ended.value.code == 0
    assert "--dry-run" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--silent-minutes", "soon"], ["--account", "environment"]])
def test_what_cannot_be_used_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert collect_garbage(words) == 2
    assert capsys.readouterr().err != ""


def test_without_an_account_there_is_nothing_to_collect(capsys: pytest.CaptureFixture[str]) -> None:
    assert collect_garbage([]) == 0
    assert "nothing to collect" in capsys.readouterr().err


def test_what_a_run_of_nobody_left_past_its_time_is_told_and_then_deleted(
    account_in_environment: Account, prefect_server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = RunNames.of("copy", uuid4())
    over = datetime.now(UTC) - timedelta(hours=2)
    soon = datetime.now(UTC) + timedelta(hours=2)
    living = RunNames.of("copy", uuid4())
    with signed_in(account_in_environment):
        blob_service().create_container(names.input_container, metadata=dict(metadata(names, over, over)))
        blob_service().create_container(living.input_container, metadata=dict(metadata(living, over, soon)))
    try:
        assert collect_garbage(["--dry-run"]) == 0
        told = capsys.readouterr().out
        assert f"container {names.input_container}: would be deleted" in told
        assert f"container {living.input_container}: left alone" in told
        assert collect_garbage([]) == 0
        assert f"container {names.input_container}: deleted" in capsys.readouterr().out
        assert collect_garbage([]) == 0
        assert names.input_container not in capsys.readouterr().out
    finally:
        with signed_in(account_in_environment):
            delete_container(living.input_container)
