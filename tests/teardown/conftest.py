"""One account behind gates, one Prefect server and one worker for all tests of teardown.

What needs time more than a processor begins when the first test does: the runs that must be silent for a
while before anybody may take them for dead, and the one whose silence an automation notices.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from batch_tasks.settings import Account
from tests.teardown.automation import Noticed, silence_noticed
from tests.teardown.casualties import Bystanders, Casualties, bystanders_in, casualties_in
from tests.teardown.scene import FLOW, PrefectServer, Scene, scene_of, with_engines, worker
from tests.teardown.stages import AT_ONCE


@pytest.fixture(scope="package")
def bare_scene(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The account and the environment; no Prefect server yet."""
    with scene_of(account, tmp_path_factory.mktemp("teardown")) as scene:
        yield scene


@pytest.fixture(scope="package")
def server(bare_scene: Scene) -> Iterator[PrefectServer]:
    """The Prefect server, started."""
    server = PrefectServer(bare_scene)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="package")
def scene(bare_scene: Scene, server: PrefectServer) -> Iterator[Scene]:
    """The same with a Prefect server, and a worker on the work pool `watched`; none on `by-hand`."""
    with worker(bare_scene, "watched"), with_engines(bare_scene):
        bare_scene.work_pool("by-hand")
        bare_scene.deployment(FLOW, "by-hand")
        yield bare_scene


@pytest.fixture(scope="package")
def threads() -> Iterator[ThreadPoolExecutor]:
    """Works on the cells of all tables."""
    executor = ThreadPoolExecutor(AT_ONCE)
    yield executor
    executor.shutdown(cancel_futures=True)


@pytest.fixture(scope="package")
def bystanders(scene: Scene, account: Account) -> Iterator[Bystanders]:
    """What a collector must leave alone."""
    with bystanders_in(scene, account) as bystanders:
        yield bystanders


@pytest.fixture(scope="package")
def casualties(scene: Scene, threads: ThreadPoolExecutor) -> Casualties:
    """Runs that die, each in its way; they begin to."""
    return casualties_in(scene, threads)


@pytest.fixture(scope="package")
def noticed(scene: Scene) -> Iterator["Future[Noticed]"]:
    """A run whose silence the automation notices, which takes minutes; it begins to."""
    executor = ThreadPoolExecutor(1)
    yield executor.submit(silence_noticed, scene)
    executor.shutdown()


@pytest.fixture(scope="package", autouse=True)
def _begin_what_takes_long(request: pytest.FixtureRequest) -> None:
    wanted = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    for slow in ("noticed", "casualties"):
        if slow in wanted:
            request.getfixturevalue(slow)
