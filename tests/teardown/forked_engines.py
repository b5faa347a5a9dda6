"""Starts processes of Prefect's engine out of one that has imported everything, which takes 5 s.

What such a process does from then on is what `python -m prefect.engine` does, in a session of its own. This
reads ids of flow runs, one a line, and answers with the ids of the processes.
"""

import importlib
import os
import runpy
import signal
import sys

IMPORTED = ("prefect.flow_engine", "flows.top_n_words", "flows.run_command")


def main() -> None:
    """Serve until stdin ends."""
    for module in IMPORTED:
        importlib.import_module(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody has to wait for those who ended
    print("ready", flush=True)
    while run_id := sys.stdin.readline().strip():
        pid = os.fork()
        if pid == 0:
            become_engine(run_id)
            return
        print(pid, flush=True)


def become_engine(run_id: str) -> None:
    """Run the flow run in this process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.argv = ["prefect.engine"]
    os.environ["PREFECT__FLOW_RUN_ID"] = run_id
    runpy.run_module("prefect.engine", run_name="__main__")


if __name__ == "__main__":
    main()
