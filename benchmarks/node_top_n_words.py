"""The node script against the naive script: throughput and peak memory, as ratios of one run.

Both are whole processes of the same Python on the same generated text, timed in turns; the medians are
compared. Memory is what all processes of a script hold at once, shared pages divided among them (the `Pss` of
/proc/PID/smaps_rollup), sampled in a run of its own, because sampling slows a process down.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
NODE_SCRIPT = PROJECT / "node" / "top_n_words.py"
MAKE_TEXT = PROJECT / "examples" / "make_large_text.py"
MB = 1_000_000
SAMPLE_EVERY_SECONDS = 0.01
NAIVE = """
import string, sys
from collections import Counter

with open(sys.argv[1], encoding="utf-8-sig") as file:
    words = [word.strip(string.punctuation) for word in file.read().split()]
counts = Counter(word for word in words if word)
with open(sys.argv[2], "w", encoding="utf-8") as file:
    for word, count in counts.most_common(int(sys.argv[3])):
        print(f"{word}:\\t{count}", file=file)
"""


def seconds(command: list[str]) -> float:
    """How long the whole process takes."""
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began


def peak_bytes(command: list[str]) -> int:
    """The most that the process and its children hold at once, as seen by sampling."""
    peak = 0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            peak = max(peak, sum(held_bytes(pid) for pid in family(process.pid)))
            time.sleep(SAMPLE_EVERY_SECONDS)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return peak


def family(pid: int) -> list[int]:
    """The process and its children."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [pid, *map(int, children.split())]


def held_bytes(pid: int) -> int:
    """The process's share of the memory in use; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def words_of(table: Path) -> list[str]:
    """The lines of a result that name a word."""
    return [line for line in table.read_text("utf-8").splitlines() if ":\t" in line]


def report(name: str, times: list[float], size: int, peak: int) -> None:
    """One line of the result."""
    rate = size / MB / statistics.median(times)
    print(f"{name:12} {statistics.median(times):7.2f} s  {rate:7.1f} MB/s  {peak / MB:8.1f} MB of memory")


def compare(text: Path, folder: Path, runs: int, n: int) -> None:
    """Run both in turns, check that they agree, print the comparison."""
    isolated = [sys.executable, "-I", "-S"]
    node_table, naive_table = folder / "node.txt", folder / "naive.txt"
    node = [*isolated, str(NODE_SCRIPT), str(text), "--n", str(n), "--output", str(node_table)]
    naive = [*isolated, "-c", NAIVE, str(text), str(naive_table), str(n)]
    node_times, naive_times = [], []
    for _ in range(runs):
        naive_times.append(seconds(naive))
        node_times.append(seconds(node))
    if words_of(node_table) != words_of(naive_table):
        sys.exit("The two scripts disagree.")
    node_peak, naive_peak = peak_bytes(node), peak_bytes(naive)
    size = text.stat().st_size
    report("naive script", naive_times, size, naive_peak)
    report("node script", node_times, size, node_peak)
    faster = statistics.median(naive_times) / statistics.median(node_times)
    print(f"node / naive: {faster:.2f} times the throughput, {node_peak / naive_peak:.3f} times the memory")


def main() -> None:
    """Generate the text and compare."""
    parser = argparse.ArgumentParser(description="Compare the node script with the naive script.")
    parser.add_argument("--size-mb", type=float, default=100, help="of the generated text (default: 100)")
    parser.add_argument(
        "--runs", type=int, default=5, help="of each script; medians are compared (default: 5)"
    )
    parser.add_argument("--n", type=int, default=10, help="how many words (default: 10)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = folder / "text.txt"
        subprocess.run([sys.executable, str(MAKE_TEXT), str(options.size_mb), str(text)], check=True)
        compare(text, folder, options.runs, options.n)


if __name__ == "__main__":
    main()
