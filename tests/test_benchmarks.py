"""The benchmark of the node script tells both ratios, on a text so small that they mean nothing."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_node_script_is_compared_by_throughput_and_by_memory() -> None:
    command = [sys.executable, "benchmarks/node_top_n_words.py", "--size-mb", "1", "--runs", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = r"node / naive: (\d+\.\d+) times the throughput, (\d+\.\d+) times the memory"
    found = re.search(told, done.stdout)
    assert found is not None, done.stdout
    assert all(float(ratio) > 0 for ratio in found.groups())
    assert "benchmarks/node_top_n_words.py" in (ROOT / "Makefile").read_text()
