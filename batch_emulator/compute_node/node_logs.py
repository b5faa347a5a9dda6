"""The log files of a node, as they are gathered for whoever looks into a trouble.

Its agent's log tells what the emulator knows of the node; the outputs of the start task come with it.
"""

from batch_emulator.compute_node.directories import NodeDirectories
from batch_emulator.compute_node.transfers import Transfers
from batch_emulator.outcomes import Failure
from batch_emulator.resources import Node
from batch_emulator.wire.values import timestamp

AGENT_LOG = "agent.log"


def files(node: Node, directories: NodeDirectories, begin: float, end: float) -> list[str]:
    """The names of the log files with something from between two times, relative to the node's root.

    A file counts as written from its node's allocation to its last change (the service looks at its lines).
    """
    if node.allocated > end:
        return []
    outputs = [
        path.relative_to(directories.root).as_posix()
        for path in (directories.start_task.stdout, directories.start_task.stderr)
        if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= begin
    ]
    return [f"volatile/{AGENT_LOG}", *outputs]


async def upload(
    names: list[str],
    text: str,
    directories: NodeDirectories,
    transfers: Transfers,
    container_url: str,
    directory: str,
) -> None:
    """Write the agent's log anew and store all files below `directory` of the container.

    Raises:
        TransferError: one of them cannot be stored; those before it are.
        OSError: one of them cannot be read or written.
    """
    log = directories.root / "volatile" / AGENT_LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    log.write_text(text, encoding="utf-8")
    for name in names:
        await transfers.upload(directories.root / name, container_url, f"{directory}/{name}", {})


def agent_log(node: Node, now: float) -> str:
    """What is known of a node, one line for each thing that happened to it."""
    lines = [(node.allocated, f"node {node.id} allocated to pool {node.pool_id}")]
    if node.booted is not None:
        lines.append((node.booted, "booted"))
    if node.start_task is not None:
        lines.append((node.start_task.started, "start task started"))
        if node.start_task.ended is not None:
            ended = f"start task ended with exit code {node.start_task.exit_code}"
            lines.append((node.start_task.ended, ended))
    lines.append((node.state_since, f"state {node.state.value}"))
    lines += [(node.state_since, f"error {_told(error)}") for error in node.errors]
    lines += [(now, f"ran task {task.task_id} of job {task.job_id}") for task in node.recent]
    return "".join(f"{timestamp(when)} {what}\n" for when, what in sorted(lines, key=lambda line: line[0]))


def _told(error: Failure) -> str:
    return f"{error.code}: {error.message}"
