"""The official SDK, sync and async, signed in to a real emulator; every answer is checked after each test."""

import asyncio
import inspect
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.batch import models as batch_models
from azure.batch.aio import BatchClient as AsyncBatchClient

from flows.local_stack.emulator import BatchAccount
from tests.conformance import sdk_models
from tests.conformance.openapi import Description
from tests.conformance.recorder import Exchange, Recorder
from tests.signing import async_credential_for, credential_for, the_certificate

ANSWERS: dict[tuple[str, str], type] = {
    ("GET", "pools/@Element"): batch_models.BatchPool,
    ("GET", "pools"): batch_models.BatchPool,
    ("GET", "nodes"): batch_models.BatchNode,
    ("GET", "nodes/@Element"): batch_models.BatchNode,
    ("GET", "jobs/@Element"): batch_models.BatchJob,
    ("GET", "jobs"): batch_models.BatchJob,
    ("GET", "tasks/@Element"): batch_models.BatchTask,
    ("GET", "tasks"): batch_models.BatchTask,
    ("GET", "files"): batch_models.BatchNodeFile,
    ("GET", "jobschedules/@Element"): batch_models.BatchJobSchedule,
    ("GET", "jobschedules"): batch_models.BatchJobSchedule,
    (
        "GET",
        "jobpreparationandreleasetaskstatuslist",
    ): batch_models.BatchJobPreparationAndReleaseTaskStatus,
    ("GET", "subtasks"): batch_models.BatchSubtask,
    ("GET", "taskcounts/@Element"): batch_models.BatchTaskCountsResult,
    ("POST", "taskaddresult"): batch_models.BatchTaskCreateResult,
    ("POST", "autoscalerun/@Element"): batch_models.AutoScaleRun,
    ("GET", "supportedimages"): batch_models.BatchSupportedImage,
    ("GET", "poolnodecounts"): batch_models.BatchPoolNodeCounts,
    ("GET", "poolusagemetrics"): batch_models.BatchPoolUsageMetrics,
    ("GET", "applications"): batch_models.BatchApplication,
    ("GET", "extensions"): batch_models.BatchNodeVMExtension,
    ("GET", "extensions/@Element"): batch_models.BatchNodeVMExtension,
    ("GET", "computenoderemoteloginsettings/@Element"): batch_models.BatchNodeRemoteLoginSettings,
    ("POST", "uploadbatchservicelogsresult/@Element"): batch_models.UploadBatchServiceLogsResult,
}
"""The SDK's model of what an answer holds, by method and entity set."""


@pytest.fixture(scope="session")
def description() -> Description | None:
    """The official OpenAPI file, where the environment names it."""
    file = os.environ.get("BATCH_OPENAPI")
    return Description(Path(file)) if file else None


@pytest.fixture
def recorder(description: Description | None) -> Iterator[Recorder]:
    """Keeps the exchanges of one test; they are all checked when it is over."""
    recorder = Recorder()
    yield recorder
    findings = [
        f"{one.method} {one.path}: {text}" for one in recorder.exchanges for text in check(one, description)
    ]
    assert not findings, "\n".join(findings)


def check(exchange: Exchange, description: Description | None) -> list[str]:
    """What is wrong with an answer, by the SDK's models and by the official description."""
    found: list[str] = []
    if description is not None:
        found += description.findings(exchange.method, exchange.path, exchange.status, exchange.body)
    if exchange.body is None:
        return found
    entity_set = exchange.body["odata.metadata"].rsplit("#", 1)[-1]
    if exchange.status >= 400:
        return found + sdk_models.findings(batch_models.BatchError, exchange.body)
    model = ANSWERS[exchange.method, entity_set]
    documents = exchange.body["value"] if not entity_set.endswith("/@Element") else [exchange.body]
    return found + [text for document in documents for text in sdk_models.findings(model, document)]


class Batch:
    """The client under test. The async one answers like the sync one, so that a test is written once."""

    def __init__(self, client: Any, runner: asyncio.Runner | None, endpoint: str) -> None:
        self.endpoint = endpoint
        self._client = client
        self._runner = runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if name.startswith("begin_"):
                kwargs.setdefault("polling_interval", 0.05)
            result = method(*args, **kwargs)
            return self._awaited(result, name) if self._runner else _plain(result, name)

        return call

    def _awaited(self, result: Any, name: str) -> Any:
        assert self._runner is not None

        async def finish() -> Any:
            value = await result if inspect.isawaitable(result) else result
            if name.startswith("begin_"):
                await value.result()
                return value.status()
            if hasattr(value, "__aiter__"):
                return [item async for item in value]
            return value

        return self._runner.run(finish())


def _plain(result: Any, name: str) -> Any:
    if name.startswith("begin_"):
        result.result(timeout=60)
        return result.status()
    return list(result) if hasattr(result, "__next__") else result


@pytest.fixture(params=["sync", "async"])
def batch(request: pytest.FixtureRequest, emulator: BatchAccount, recorder: Recorder) -> Iterator[Batch]:
    """A client of the official SDK, signed in: each test runs with the sync and with the async one."""
    if request.param == "sync":
        credential = credential_for(emulator.name, emulator.key)
        with BatchClient(emulator.endpoint, credential, per_call_policies=[recorder]) as client:
            yield Batch(client, None, emulator.endpoint)
        return
    with asyncio.Runner() as runner:
        async_credential = async_credential_for(emulator.name, emulator.key)
        # aiohttp reads what this machine trusts when it is imported, before a certificate is made.
        trusted = {"connection_verify": str(certificate[0])} if (certificate := the_certificate()) else {}
        async_client = AsyncBatchClient(
            emulator.endpoint, async_credential, per_call_policies=[recorder], **trusted
        )
        yield Batch(async_client, runner, emulator.endpoint)
        runner.run(async_client.close())


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Makes ids that no other test uses."""
    return lambda name: f"{name}-{uuid.uuid4().hex[:8]}"
