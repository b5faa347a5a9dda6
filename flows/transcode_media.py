"""The sound of media files as files of their own, by ffmpeg: the flow `transcode-media`."""

from __future__ import annotations

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
LOSSLESS = ("flac", "wav")


def transcode_media_workload(audio_format: AudioFormat = "mp3", bit_rate: int = 192) -> Workload:
    """Writes the first sound track of each file as `<stem>.<format>`, with so many kbit/s."""
    # -xerror: half a file is a failure. `file:` and not a bare name, which ffmpeg might take for a protocol.
    rate = "" if audio_format in LOSSLESS else f" -b:a {bit_rate}k"
    return Workload(
        name="transcode-media",
        command="ffmpeg -nostdin -hide_banner -loglevel warning -xerror -y -i file:{input} "
        f"-map 0:a:0{rate} file:{{output}}",
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
        int, parameter("Bit rate", "kbit/s of sound. flac and wav lose nothing and ignore it.", ge=8, le=320)
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
