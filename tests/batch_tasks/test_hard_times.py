"""A service that throttles, breaks down, drops connections and loses answers: each file still runs once.

Acceptance: 30 % of requests are refused with 429 or 503, others break after they were carried out, an
add-collection is applied but times out, single tasks are refused with server errors.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from batch_tasks.clean_up import delete_resources
from batch_tasks.clients import signed_in
from batch_tasks.create_containers import create_containers
from batch_tasks.create_job import create_job
from batch_tasks.errors import JobEnded
from batch_tasks.options import CleanUpPolicy, PoolOptions
from batch_tasks.patience import Patience
from batch_tasks.plan import RunPlan
from batch_tasks.poll_tasks import Rhythm, poll_tasks
from batch_tasks.provision_pool import provision_pool
from batch_tasks.retrieve_outputs import retrieve_outputs
from batch_tasks.submit_tasks import submit_tasks
from batch_tasks.upload_inputs import upload_inputs
from batch_tasks.workload import Workload
from flows.local_stack import account_of
from flows.local_stack.azurite import BlobAccount
from tests.conformance.own_emulator import Control, running

OFTEN = Rhythm(shortest=0.05, longest=0.2)
FILES = 40


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


def test_a_full_quota_of_jobs_is_waited_for_and_then_says_so(
    control: Control, plan: RunPlan, caplog: pytest.LogCaptureFixture
) -> None:
    control.fault("quota", jobs=0)
    with pytest.raises(JobEnded, match="may have no more active jobs"):
        create_job.fn(plan, None, Patience(budget=1.0, first_wait=0.2))
    assert caplog.text.count("Trying again in") == 2
    assert control.ask("DELETE", "faults").status_code == 204
    create_job.fn(plan)
