"""The most frequent words of text files: the flow `top-n-words`."""

from __future__ import annotations

import codecs
import shlex
from pathlib import Path
from typing import Annotated

from prefect import flow
from pydantic import AfterValidator

from batch_tasks.options import CleanUpPolicy, PoolOptions, RetryOptions, RunOptions
from batch_tasks.report import RunReport
from batch_tasks.workload import Merge, Workload
from flows.backstop import delete_what_is_left
from flows.parameter import (
    AccountName,
    CheckOnly,
    CleanUp,
    Download,
    FilesPerTask,
    InputFiles,
    OutputDir,
    Pool,
    Retry,
    parameter,
)
from flows.pipeline import run_workload
from flows.run_history import run_name

NODE_SCRIPTS = Path(__file__).resolve().parent.parent / "node"


def text_encoding(name: str) -> str:
    """Python's name of a text encoding; raises ValueError if it knows none of that name."""
    try:
        "".encode(name)  # refuses what encodes no text, such as base64
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        raise ValueError(
            f"{name!r} is no text encoding that Python knows, such as utf-16 or cp1252"
        ) from None


def top_n_words_workload(n: int, *, merge: bool = False, encoding: str = "utf-8") -> Workload:
    """Writes `<stem>_OUTPUT<suffix>`, the `n` most frequent words, for each text file in that encoding; with
    `merge` also `TOP_WORDS.txt`, those of all files together. Outputs are UTF-8.
    """
    read = f"--n {n} --encoding {shlex.quote(encoding)}"
    count = f'python3 -I -S "$TASK_FILES_DIR/top_n_words.py" {read} --output {{output}}'
    add_up = f'python3 -I -S "$TASK_FILES_DIR/merge_counts.py" --n {n} --output {{output}} -- {{input}}'
    return Workload(
        name="top-n-words",
        command=f"{count} --counts {{part}} -- {{input}}" if merge else f"{count} -- {{input}}",
        outputs=("{stem}_OUTPUT{suffix}",),
        node_files=(NODE_SCRIPTS / "top_n_words.py",),
        merge=Merge(".word-counts", add_up, ("TOP_WORDS.txt",), (NODE_SCRIPTS / "merge_counts.py",))
        if merge
        else None,
    )


@flow(
    name="top-n-words",
    flow_run_name=run_name,
    on_cancellation=[delete_what_is_left],
    on_crashed=[delete_what_is_left],
)
def top_n_words(
    input_files: InputFiles,
    n: Annotated[int, parameter("N", "How many words of each file.", ge=1)] = 3,
    merge: Annotated[  # noqa: FBT002  a switch in the form
        bool, parameter("All files together", "Also the N most frequent words of all files together.")
    ] = False,
    encoding: Annotated[
        str,
        parameter("Encoding", "Of the text files, as Python calls it, such as utf-16 or cp1252."),
        AfterValidator(text_encoding),
    ] = "utf-8",
    output_dir: OutputDir = "output",
    files_per_task: FilesPerTask = 1,
    download: Download = True,  # noqa: FBT002
    pool: Pool = PoolOptions(),  # noqa: B008  frozen
    clean_up: CleanUp = CleanUpPolicy(),  # noqa: B008  frozen
    retry: Retry = RetryOptions(),  # noqa: B008  frozen
    account: AccountName = "",
    check_only: CheckOnly = False,  # noqa: FBT002
) -> RunReport:
    """Count the words of each text file on a compute node and bring back its N most frequent ones."""
    options = RunOptions(
        output_dir=output_dir,
        files_per_task=files_per_task,
        download=download,
        pool=pool,
        clean_up=clean_up,
        retry=retry,
        check_only=check_only,
    )
    return run_workload(
        top_n_words_workload(n, merge=merge, encoding=encoding), input_files, options, account
    )
