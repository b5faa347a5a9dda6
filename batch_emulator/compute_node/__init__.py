"""What an emulated node does: its directories, the processes it runs, the blobs it fetches and stores.

Everything here acts and nothing here decides: when a command runs, is tried again or is ended is the
scheduler's. `task_run.run_command` is one attempt from the first directory to the last upload; `node_files`
shows what it left.
"""
