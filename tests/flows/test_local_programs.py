"""A wheel's ffmpeg is found by nodes under its usual name, and only where the machine has none."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from flows.local_stack.programs import with_programs


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program of an installed wheel, as imageio-ffmpeg lays it out."""
    program = tmp_path / "site" / "imageio_ffmpeg" / "binaries" / "ffmpeg-linux-v7"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho from the wheel\n")
    program.chmod(0o755)
    (program.parents[1] / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "imageio_ffmpeg", raising=False)
    return program


def environment(tmp_path: Path) -> dict[str, str]:
    return {"PATH": str(tmp_path / "bin"), "XDG_CACHE_HOME": str(tmp_path / "cache"), "OTHER": "kept"}


def test_the_wheels_program_is_used_where_the_machine_has_none(wheel: Path, tmp_path: Path) -> None:
    for _ in range(2):
        env = with_programs(environment(tmp_path))
        found = shutil.which("ffmpeg", path=env["PATH"])
        assert found is not None
        assert os.path.realpath(found) == str(wheel)
        assert env["OTHER"] == "kept"


def test_the_machines_program_comes_first(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ffmpeg").symlink_to("/bin/true")
    assert with_programs(environment(tmp_path)) == environment(tmp_path)
    assert not (tmp_path / "cache").exists()


def test_a_link_to_what_was_removed_is_replaced(wheel: Path, tmp_path: Path) -> None:
    link = tmp_path / "cache" / "prefect-azure-batch" / "ffmpeg"
    link.parent.mkdir(parents=True)
    link.symlink_to("/removed/ffmpeg")
    with_programs(environment(tmp_path))
    assert link.resolve() == wheel
