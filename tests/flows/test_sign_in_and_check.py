"""A whole run without any key, and a run that is only checked."""

from collections.abc import Callable
from pathlib import Path

import pytest

from batch_tasks.clients import batch_client, blob_service, signed_in
from batch_tasks.errors import AccountError, PreFlightFailed
from batch_tasks.options import PoolOptions
from batch_tasks.settings import Account
from flows.top_n_words import top_n_words
from tests.conformance.own_emulator import Control
from tests.signing import environment_of
from tests.tokens import UnsignedTokens

pytestmark = pytest.mark.usefixtures("prefect_server")


def left_in(account: Account) -> list[str]:
    with signed_in(account):
        found = [pool.id for pool in batch_client().list_pools() if pool.state != "deleting"]
        found += [job.id for job in batch_client().list_jobs() if job.state != "deleting"]
        found += [container.name for container in blob_service().list_containers()]
    return [name for name in found if name.startswith("top-n-words-")]


@pytest.fixture
def text(tmp_path: Path) -> str:
    (tmp_path / "a.txt").write_text("one two one")
    return str(tmp_path / "a.txt")


@pytest.fixture
def token_account_in_environment(
    token_account: Account, signed_in_by_token: UnsignedTokens, monkeypatch: pytest.MonkeyPatch
) -> Account:
    for name, value in environment_of(token_account).items():
        monkeypatch.setenv(name, value)
    return token_account


def test_a_whole_run_needs_no_key(token_account_in_environment: Account, text: str, tmp_path: Path) -> None:
    report = top_n_words([text], n=1, merge=True, output_dir=str(tmp_path / "out"))
    assert [file.key for file in report.succeeded] == ["a.txt"]
    assert "one:\t2\n" in (tmp_path / "out" / "a_OUTPUT.txt").read_text()
    assert left_in(token_account_in_environment) == []


def test_a_run_that_is_only_checked_makes_nothing(
    account_in_environment: Account, text: str, tmp_path: Path
) -> None:
    report = top_n_words([text], output_dir=str(tmp_path / "out"), check_only=True)
    assert report.files == ()
    assert not (tmp_path / "out").exists()
    assert left_in(account_in_environment) == []


def test_a_run_that_cannot_go_well_ends_before_it_makes_anything(
    account_in_environment: Account, text: str, tmp_path: Path
) -> None:
    pool = PoolOptions(vm_size="Standard_NC6s_v3", task_slots_per_node=250)
    with pytest.raises(PreFlightFailed, match="2 problems"):
        top_n_words([text], output_dir=str(tmp_path / "out"), pool=pool)
    assert not (tmp_path / "out").exists()
    assert left_in(account_in_environment) == []


@pytest.fixture
def control(account: Account) -> Callable[..., int]:
    return Control(account.batch_endpoint).fault


def test_a_right_that_turns_out_to_be_missing_later_is_named_too(
    account_in_environment: Account, control: Callable[..., int], text: str, tmp_path: Path
) -> None:
    fault = control("denied", operation="create_job", next=1)
    with pytest.raises(AccountError, match="Azure Batch Data Contributor"):
        top_n_words([text], output_dir=str(tmp_path / "out"))
    assert Control(account_in_environment.batch_endpoint).struck(fault) == 1
    assert left_in(account_in_environment) == []
