"""The commands: each runs its flow here and now and ends with an exit code that a script can rely on.

0: every file succeeded. 1: a file, or the run, failed. 2: refused, nothing was started. 130: Ctrl-C, after
the clean-up. Nothing heavy is imported here, so that `--help` and a misspelt option answer at once.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from batch_tasks.options import OutputsKept, SpotPoolOptions
from flows.command_line.arguments import run_parser


def top_n_words(arguments: Sequence[str] | None = None) -> int:
    """The command `top-n-words`: the most frequent words of each text file."""
    parser = run_parser(
        "top-n-words", "Write the most frequent words of each text file to a file of its own."
    )
    parser.add_argument("--n", metavar="N", help="how many words of each file (default: 3)")
    parser.add_argument(
        "--merge",
        action="store_true",
        default=None,
        help="also write TOP_WORDS.txt, the most frequent words of all files together",
    )
    parser.add_argument(
        "--encoding", metavar="NAME", help="of the files, as Python calls it (default: utf-8)"
    )
    options = parser.parse_args(arguments)
    _before_prefect(verbose=options.verbose)

    from flows import top_n_words as module  # noqa: PLC0415
    from flows.command_line.run_here import run_here  # noqa: PLC0415

    return run_here(
        module.top_n_words,
        lambda checked: module.top_n_words_workload(
            checked["n"], merge=checked["merge"], encoding=checked["encoding"]
        ),
        options,
        given={"n": options.n, "merge": options.merge, "encoding": options.encoding},
    )


def transcode_media(arguments: Sequence[str] | None = None) -> int:
    """The command `transcode-media`: the sound of each media file as a file of its own."""
    parser = run_parser(
        "transcode-media",
        "Write the sound of each video or audio file to a file of its own, by ffmpeg.",
        SpotPoolOptions,
        OutputsKept,
    )
    parser.add_argument(
        "--audio-format", metavar="FORMAT", help="mp3, m4a, ogg, opus, flac or wav (default: mp3)"
    )
    parser.add_argument(
        "--bit-rate",
        metavar="KBIT",
        help="kbit/s of sound; flac and wav ignore it, opus has 256 at most (default: 192)",
    )
    options = parser.parse_args(arguments)
    _before_prefect(verbose=options.verbose)

    from flows import transcode_media as module  # noqa: PLC0415
    from flows.command_line.run_here import run_here  # noqa: PLC0415

    return run_here(
        module.transcode_media,
        lambda given: module.transcode_media_workload(given["audio_format"], given["bit_rate"]),
        options,
        given={"audio_format": options.audio_format, "bit_rate": options.bit_rate},
    )


def run_command(arguments: Sequence[str] | None = None) -> int:
    """The command `run-command`: any command for each file."""
    options = _run_command_parser().parse_args(arguments)
    _before_prefect(verbose=options.verbose)

    from flows import run_command as module  # noqa: PLC0415
    from flows.command_line.run_here import run_here  # noqa: PLC0415

    names = ("command", "outputs", "setup", "container_image", "ship", "file_minutes", "retries")
    given = {name: getattr(options, name) for name in names}
    given["environment"] = dict(options.environment) if options.environment else None
    return run_here(
        module.run_command,
        lambda checked: module.run_command_workload(**{name: checked[name] for name in given}),
        options,
        given=given,
    )


def _run_command_parser() -> argparse.ArgumentParser:
    parser = run_parser("run-command", "Run a command for each file, each in a folder of its own.")
    for_one_file = parser.add_argument_group("the command for one file")
    add = for_one_file.add_argument
    add(
        "--command",
        required=True,
        metavar="LINE",
        help="a shell line: {input} or {name} is the file's name, {stem} and {suffix} its parts, {output} "
        "the first output; they are quoted for the shell, and {{word}} is a literal {word}",
    )
    add(
        "--output",
        dest="outputs",
        action="append",
        required=True,
        metavar="NAME",
        help="a file that the command leaves, such as '{stem}.wav', or a pattern such as '*.png'; "
        "may be given several times",
    )
    add("--setup", metavar="LINE", help="a shell line that prepares each node once, as administrator")
    add("--container-image", metavar="IMAGE", help="run within a container of it; it must hold python3")
    add("--ship", action="append", metavar="FILE", help='a file that goes to "$TASK_FILES_DIR" on the nodes')
    add(
        "--env",
        dest="environment",
        action="append",
        type=_setting,
        metavar="NAME=VALUE",
        help="a variable that the command sees; not for secrets",
    )
    add("--file-minutes", metavar="N", help="how long one file may take (default: 60)")
    add("--retries", metavar="N", help="how often Batch runs a failed task again (default: 0)")
    return parser


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def collect_garbage(arguments: Sequence[str] | None = None) -> int:
    """The command `collect-garbage`: delete what runs left that could not clean up after themselves."""
    parser = argparse.ArgumentParser(
        prog="collect-garbage",
        description="Delete pools, jobs and containers of runs that ended without cleaning up.",
        allow_abbrev=False,
    )
    parser.add_argument("--dry-run", action="store_true", help="only tell what would be deleted")
    parser.add_argument(
        "--account",
        metavar="NAME",
        help="environment, or the name of a Prefect block (default: all of them)",
    )
    parser.add_argument(
        "--silent-minutes",
        metavar="N",
        help="a run that gave no sign of life for so long is taken for dead (default: 15)",
    )
    parser.add_argument(
        "--grace-hours",
        metavar="N",
        help="how long after its time a run that Prefect does not know is left alone (default: 1)",
    )
    parser.add_argument(
        "--retry-hours",
        metavar="N",
        help="how long the containers of a run that was killed stay for its retry (default: 0)",
    )
    parser.add_argument("--verbose", action="store_true", help="show the log of the run")
    options = parser.parse_args(arguments)
    _before_prefect(verbose=options.verbose)

    from flows.command_line.collect import collect_here  # noqa: PLC0415

    return collect_here(options)


def _before_prefect(*, verbose: bool) -> None:
    """What must be settled before Prefect is imported: it sets up its log then."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a file's name may be no text at all
    if not verbose:
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
