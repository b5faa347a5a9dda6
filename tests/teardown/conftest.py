"""One account behind gates, one Prefect server and one worker for all tests of teardown."""

from collections.abc import Iterator

import pytest

from batch_tasks.settings import Account
from tests.teardown.scene import FLOW, PrefectServer, Scene, scene_of, worker


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
    with worker(bare_scene, "watched"):
        bare_scene.work_pool("by-hand")
        bare_scene.deployment(FLOW, "by-hand")
        yield bare_scene
