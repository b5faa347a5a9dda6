"""Containers, signed URLs, uploads and retrieval, against a real blob store."""

import hashlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError

from batch_tasks import naming
from batch_tasks.clean_up import delete_resources
from batch_tasks.clients import blob_service, read_blob_url, signed_in, write_container_url
from batch_tasks.create_containers import create_containers
from batch_tasks.errors import AccountError, CleanUpFailed, InputError, RunClosing
from batch_tasks.options import CleanUpPolicy
from batch_tasks.patience import Patience, open_run
from batch_tasks.plan import RunPlan
from batch_tasks.progress import Progress, watching
from batch_tasks.report import FinishedTask, RunReport
from batch_tasks.retrieve_outputs import partial_file, retrieve_outputs
from batch_tasks.settings import Account
from batch_tasks.upload_inputs import stored_blobs, upload_inputs
from batch_tasks.workload import Workload
from tests.web import client

pytestmark = pytest.mark.usefixtures("storage")
MakePlan = Callable[..., RunPlan]
AWKWARD = [
    "a b.txt",
    "#1?.txt",
    "100%.txt",
    "new\nline.txt",
    'it\'s "q".txt',
    "日本 🎈.txt",
    "\\.txt",
    "end.",
    "x" * 200,
]
SOON = timedelta(minutes=5)


@pytest.fixture
def plan(tmp_path: Path, make_plan: MakePlan) -> RunPlan:
    """Inputs of awkward names, in containers of their own."""
    for name in AWKWARD:
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_text(name)
    made = make_plan([str(tmp_path / "in")])
    create_containers.fn(made.names, made.metadata)
    return made


def put(plan: RunPlan, blob: str, data: bytes) -> None:
    blob_service().get_blob_client(plan.names.output_container, blob).upload_blob(data, overwrite=True)


def run_on_a_node(
    plan: RunPlan, *, failing: str = "", damaged: str = "", lost: str = ""
) -> list[FinishedTask]:
    """Put into storage what the tasks of this plan would leave there."""
    finished = []
    for task in plan.tasks:
        entries: list[dict[str, Any]] = []
        for file in task.files:
            data = f"output of {file.input.key}".encode()
            (output,) = file.outputs
            told = {"keep": output.keep, "size": len(data), "md5": hashlib.md5(data).hexdigest()}
            failed = file.input.key == failing
            if file.input.key == damaged:
                data = data[::-1]
            if not failed and file.input.key != lost:
                put(plan, naming.output_blob(output.path), data)
            entries.append(
                {
                    "name": file.input.key,
                    "state": "failed" if failed else "succeeded",
                    "exit_code": 3 if failed else 0,
                    "reason": "exit code 3" if failed else "",
                    "seconds": 0.5,
                    "stderr_tail": "it broke" if failed else "",
                    "outputs": [] if failed else [told],
                }
            )
        put(plan, naming.result_blob(task.task_id), json.dumps({"files": entries}).encode())
        ok = all(entry["state"] == "succeeded" for entry in entries)
        finished.append(FinishedTask(task.task_id, ok, "node-1", 0 if ok else 3))
    return finished


def retrieve(plan: RunPlan, finished: list[FinishedTask], folder: Path) -> RunReport:
    return retrieve_outputs.fn(plan, finished, str(folder))


def tree(folder: Path) -> dict[str, str]:
    """What came down, and where; without what the run notes of itself."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_text() for name, path in files.items() if not name.startswith(".runs/")}


class TestContainers:
    def test_both_are_made_and_say_whose_they_are(self, plan: RunPlan) -> None:
        for name in (plan.names.input_container, plan.names.output_container):
            properties = blob_service().get_container_client(name).get_container_properties()
            assert properties.metadata == plan.metadata

    def test_making_them_again_is_fine(self, plan: RunPlan) -> None:
        create_containers.fn(plan.names, plan.metadata)

    def test_clean_up_goes_on_past_what_it_cannot_delete_and_can_run_twice(
        self, plan: RunPlan, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("batch_tasks.clean_up.CLEANING", Patience(budget=0))
        policy = CleanUpPolicy(pool=False, output_container=False)
        for _ in range(2):
            # No Batch account is there to end the job: that is told, and the container still goes.
            with pytest.raises(CleanUpFailed, match=f"job {plan.names.job_id}"):
                delete_resources(plan.names, policy)
        with pytest.raises(ResourceNotFoundError):
            blob_service().get_container_client(plan.names.input_container).get_container_properties()
        assert stored_blobs(plan.names.output_container) == {}


class TestSignedUrls:
    def test_a_read_url_reads_its_blob_and_nothing_else(self, plan: RunPlan) -> None:
        put(plan, "outputs/a %23#?é", b"one")
        put(plan, "other", b"two")
        until = datetime.now(UTC) + SOON
        url = read_blob_url(plan.names.output_container, "outputs/a %23#?é", until)
        assert client().get(url).content == b"one"
        assert client().put(url, content=b"x", headers={"x-ms-blob-type": "BlockBlob"}).status_code == 403
        path, _, signature = url.partition("?")
        other = path.rsplit("/outputs/", 1)[0] + "/other"
        assert client().get(f"{other}?{signature}").status_code == 403

    def test_a_write_url_writes_and_can_neither_read_nor_list_nor_delete(self, plan: RunPlan) -> None:
        container, _, signature = write_container_url(
            plan.names.output_container, datetime.now(UTC) + SOON
        ).partition("?")
        blob = f"{container}/new?{signature}"
        assert client().put(blob, content=b"x", headers={"x-ms-blob-type": "BlockBlob"}).status_code == 201
        assert client().get(blob).status_code == 403
        assert client().delete(blob).status_code == 403
        assert client().get(f"{container}?restype=container&comp=list&{signature}").status_code == 403

    def test_a_url_ends_when_it_should(self, plan: RunPlan) -> None:
        put(plan, "a", b"one")
        url = read_blob_url(plan.names.output_container, "a", datetime.now(UTC) - timedelta(minutes=1))
        assert client().get(url).status_code == 403

    def test_entra_id_cannot_sign_for_more_than_seven_days(self) -> None:
        account = Account(
            batch_endpoint="https://b", batch_account="b", blob_endpoint="https://s", storage_account="s"
        )
        with signed_in(account), pytest.raises(AccountError, match="at most 7 days"):
            write_container_url("c", datetime.now(UTC) + timedelta(days=8))


class TestUpload:
    def test_every_input_and_script_arrives_as_it_is(self, plan: RunPlan) -> None:
        seen: list[Progress] = []
        with watching(seen.append):
            assert upload_inputs.fn(plan) == len(AWKWARD) + 1
        assert max(step.done for step in seen) == len(AWKWARD) + 1
        container = blob_service().get_container_client(plan.names.input_container)
        for file in plan.files:
            blob = container.download_blob(naming.input_blob(file.input.key))
            assert blob.readall().decode() == file.input.key
        assert b"RUN_FILES" in container.download_blob("node/run_files.py").readall()

    def test_what_is_there_already_is_not_sent_again(self, plan: RunPlan) -> None:
        upload_inputs.fn(plan)
        changed = next(iter(plan.files)).input.path
        Path(changed).write_bytes(Path(changed).read_bytes()[::-1])
        assert upload_inputs.fn(plan) == 1
        assert upload_inputs.fn(plan) == 0

    def test_a_large_file_goes_in_blocks_and_arrives_whole(self, tmp_path: Path, make_plan: MakePlan) -> None:
        data = os.urandom(1 << 20) * 70
        (tmp_path / "large").write_bytes(data)
        plan = make_plan([str(tmp_path / "large")])
        create_containers.fn(plan.names, plan.metadata)
        upload_inputs.fn(plan)
        stored = stored_blobs(plan.names.input_container)["inputs/large"]
        assert (stored.size, stored.md5) == (len(data), hashlib.md5(data).hexdigest())
        assert upload_inputs.fn(plan) == 0
        (tmp_path / "large").unlink()  # at the end of the session all files are looked through for secrets

    def test_an_input_that_vanished_is_named(self, plan: RunPlan) -> None:
        Path(next(iter(plan.files)).input.path).unlink()
        with pytest.raises(InputError, match="cannot be read any more"):
            upload_inputs.fn(plan)

    def test_a_closing_run_sends_nothing_more(self, plan: RunPlan) -> None:
        with open_run() as closing:
            closing.set()
            with pytest.raises(RunClosing):
                upload_inputs.fn(plan)
        assert stored_blobs(plan.names.input_container) == {}


class TestRetrieve:
    def test_outputs_come_into_the_output_folder_whatever_they_are_called(
        self, plan: RunPlan, tmp_path: Path
    ) -> None:
        report = retrieve(plan, run_on_a_node(plan), tmp_path / "out")
        assert report.failed == ()
        assert tree(tmp_path / "out") == {
            file.outputs[0].path: f"output of {file.input.key}" for file in plan.files
        }
        assert [file.key for file in report.files] == [file.input.key for file in plan.files]
        json.dumps(report.as_dict())

    def test_a_failed_file_is_told_with_its_last_words_and_the_others_come(
        self, plan: RunPlan, tmp_path: Path
    ) -> None:
        report = retrieve(plan, run_on_a_node(plan, failing="a b.txt"), tmp_path / "out")
        (failed,) = report.failed
        assert (failed.key, failed.exit_code, failed.stderr_tail) == ("a b.txt", 3, "it broke")
        assert len(tree(tmp_path / "out")) == len(AWKWARD) - 1

    @pytest.mark.parametrize("trouble", ["damaged", "lost"])
    def test_an_output_that_is_not_whole_fails_its_file_alone(
        self, plan: RunPlan, tmp_path: Path, trouble: str
    ) -> None:
        report = retrieve(plan, run_on_a_node(plan, **{trouble: "100%.txt"}), tmp_path / "out")
        (failed,) = report.failed
        assert failed.key == "100%.txt"
        assert "100%_OUTPUT.txt" in failed.reason
        assert len(tree(tmp_path / "out")) == len(AWKWARD) - 1

    def test_a_task_without_a_word_from_its_node_is_told_with_batchs_reason(
        self, plan: RunPlan, tmp_path: Path
    ) -> None:
        task = plan.tasks[0]
        put(plan, f"{naming.log_prefix(task.task_id)}/stderr.txt", b"last words")
        finished = [FinishedTask(task.task_id, False, failure="BlobNotFound: One of the blobs is not found")]
        report = retrieve(plan, finished, tmp_path / "out")
        assert "BlobNotFound" in report.files[0].reason
        assert report.files[0].stderr_tail == "last words"
        assert {file.state for file in report.files[1:]} == {"not run"}

    def test_what_is_here_already_is_not_fetched_again(self, plan: RunPlan, tmp_path: Path) -> None:
        finished = run_on_a_node(plan)
        retrieve(plan, finished, tmp_path / "out")
        times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
        (tmp_path / "out" / "a b_OUTPUT.txt").write_text("changed meanwhile....")
        retrieve(plan, finished, tmp_path / "out")
        now = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
        assert [path.name for path in times if now[path] != times[path]] == ["a b_OUTPUT.txt"]
        assert (tmp_path / "out" / "a b_OUTPUT.txt").read_text() == "output of a b.txt"

    def test_a_folder_in_the_way_fails_the_file_and_stays(self, plan: RunPlan, tmp_path: Path) -> None:
        (tmp_path / "out" / "a b_OUTPUT.txt" / "precious").mkdir(parents=True)
        report = retrieve(plan, run_on_a_node(plan), tmp_path / "out")
        (failed,) = report.failed
        assert "cannot write" in failed.reason
        assert (tmp_path / "out" / "a b_OUTPUT.txt" / "precious").is_dir()

    def test_several_files_of_a_task_are_told_apart(self, tmp_path: Path, make_plan: MakePlan) -> None:
        for number in range(5):
            (tmp_path / f"{number}.txt").write_text("x")
        plan = make_plan([str(tmp_path / "*.txt")], files_per_task=3)
        create_containers.fn(plan.names, plan.metadata)
        report = retrieve(plan, run_on_a_node(plan, failing="1.txt"), tmp_path / "out")
        assert [file.key for file in report.failed] == ["1.txt"]
        assert len(tree(tmp_path / "out")) == 4

    def test_what_a_pattern_found_keeps_its_folders(self, tmp_path: Path, make_plan: MakePlan) -> None:
        (tmp_path / "a.txt").write_text("x")
        plan = make_plan([str(tmp_path / "a.txt")], Workload(name="test", command="x", outputs=("**/*.gz",)))
        create_containers.fn(plan.names, plan.metadata)
        put(plan, "outputs/a.txt.outputs/deep/1.gz", b"zipped")
        told = {"keep": "outputs/0-0/deep/1.gz", "size": 6, "md5": hashlib.md5(b"zipped").hexdigest()}
        entry = {"name": "a.txt", "state": "succeeded", "exit_code": 0, "outputs": [told]}
        put(plan, naming.result_blob(plan.tasks[0].task_id), json.dumps({"files": [entry]}).encode())
        report = retrieve(plan, [FinishedTask(plan.tasks[0].task_id, True)], tmp_path / "out")
        assert report.failed == ()
        assert tree(tmp_path / "out") == {"a.txt.outputs/deep/1.gz": "zipped"}


def test_two_runs_into_one_folder_download_beside_each_other(tmp_path: Path) -> None:
    longest = tmp_path / ("x" * 255)
    one, other = (partial_file(longest, f"run-{number}-outputs") for number in (1, 2))
    assert one != other
    assert one.parent == other.parent == tmp_path
    assert len(one.name) < 64
    assert partial_file(longest, "run-1-outputs") == one
