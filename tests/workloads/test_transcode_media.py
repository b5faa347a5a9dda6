"""The media tutorial's system: videos in, sound out, on nodes that an administrator prepared."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from batch_tasks.clients import blob_service
from batch_tasks.errors import TasksFailed
from batch_tasks.naming import RunNames
from batch_tasks.node_packages import TRIES, program_from_apt
from batch_tasks.options import CleanUpPolicy, PoolOptions, RunOptions, SpotPoolOptions
from batch_tasks.pools.specification import pool_options
from batch_tasks.settings import Account
from batch_tasks.task_options import NodeUrls, task_options
from batch_tasks.templates import shell_command
from flows.pipeline import plan_run
from flows.transcode_media import transcode_media, transcode_media_workload
from tests.workloads.media import duration, make_video, needs_ffmpeg, truncate


@needs_ffmpeg
def test_five_videos_become_five_sounds_and_a_broken_sixth_fails_alone(
    on_account: Account, tmp_path: Path
) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in range(1, 6):
        make_video(folder / f"clip {number}.mp4", number * 0.7)
    make_video(folder / "cut.mp4", 2.0)
    truncate(folder / "cut.mp4", 0.5)
    with pytest.raises(TasksFailed) as failed:
        transcode_media([str(folder)], output_dir=str(tmp_path / "out"))
    report = failed.value.report
    assert [file.key for file in report.failed] == ["cut.mp4"]
    assert "moov atom not found" in report.failed[0].stderr_tail
    for number in range(1, 6):
        sound = tmp_path / "out" / f"clip {number}.mp3"
        assert duration(sound) == pytest.approx(duration(folder / f"clip {number}.mp4"), abs=0.1)
    names = RunNames.of("transcode-media", report.flow_run_id)
    left = {container.name for container in blob_service().list_containers()}
    assert names.output_container in left
    assert names.input_container not in left


@needs_ffmpeg
def test_videos_without_sound_and_halves_of_videos_fail_with_ffmpegs_own_words(
    on_account: Account, tmp_path: Path
) -> None:
    make_video(tmp_path / "-silent: %d.mp4", sound=False)
    make_video(tmp_path / "whole.mp4", 3.0)
    half = tmp_path / "half.mp4"
    moov_first = ["ffmpeg", "-i", str(tmp_path / "whole.mp4"), "-c", "copy", "-movflags", "faststart"]
    subprocess.run([*moov_first, str(half)], check=True, capture_output=True)
    truncate(half, 0.6)
    with pytest.raises(TasksFailed) as failed:
        transcode_media([str(tmp_path / "*.mp4")], audio_format="wav", output_dir=str(tmp_path / "out"))
    said = {file.key: file.stderr_tail for file in failed.value.report.failed}
    assert set(said) == {"-silent: %d.mp4", "half.mp4"}
    assert "matches no streams" in said["-silent: %d.mp4"]
    assert "corrupt" in said["half.mp4"]
    assert duration(tmp_path / "out" / "whole.wav") == pytest.approx(3.0, abs=0.1)


def plan(pool: PoolOptions, tmp_path: Path) -> Any:
    for number in range(6):
        (tmp_path / f"{number}.mp4").touch()
    options = RunOptions(output_dir=str(tmp_path / "out"), pool=pool)
    return plan_run(transcode_media_workload(), [str(tmp_path)], options)


@pytest.mark.parametrize(
    ("pool", "dedicated", "spot"),
    [(SpotPoolOptions(), 0, 5), (SpotPoolOptions(dedicated_nodes=5, spot_nodes=0), 5, 0)],
)
def test_the_pool_is_the_tutorials(pool: PoolOptions, dedicated: int, spot: int, tmp_path: Path) -> None:
    asked = pool_options(plan(pool, tmp_path), pool).as_dict()
    image = asked["virtualMachineConfiguration"]["imageReference"]
    assert (image["publisher"], image["offer"], image["sku"]) == ("canonical", "ubuntu-24_04-lts", "server")
    assert asked["virtualMachineConfiguration"]["nodeAgentSKUId"] == "batch.node.ubuntu 24.04"
    assert f"dedicated = {dedicated};\nspot = {spot};" in asked["autoScaleFormula"]
    assert asked["startTask"] == {
        "commandLine": shell_command(program_from_apt("ffmpeg", "ffmpeg").command),
        "userIdentity": {"autoUser": {"scope": "pool", "elevationLevel": "admin"}},
        "maxTaskRetryCount": 2,
        "waitForSuccess": True,
    }


def test_a_task_uploads_its_sound_when_it_succeeded(tmp_path: Path) -> None:
    chosen = plan(SpotPoolOptions(), tmp_path)
    urls = NodeUrls(str, str, "https://list", "https://write")
    asked = task_options(chosen.tasks[0], chosen.workload, urls).as_dict()
    assert asked["outputFiles"][0] == {
        "filePattern": "outputs/0-0",
        "destination": {"container": {"path": "outputs/0.mp3", "containerUrl": "https://write"}},
        "uploadOptions": {"uploadCondition": "tasksuccess"},
    }


def test_a_part_of_a_group_given_leaves_the_flows_own_defaults() -> None:
    given = {"input_files": ["a"], "pool": {"vm_size": "standard_f4s_v2"}, "clean_up": {"job": False}}
    checked = transcode_media.validate_parameters(given)
    assert (checked["pool"].dedicated_nodes, checked["pool"].spot_nodes) == (0, 5)
    assert checked["clean_up"].kept == {"job", "output_container"}
    assert isinstance(checked["clean_up"], CleanUpPolicy)


def node(folder: Path, **programs: str) -> dict[str, str]:
    """The environment of a node that has only these programs, each a shell script, beside the shell's own."""
    (folder / "bin").mkdir()
    for name, script in {"sleep": "true", "id": "echo 0", **programs}.items():
        program = folder / "bin" / name
        program.write_text(f"#!/bin/sh\ncd {folder}\n{script}\n")
        program.chmod(0o755)
    for name in ("sh", "cat", "chmod", "cp"):
        (folder / "bin" / name).symlink_to(str(shutil.which(name)))
    return {"PATH": str(folder / "bin")}


def prepared(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = program_from_apt("ffmpeg", "ffmpeg").command
    return subprocess.run(["/bin/sh", "-c", command], env=env, capture_output=True, text=True, check=False)


def test_a_node_with_ffmpeg_is_left_as_it_is(tmp_path: Path) -> None:
    done = prepared(node(tmp_path, ffmpeg="true", **{"apt-get": "touch called"}))
    assert done.returncode == 0
    assert not (tmp_path / "called").exists()


def test_ffmpeg_is_installed_once_apt_gets_its_locks(tmp_path: Path) -> None:
    # `update` meets a lock at its first try, `install` at its second one.
    apt = """
echo "$@" >> calls
case "$*" in
*update*) [ -e once ] || { : > once; echo locked >&2; exit 100; } ;;
*install*) [ -e twice ] || { : > twice; exit 100; }; cp bin/sh bin/ffmpeg ;;
esac"""
    done = prepared(node(tmp_path, **{"apt-get": apt}))
    assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.partition("Retries=3 ")[2] for call in calls] == [
        "update",
        "update",
        "install -y --no-install-recommends ffmpeg",
        "update",
        "install -y --no-install-recommends ffmpeg",
    ]
    assert all("DPkg::Lock::Timeout=300" in call for call in calls)


def test_a_node_that_cannot_get_ffmpeg_fails_in_the_end(tmp_path: Path) -> None:
    done = prepared(node(tmp_path, **{"apt-get": "echo x >> calls; exit 100"}))
    assert done.returncode == 1
    assert (tmp_path / "calls").read_text() == "x\n" * TRIES


def test_who_is_no_administrator_is_told_so_and_nothing_is_tried(tmp_path: Path) -> None:
    done = prepared(node(tmp_path, id="echo 1000", **{"apt-get": "touch called"}))
    assert done.returncode == 1
    assert "ffmpeg is not on the PATH of this node" in done.stderr
    assert not (tmp_path / "called").exists()
