"""One account behind gates, one Prefect server and one worker for all tests of teardown."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from batch_tasks.settings import Account
from tests.teardown.scene import Scene, prefect_server, scene_of, until, worker


@pytest.fixture(scope="package")
def bare_scene(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The account and the environment; no Prefect server yet."""
    folder: Path = tmp_path_factory.mktemp("teardown")
    with scene_of(account, folder) as scene:
        yield scene


@pytest.fixture(scope="package")
def scene(bare_scene: Scene) -> Iterator[Scene]:
    """The same with a Prefect server, and a worker on the work pool `watched`; none on `by-hand`."""
    scene = bare_scene
    with prefect_server(scene.env, scene.port, scene.folder / "server.log"), worker(scene, "watched"):
        scene.work_pool("by-hand")
        names = [{"name": {"any_": ["watched"]}}]
        until(
            lambda: bool(scene.api("POST", "/work_pools/filter", {"work_pools": names[0]})),
            "the worker has made its work pool",
        )
        yield scene
