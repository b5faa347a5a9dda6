"""The most frequent words of text files: the flow `top-n-words`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from prefect import flow

from batch_tasks.options import CleanUpPolicy, PoolOptions, RunOptions
from batch_tasks.report import RunReport
from batch_tasks.workload import Workload
from flows.parameter import parameter
from flows.pipeline import run_workload
from flows.run_history import run_name

NODE_SCRIPT = Path(__file__).resolve().parent.parent / "node" / "top_n_words.py"


def top_n_words_workload(n: int) -> Workload:
    """Writes `<stem>_OUTPUT<suffix>`, the `n` most frequent words, for each text file."""
    return Workload(
        name="top-n-words",
        command=f'python3 "$TASK_FILES_DIR/top_n_words.py" {{input}} --n {n} --output {{output}}',
        outputs=("{stem}_OUTPUT{suffix}",),
        node_files=(NODE_SCRIPT,),
    )


@flow(name="top-n-words", flow_run_name=run_name)
def top_n_words(
    input_files: Annotated[
        list[str],
        parameter("Input files", "Text files, folders, or patterns such as texts/**/*.txt.", min_length=1),
    ],
    n: Annotated[int, parameter("N", "How many words of each file.", ge=1)] = 3,
    output_dir: Annotated[
        str, parameter("Output folder", "Made if absent; outputs of the same name are replaced.")
    ] = "output",
    pool: Annotated[
        PoolOptions, parameter("Pool", "How many compute nodes the run may have, and for how long.")
    ] = PoolOptions(),  # noqa: B008  frozen
    clean_up: Annotated[
        CleanUpPolicy, parameter("Clean-up", "What the end of the run deletes of what it made.")
    ] = CleanUpPolicy(),  # noqa: B008  frozen
    account: Annotated[
        str | None,
        parameter(
            "Account",
            "Empty: the environment's Azure account when it is set, else a local stack. "
            "Otherwise 'environment', 'local', or the name of a Prefect block.",
        ),
    ] = None,
) -> RunReport:
    """Count the words of each text file on a compute node and bring back its N most frequent ones."""
    options = RunOptions(output_dir=output_dir, pool=pool, clean_up=clean_up)
    return run_workload(top_n_words_workload(n), input_files, options, account)
