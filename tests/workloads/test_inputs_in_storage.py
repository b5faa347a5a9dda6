"""Inputs that are in storage already are read where they are: not a byte of them is uploaded."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from jsonschema import Draft202012Validator
from prefect import get_client
from prefect.utilities.callables import parameter_schema

from batch_tasks.clients import blob_service, read_container_url, signed_in
from batch_tasks.errors import InputError
from batch_tasks.options import PoolOptions
from batch_tasks.settings import Account
from flows.top_n_words import top_n_words
from tests.leaks.session import FINDER
from tests.workloads.counting_proxy import Counter, counting_proxy

TEXTS = {"a.txt": "one two one", "deep/b c.txt": "three three", "deep/er/#1%.txt": "four", "other/d.txt": "x"}


@pytest.fixture
def counter(on_account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter]:
    """Counts all requests to the store that the flow's account names."""
    with counting_proxy(on_account.blob_endpoint) as counter:
        monkeypatch.setenv("AZURE_STORAGE_SERVICE_ENDPOINT", counter.endpoint)
        yield counter


@pytest.fixture
def books(on_account: Account, counter: Counter) -> str:
    """The URL of a container of texts, through the counting proxy."""
    name = f"books-{uuid4().hex}"
    container = blob_service().create_container(name)
    for path, text in TEXTS.items():
        container.upload_blob(path, text)
    return f"{counter.endpoint}/{name}"


def sent_as_inputs(counter: Counter) -> list[str]:
    return [
        request.path for request in counter.requests if request.method == "PUT" and "/inputs/" in request.path
    ]


def test_a_container_by_url_is_not_uploaded_again(books: str, counter: Counter, tmp_path: Path) -> None:
    report = top_n_words([books], n=1, output_dir=str(tmp_path / "out"))
    assert {file.key for file in report.succeeded} == set(TEXTS)
    assert "three:\t2\n" in (tmp_path / "out" / "deep" / "b c_OUTPUT.txt").read_text()
    assert sent_as_inputs(counter) == []
    assert any("/node/top_n_words.py" in request.path for request in counter.requests)
    reads = [request for request in counter.requests if request.method == "GET" and "/books-" in request.path]
    assert len([request for request in reads if request.path.endswith(".txt")]) == len(TEXTS)


def test_a_prefix_and_a_file_from_here_go_together(books: str, counter: Counter, tmp_path: Path) -> None:
    (tmp_path / "here.txt").write_text("local")
    report = top_n_words([f"{books}/deep", str(tmp_path / "here.txt")], output_dir=str(tmp_path / "out"))
    assert [file.key for file in report.succeeded] == ["b c.txt", "er/#1%.txt", "here.txt"]
    (sent,) = sent_as_inputs(counter)
    assert sent.endswith("/inputs/here.txt")


def test_a_list_may_hold_urls_with_their_own_signature(
    books: str, on_account: Account, tmp_path: Path
) -> None:
    name = books.rpartition("/")[2]
    with signed_in(on_account):
        longest = timedelta(hours=PoolOptions().max_hours + 1)
        query = read_container_url(name, datetime.now(UTC) + longest).partition("?")[2]
    FINDER.knows_input(str(tmp_path / "list"))
    (tmp_path / "list").write_text(f"{books}/other?{query}\n{books}/a.txt\n")
    report = top_n_words([f"@{tmp_path / 'list'}"], output_dir=str(tmp_path / "out"))
    assert [file.key for file in report.succeeded] == ["d.txt", "a.txt"]
    assert "sig=" not in repr(report)
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(UUID(report.flow_run_id))
    assert "sig=" not in f"{run.name} {run.parameters}"


def test_a_signed_url_as_a_parameter_is_refused_by_form_and_flow(books: str, tmp_path: Path) -> None:
    # Prefect stores what it was given, and the word is none that its database is searched for.
    signed = f"{books}/other?sv=1&sig=SIGNATURE"
    form = Draft202012Validator(parameter_schema(top_n_words).model_dump(exclude_none=True))
    assert form.is_valid({"input_files": [f"{books}/other?sv=1", "a?sig=b", "@list"]})
    assert not form.is_valid({"input_files": [signed]})
    with pytest.raises(InputError, match="brings a signature") as refused:
        top_n_words([signed], output_dir=str(tmp_path / "out"))
    assert "SIGNATURE" not in str(refused.value)


def test_what_is_not_there_is_refused_before_anything_is_made(books: str, tmp_path: Path) -> None:
    before = [container.name for container in blob_service().list_containers()]
    with pytest.raises(InputError, match="There is no blob"):
        top_n_words([f"{books}/nowhere"], output_dir=str(tmp_path / "out"))
    assert [container.name for container in blob_service().list_containers()] == before
