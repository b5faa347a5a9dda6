"""How many lines each file has: a workload of one's own."""

from prefect import flow

from batch_tasks.options import RunOptions
from batch_tasks.report import RunReport
from batch_tasks.workload import Workload
from flows.backstop import delete_what_is_left
from flows.parameter import InputFiles, OutputDir, Pool
from flows.pipeline import run_workload

LINES = Workload(name="line-count", command="wc -l < {input} > {output}", outputs=("{stem}.lines",))


@flow(name="line-count", on_cancellation=[delete_what_is_left], on_crashed=[delete_what_is_left])
def line_count(input_files: InputFiles, pool: Pool, output_dir: OutputDir = "output") -> RunReport:
    """Count the lines of each file."""
    return run_workload(LINES, input_files, RunOptions(output_dir=output_dir, pool=pool))
