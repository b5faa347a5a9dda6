"""The operations on the files of tasks and nodes."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import quote

from batch_emulator import errors
from batch_emulator.calls import Call, Reply
from batch_emulator.compute_node import node_files
from batch_emulator.compute_node.node_files import NodeFile
from batch_emulator.handlers import nodes, pools, tasks
from batch_emulator.handlers.listing import listing
from batch_emulator.resources import Document, Node
from batch_emulator.scheduler.upkeep import OUT_OF_REACH
from batch_emulator.wire.values import http_date, timestamp


def _task_root(call: Call) -> Path:
    task = tasks.find(call)
    if task.node_id is None or task.pool_id is None:
        raise errors.TaskFilesUnavailable
    if task.files_removed:
        raise errors.TaskFilesCleanedup
    node = call.emulator.world.node(task.pool_id.lower(), task.node_id)
    _check_reachable(node)
    directories = call.emulator.runner.node_directories(task.pool_id, task.node_id)
    return directories.task(task.job_id, task.id).task


def _node_root(call: Call) -> Path:
    pool, node = pools.find(call), nodes.find(call)
    _check_reachable(node)
    directories = call.emulator.runner.node_directories(pool.id, node.id)
    directories.create()
    return directories.root


def _check_reachable(node: Node | None) -> None:
    # Files are served by the node: when it is gone, so are they (409 NodeNotReady, seen by users).
    if node is None or node.state in OUT_OF_REACH:
        raise errors.NodeNotReady


def _found(act: Callable[[], NodeFile]) -> NodeFile:
    try:
        return act()
    except node_files.FileNotFound:
        raise errors.FileNotFound from None


def _headers(call: Call, file: NodeFile) -> dict[str, str]:
    url = f"{call.base_url}{call.raw_path}"
    return {
        "Last-Modified": http_date(file.modified),
        "ocp-creation-time": http_date(file.created),
        "ocp-batch-file-isdirectory": str(file.is_directory),
        "ocp-batch-file-mode": f"0o{file.mode:o}",
        "ocp-batch-file-url": quote(url, safe=""),
        "Content-Type": file.content_type,
    }


def _properties(call: Call, root: Path) -> Reply:
    file = _found(lambda: node_files.describe(root, call.path["filePath"]))
    call.check_conditions("", file.modified)
    return Reply(200, None, {**_headers(call, file), "Content-Length": str(file.size)})


def _download(call: Call, root: Path) -> Reply:
    try:
        content = node_files.read(root, call.path["filePath"], call.headers.get("ocp-range"))
    except node_files.FileNotFound:
        raise errors.FileNotFound from None
    except node_files.InvalidRange as error:
        raise errors.InvalidRange(Reason=str(error)) from None
    call.check_conditions("", content.file.modified)
    headers = {**_headers(call, content.file), "Content-Length": str(content.length)}
    return Reply(200, None, headers, _chunks(content))


async def _chunks(content: node_files.Content) -> AsyncIterator[bytes]:
    for chunk in content.chunks():
        yield chunk


def _delete(call: Call, root: Path) -> Reply:
    recursive = call.query.get("recursive", "false").lower() == "true"
    try:
        node_files.delete(root, call.path["filePath"], recursive=recursive)
    except node_files.FileNotFound:
        raise errors.FileNotFound from None
    except node_files.DirectoryNotEmpty:
        raise errors.OperationInvalidForCurrentState(
            Reason="The directory is not empty; ask with recursive=true."
        ) from None
    return Reply(200)


def _list(call: Call, root: Path) -> Reply:
    recursive = call.query.get("recursive", "false").lower() == "true"
    try:
        files = node_files.list_files(root, recursive=recursive)
    except node_files.FileNotFound:
        raise errors.TaskFilesUnavailable from None
    places = {file.name: place for place, file in enumerate(files)}
    return listing(
        call,
        "files",
        files,
        render=lambda file: _document(f"{call.base_url}{call.raw_path}", file),
        position=lambda file: places[file.name],
    )


def _document(url: str, file: NodeFile) -> Document:
    document: Document = {
        "name": file.name,
        "url": f"{url}/{quote(file.name)}",
        "isDirectory": file.is_directory,
    }
    if not file.is_directory:
        document["properties"] = {
            "creationTime": timestamp(file.created),
            "lastModified": timestamp(file.modified),
            "contentLength": str(file.size),  # a string (seen in recorded traffic)
            "contentType": file.content_type,
            "fileMode": f"0o{file.mode:o}",
        }
    return document


def list_from_task(call: Call) -> Reply:
    """List the files of a task."""
    return _list(call, _task_root(call))


def properties_from_task(call: Call) -> Reply:
    """Tell about one file of a task, in headers."""
    return _properties(call, _task_root(call))


def download_from_task(call: Call) -> Reply:
    """Give the content of a file of a task."""
    return _download(call, _task_root(call))


def delete_from_task(call: Call) -> Reply:
    """Delete a file of a task."""
    return _delete(call, _task_root(call))


def list_from_node(call: Call) -> Reply:
    """List the files of a node."""
    return _list(call, _node_root(call))


def properties_from_node(call: Call) -> Reply:
    """Tell about one file of a node, in headers."""
    return _properties(call, _node_root(call))


def download_from_node(call: Call) -> Reply:
    """Give the content of a file of a node."""
    return _download(call, _node_root(call))


def delete_from_node(call: Call) -> Reply:
    """Delete a file of a node."""
    return _delete(call, _node_root(call))
