"""A service that throttles, breaks down, drops connections and loses answers: each file still runs once.

30 % of requests are refused with 429 or 503, others break after they were carried out, an
add-collection is applied but times out, single tasks are refused with server errors.
"""

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from azure.batch.models import BatchTaskCreateOptions

from batch_tasks.clean_up import delete_resources
from batch_tasks.clients import blob_service, signed_in
from batch_tasks.create_containers import create_containers
from batch_tasks.create_job import create_job
from batch_tasks.options import CleanUpPolicy, PoolOptions
from batch_tasks.patience import Patience, patient_list
from batch_tasks.plan import RunPlan
from batch_tasks.poll_tasks import Rhythm, poll_tasks
from batch_tasks.provision_pool import provision_pool
from batch_tasks.retrieve_outputs import retrieve_outputs
from batch_tasks.submit_tasks import add_tasks, chunks, submit_tasks
from batch_tasks.unfinished import JobEnded
from batch_tasks.upload_inputs import upload_inputs
from batch_tasks.workload import Workload
from flows.local_stack.azurite import BlobAccount
from tests.conformance.own_emulator import Control, running
from tests.fault_proxy import Fault, faulty
from tests.signing import account_of

pytestmark = pytest.mark.waits(seconds=12)

OFTEN = Rhythm(shortest=0.05, longest=0.2)
FILES = 40
MANY = 250
BY_NODES = "*sig=*"
"""Requests by signed URLs, which are the nodes' own to repeat."""


@pytest.fixture
def control(azurite: BlobAccount) -> Iterator[Control]:
    """An emulator of the test's own, whose faults are drawn the same each time; signed in to it."""
    with running("--seed", "hard times") as batch, signed_in(account_of(azurite, batch)):
        yield Control(batch.endpoint)


@pytest.fixture
def plan(tmp_path: Path, make_plan: Callable[..., RunPlan]) -> Iterator[RunPlan]:
    (tmp_path / "in").mkdir()
    for number in range(FILES):
        (tmp_path / "in" / f"{number}.txt").write_text(str(number))
    made = make_plan([str(tmp_path / "in")], Workload("test", "cp {input} {output}", ("{stem}_OUT{suffix}",)))
    yield made
    delete_resources(made.names, CleanUpPolicy())


def test_each_file_runs_once_in_hard_times(
    control: Control, plan: RunPlan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faults = [
        control.fault("throttled", probability=0.15, retry_after=0),
        control.fault("server_busy", probability=0.15, retry_after=0),
        control.fault("dropped", probability=0.05, applied=True),
        control.fault("dropped", probability=0.05),
        control.fault("timed_out", operation="create_task_collection", next=1),
        control.fault("task_server_error", probability=0.1),
    ]
    create_containers.fn(plan.names, plan.metadata)
    provision_pool.fn(plan, PoolOptions(dedicated_nodes=2, task_slots_per_node=4))
    upload_inputs.fn(plan)
    create_job.fn(plan)
    submit_tasks.fn(plan)
    finished = poll_tasks.fn(plan, OFTEN, OFTEN)
    struck = [control.struck(number) for number in faults]
    asked = control.ask("GET", f"faults/{faults[0]}").json()["faults"][0]["seen"]
    assert control.ask("DELETE", "faults").status_code == 204
    report = retrieve_outputs.fn(plan, finished, str(tmp_path / "out"))
    assert report.failed == ()
    done = [one for line in control.events() for one in line["instructions"] if one["name"] == "RunTask"]
    runs = Counter(one["task"] for one in done)
    assert (len(runs), set(runs.values())) == (FILES, {1})
    assert sorted(task.attempts for task in finished) == [1] * FILES
    assert struck[0] + struck[1] > 0
    assert struck[4] == 1
    with capsys.disabled():
        print(f"\n{FILES} files took {asked} requests; faults struck {struck}")


def test_many_tasks_over_several_requests_get_in_once_each(
    azurite: BlobAccount,
    tmp_path: Path,
    make_plan: Callable[..., RunPlan],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # A hundred such tasks are too large for a request; that they are is left to Batch to say.
    monkeypatch.setattr("batch_tasks.submit_tasks.chunks", partial(chunks, most_bytes=10**9))
    sizes: list[int] = []

    def counted(job_id: str, chunk: list[BatchTaskCreateOptions]) -> None:
        sizes.append(len(chunk))
        add_tasks(job_id, chunk)

    monkeypatch.setattr("batch_tasks.submit_tasks.add_tasks", counted)
    workload = Workload("test", "true {input}", ("{stem}.out",), environment={"LARGE": "x" * 12_000})
    for number in range(MANY):
        (tmp_path / f"{number}.txt").write_text("x")
    plan = make_plan([str(tmp_path)], workload)
    with (
        running("--seed", "many", "--simulate", "--time-scale", "20") as batch,
        signed_in(account_of(azurite, batch)),
    ):
        control = Control(batch.endpoint)
        create_job.fn(plan, provision_pool.fn(plan, PoolOptions(dedicated_nodes=4, task_slots_per_node=8)))
        requests = control.fault("slow", operation="create_task_collection", seconds=0)
        faults = {
            "partly added": control.fault("partial_add", added=20, every=3),
            "added, timed out": control.fault("timed_out", operation="create_task_collection", every=5),
            "throttled": control.fault(
                "throttled", operation="create_task_collection", every=4, retry_after=1
            ),
            "refused singly": control.fault("task_server_error", every=40),
            "count throttled": control.fault(
                "throttled", operation="get_job_task_counts", next=2, retry_after=1
            ),
        }
        submit_tasks.fn(plan)
        finished = poll_tasks.fn(plan, OFTEN, OFTEN)
        struck = {name: control.struck(number) for name, number in faults.items()}
        asked = control.struck(requests)
        done = [one for line in control.events() for one in line["instructions"] if one["name"] == "RunTask"]
    runs = Counter(one["task"] for one in done)
    assert (len(runs), set(runs.values()), len(finished)) == (MANY, {1}, MANY)
    assert sizes.count(50) >= 2 * sizes.count(100) > 0  # halved
    assert [name for name, number in struck.items() if number == 0] == []
    with capsys.disabled():
        print(f"\n{MANY} tasks took {asked} requests to add; faults struck {struck}")


@pytest.fixture
def _sockets_collected() -> Iterator[None]:
    """The SDK leaves the socket of an answer that was cut short to the collector of garbage."""
    yield
    gc.collect()


@pytest.mark.usefixtures("_sockets_collected")
@pytest.mark.filterwarnings(r"ignore:unclosed <(ssl\.SSLS|s)ocket:ResourceWarning")
def test_each_file_comes_through_when_storage_has_hard_times(
    azurite: BlobAccount,
    tmp_path: Path,
    make_plan: Callable[..., RunPlan],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "in").mkdir()
    contents = {f"{number}.txt": f"{number}\n" * 5000 for number in range(12)}
    for name, text in contents.items():
        (tmp_path / "in" / name).write_text(text)
    faults = [
        Fault("busy", but=BY_NODES, every=7, retry_after="1"),
        Fault("dropped", but=BY_NODES, every=11),
        Fault("answer lost", but=BY_NODES, every=13),
        Fault("cut short", but=BY_NODES, method="GET", every=5),
    ]
    with running() as batch, faulty(azurite.endpoint, *faults) as storage:
        account = account_of(azurite, batch).model_copy(update={"blob_endpoint": storage})
        with signed_in(account):
            plan = make_plan([str(tmp_path / "in")])
            create_containers.fn(plan.names, plan.metadata)
            made = provision_pool.fn(plan, PoolOptions(dedicated_nodes=2, task_slots_per_node=4))
            upload_inputs.fn(plan)
            create_job.fn(plan, made)
            submit_tasks.fn(plan)
            report = retrieve_outputs.fn(plan, poll_tasks.fn(plan, OFTEN, OFTEN), str(tmp_path / "out"))
            delete_resources(plan.names, CleanUpPolicy())
            left = [one.name for one in patient_list(lambda: blob_service().list_containers())]
    assert report.failed == ()
    came = {path.name.replace("_OUTPUT", ""): path.read_text() for path in (tmp_path / "out").glob("*.txt")}
    assert came == contents
    assert not {plan.names.input_container, plan.names.output_container} & set(left)
    assert min(fault.struck for fault in faults) > 0
    with capsys.disabled():
        print(f"\nfaults of storage struck {[(fault.kind, fault.struck) for fault in faults]}")


def test_a_full_quota_of_jobs_is_waited_for_and_then_says_so(
    control: Control, plan: RunPlan, caplog: pytest.LogCaptureFixture
) -> None:
    control.fault("quota", jobs=0)
    with pytest.raises(JobEnded, match="may have no more active jobs"):
        create_job.fn(plan, None, Patience(budget=1.0, first_wait=0.2))
    assert caplog.text.count("Trying again in") == 2
    assert control.ask("DELETE", "faults").status_code == 204
    create_job.fn(plan)
