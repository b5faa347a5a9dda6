"""The sound of media files as files of their own, by ffmpeg: the flow `transcode-media`."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from prefect import flow

from batch_tasks.node_packages import program_from_apt
from batch_tasks.options import OutputsKept, RetryOptions, RunOptions, SpotPoolOptions
from batch_tasks.report import RunReport
from batch_tasks.workload import Workload
from flows.backstop import delete_what_is_left
from flows.parameter import (
    WHAT_CLEAN_UP_IS,
    WHAT_POOL_IS,
    AccountName,
    CheckOnly,
    Download,
    FilesPerTask,
    InputFiles,
    OutputDir,
    Retry,
    parameter,
)
from flows.pipeline import run_workload
from flows.run_history import run_name

AudioFormat = Literal["mp3", "m4a", "ogg", "opus", "flac", "wav"]
VORBIS_QUALITIES = (
    (45, -1),
    (64, 0),
    (80, 1),
    (96, 2),
    (112, 3),
    (128, 4),
    (160, 5),
    (192, 6),
    (224, 7),
    (256, 8),
    (320, 9),
)
"""kbit/s of stereo at 44.1 kHz, and the quality of libvorbis that gives about so many (documented)."""
MOST_OPUS = 256
"""kbit/s that libopus takes of one channel (measured)."""
LAYOUTS = {
    "opus": "7.1|6.1|5.1|5.0|quad|3.0|stereo|mono",
    "m4a": "7.1|5.1|5.0|4.0|3.0|stereo|mono",
}
"""The channel layouts that an encoder takes (measured); of others, as 5.1(side), ffmpeg makes the nearest."""


def encoding(audio_format: AudioFormat, bit_rate: int) -> str:
    """What ffmpeg is told for about so many kbit/s, of whatever sound: how it is sampled is not known here.

    libvorbis refuses a bit rate that does not suit sample rate and channels, but no quality (measured).
    """
    rate = {
        "ogg": f"-q:a {vorbis_quality(bit_rate):.1f}",
        "opus": f"-b:a {min(bit_rate, MOST_OPUS)}k",
        "flac": "",
        "wav": "",
    }.get(audio_format, f"-b:a {bit_rate}k")
    layouts = LAYOUTS.get(audio_format)
    return f"{rate} -filter:a 'aformat=channel_layouts={layouts}'" if layouts else rate


def vorbis_quality(bit_rate: int) -> float:
    """The quality for a bit rate, between the nearest two that are known, and none beyond the last ones."""
    for (low, quality), (high, better) in pairwise(VORBIS_QUALITIES):
        if bit_rate <= high:
            return quality + (better - quality) * max(0, bit_rate - low) / (high - low)
    return VORBIS_QUALITIES[-1][1]


def transcode_media_workload(audio_format: AudioFormat = "mp3", bit_rate: int = 192) -> Workload:
    """Writes the first sound track of each file as `<stem>.<format>`, with so many kbit/s."""
    # -xerror: half a file is a failure. `file:` and not a bare name, which ffmpeg might take for a protocol.
    # Written in a folder of its own: the input may be called as the output is.
    return Workload(
        name="transcode-media",
        command="new=$(mktemp -d ./new.XXXXXX) && ffmpeg -nostdin -hide_banner -loglevel warning -xerror -y "
        f'-i file:{{input}} -map 0:a:0 {encoding(audio_format, bit_rate)} file:"$new"/{{output}} '
        '&& mv -f "$new"/{output} {output}',
        outputs=(f"{{stem}}.{audio_format}",),
        start_task=program_from_apt("ffmpeg", "ffmpeg"),
    )


@flow(
    name="transcode-media",
    flow_run_name=run_name,
    on_cancellation=[delete_what_is_left],
    on_crashed=[delete_what_is_left],
)
def transcode_media(
    input_files: InputFiles,
    audio_format: Annotated[AudioFormat, parameter("Format", "What kind of files to write.")] = "mp3",
    bit_rate: Annotated[
        int,
        parameter(
            "Bit rate",
            "kbit/s of sound. flac and wav lose nothing and ignore it; opus has 256 at most.",
            ge=8,
            le=320,
        ),
    ] = 192,
    output_dir: OutputDir = "output",
    files_per_task: FilesPerTask = 1,
    download: Download = True,  # noqa: FBT002  a switch in the form
    pool: Annotated[SpotPoolOptions, WHAT_POOL_IS] = SpotPoolOptions(),  # noqa: B008  frozen
    clean_up: Annotated[OutputsKept, WHAT_CLEAN_UP_IS] = OutputsKept(),  # noqa: B008  frozen
    retry: Retry = RetryOptions(),  # noqa: B008  frozen
    account: AccountName = "",
    check_only: CheckOnly = False,  # noqa: FBT002
) -> RunReport:
    """Turn the sound of each video or audio file into a file of its own, on a compute node with ffmpeg."""
    options = RunOptions(
        output_dir=output_dir,
        files_per_task=files_per_task,
        download=download,
        pool=pool,
        clean_up=clean_up,
        retry=retry,
        check_only=check_only,
    )
    return run_workload(transcode_media_workload(audio_format, bit_rate), input_files, options, account)
