"""The media tutorial's system: videos in, sound out, on nodes that an administrator prepared."""

import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from azure.batch.models import BatchPool, BatchTask

from batch_tasks.clients import batch_client, blob_service
from batch_tasks.naming import RunNames
from batch_tasks.node_packages import TRIES, program_from_apt
from batch_tasks.options import CleanUpPolicy, OutputsKept, SpotPoolOptions
from batch_tasks.settings import Account
from batch_tasks.templates import shell_command
from batch_tasks.unfinished import TasksFailed
from flows import command_line
from flows.transcode_media import AudioFormat, transcode_media, transcode_media_workload, vorbis_quality
from tests.workloads.media import durations, make_sound, make_video, needs_ffmpeg, truncate


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder of five videos and a sixth that was cut off."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in range(1, 6):
        make_video(folder / f"clip {number}.mp4", number * 0.7)
    make_video(folder / "cut.mp4", 2.0)
    truncate(folder / "cut.mp4", 0.5)
    return folder


def assert_sounds_are_as_long_as_their_videos(videos: Path, output_dir: Path) -> None:
    assert len(list(output_dir.glob("*.mp3"))) == 5
    for number in range(1, 6):
        sound = output_dir / f"clip {number}.mp3"
        made, video = durations(sound, videos / f"clip {number}.mp4")
        assert made == pytest.approx(video, abs=0.1)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("pool", "dedicated", "spot"),
    [(SpotPoolOptions(), 0, 5), (SpotPoolOptions(dedicated_nodes=5, spot_nodes=0), 5, 0)],
    ids=["Spot nodes", "dedicated nodes"],
)
def test_five_videos_become_five_sounds_and_a_broken_sixth_fails_alone(
    pool: SpotPoolOptions, dedicated: int, spot: int, videos: Path, on_account: Account, tmp_path: Path
) -> None:
    kept = OutputsKept(pool=False, job=False)
    with pytest.raises(TasksFailed) as failed:
        transcode_media([str(videos)], output_dir=str(tmp_path / "out"), pool=pool, clean_up=kept)
    report = failed.value.report
    assert [file.key for file in report.failed] == ["cut.mp4"]
    assert "moov atom not found" in report.failed[0].stderr_tail
    assert_sounds_are_as_long_as_their_videos(videos, tmp_path / "out")
    names = RunNames.of("transcode-media", report.flow_run_id)
    left = {container.name for container in blob_service().list_containers()}
    assert names.output_container in left
    assert names.input_container not in left
    try:
        assert_the_pool_received_is_the_tutorials(batch_client().get_pool(names.pool_id), dedicated, spot)
        for task in batch_client().list_tasks(names.job_id):
            assert_the_sound_goes_to_the_output_container(task, names.output_container)
    finally:
        batch_client().begin_delete_job(names.job_id, polling_interval=0).wait()
        batch_client().begin_delete_pool(names.pool_id, polling_interval=0).wait()


def assert_the_pool_received_is_the_tutorials(pool: BatchPool, dedicated: int, spot: int) -> None:
    """What the service has of the pool, field by field; the number of nodes is that of its first formula."""
    received = pool.as_dict()
    assert received["vmSize"] == "standard_d2s_v5"
    assert received["taskSlotsPerNode"] == 1
    machine = received["virtualMachineConfiguration"]
    image = {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}
    assert machine["imageReference"].items() >= image.items()
    assert machine["nodeAgentSKUId"] == "batch.node.ubuntu 24.04"
    (supported,) = [
        one.as_dict()
        for one in batch_client().list_supported_images()
        if one.image_reference.offer == image["offer"] and one.image_reference.sku == image["sku"]
    ]
    assert supported["verificationType"] == "verified"
    assert supported["nodeAgentSKUId"] == machine["nodeAgentSKUId"]
    assert f"dedicated = {dedicated};\nspot = {spot};" in received["autoScaleFormula"]
    start_task = received["startTask"]
    assert start_task["commandLine"] == shell_command(program_from_apt("ffmpeg", "ffmpeg").command)
    assert start_task["userIdentity"] == {"autoUser": {"scope": "pool", "elevationLevel": "admin"}}
    assert start_task["waitForSuccess"] is True
    assert start_task["maxTaskRetryCount"] == 2


def assert_the_sound_goes_to_the_output_container(task: BatchTask, container: str) -> None:
    """What the service has of the task's first output file, without the signature of its URL."""
    output = task.as_dict()["outputFiles"][0]
    assert output["filePattern"] == "outputs/0-0"
    # The service answers in other letters than it was asked in (seen in recorded traffic).
    assert output["uploadOptions"]["uploadCondition"].lower() == "tasksuccess"
    destination = output["destination"]["container"]
    assert destination["path"].startswith("outputs/")
    assert destination["path"].endswith(".mp3")
    assert urlsplit(destination["containerUrl"]).path.endswith(f"/{container}")


@needs_ffmpeg
def test_the_command_does_so_too(
    videos: Path, on_account: Account, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.transcode_media([str(videos), "--output-dir", str(tmp_path / "out")]) == 1
    shown = capsys.readouterr()
    assert "5 of 6 files succeeded" in shown.out
    assert "cut.mp4: failed" in shown.err
    assert "moov atom not found" in shown.err
    assert_sounds_are_as_long_as_their_videos(videos, tmp_path / "out")


@needs_ffmpeg
def test_a_sound_that_is_in_the_format_already_is_written_anew(on_account: Account, tmp_path: Path) -> None:
    make_sound(tmp_path / "new.mp3", 44_100, "stereo")
    make_sound(tmp_path / "-a 'b'.mp3", 44_100, "stereo")
    report = transcode_media([str(tmp_path)], bit_rate=32, output_dir=str(tmp_path / "out"), files_per_task=2)
    assert len(report.succeeded) == 2
    for name in ("new.mp3", "-a 'b'.mp3"):
        assert (tmp_path / "out" / name).stat().st_size < (tmp_path / name).stat().st_size


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
    assert durations(tmp_path / "out" / "whole.wav") == [pytest.approx(3.0, abs=0.1)]


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of sounds with few and many samples and channels."""
    folder = tmp_path_factory.mktemp("sounds")
    make_sound(folder / "telephone.wav", 8_000, "mono")
    make_sound(folder / "mono.wav", 44_100, "mono")
    make_sound(folder / "stereo.flac", 96_000, "stereo")
    make_sound(folder / "dvd.mp4", 48_000, "5.1(side)")
    make_sound(folder / "four.wav", 48_000, "4.0")
    return folder


LOSSY = ("mp3", "m4a", "ogg", "opus")


@needs_ffmpeg
@pytest.mark.parametrize(
    ("audio_format", "bit_rate"),
    [*((name, rate) for name in LOSSY for rate in (8, 320)), ("flac", 8), ("wav", 8)],
)
def test_every_format_takes_every_bit_rate_of_every_sound(
    audio_format: AudioFormat, bit_rate: int, sounds: Path, tmp_path: Path
) -> None:
    workload = transcode_media_workload(audio_format, bit_rate)
    assert workload.problems() == []
    made: list[Path] = []
    for sound in sounds.iterdir():
        (tmp_path / sound.name).hardlink_to(sound)
        run = workload.for_file(sound.name)
        done = subprocess.run(["/bin/sh", "-c", run.command], cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        made.append(tmp_path / run.outputs[0])
        assert not made[-1].samefile(sound)
    assert durations(*made) == [pytest.approx(1.0, abs=0.2)] * 5  # encoders pad with a few frames


def test_the_quality_of_ogg_grows_with_the_bit_rate_within_what_there_is() -> None:
    qualities = [vorbis_quality(rate) for rate in range(8, 321)]
    assert qualities == sorted(qualities)
    assert (qualities[0], vorbis_quality(45), vorbis_quality(144), qualities[-1]) == (-1, -1, 4.5, 9)


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
