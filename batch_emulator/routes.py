"""The operations of the Batch data plane, api-version 2025-06-01: one line each.

This table is the coverage list. An operation without a handler is known but not emulated: refused by name.
Operations bear the names of the Python SDK's methods, without `begin_`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

from batch_emulator import errors
from batch_emulator.calls import Call, Reply
from batch_emulator.handlers import account, files, jobs, nodes, pools, schedules, tasks, upkeep

Handler = Callable[[Call], Reply]


class Evidence(Enum):
    """How one knows what an operation takes and answers: a mark, and the source."""

    RECORDED = (
        "as recorded",
        "recorded traffic of the service, api-version 2022-01-01.15.0, replayed by a test",
    )
    TESTED = (
        "as documented, and tested",
        "the REST reference; Microsoft's own tests of azure-batch 15.1.0 pass",
    )
    DOCUMENTED = ("as documented", "the REST reference")

    def __init__(self, mark: str, source: str) -> None:
        """Spell the parts of the value."""
        self.mark = mark
        self.source = source


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the REST reference."""

    name: str
    method: str
    path: str
    handler: Handler | None = None
    evidence: Evidence = Evidence.DOCUMENTED
    unlike: str = ""
    """What it does not do as the service does."""


OPERATIONS: tuple[Operation, ...] = (
    # Pools
    Operation(
        "create_pool",
        "POST",
        "/pools",
        pools.create,
        evidence=Evidence.RECORDED,
        unlike="its nodes are directories on this machine, whatever image it names",
    ),
    Operation("list_pools", "GET", "/pools", pools.list_all, evidence=Evidence.TESTED),
    Operation("delete_pool", "DELETE", "/pools/{poolId}", pools.delete, evidence=Evidence.RECORDED),
    Operation("pool_exists", "HEAD", "/pools/{poolId}", pools.exists, evidence=Evidence.TESTED),
    Operation("get_pool", "GET", "/pools/{poolId}", pools.get, evidence=Evidence.RECORDED),
    Operation("update_pool", "PATCH", "/pools/{poolId}", pools.update, evidence=Evidence.TESTED),
    Operation(
        "disable_pool_auto_scale",
        "POST",
        "/pools/{poolId}/disableautoscale",
        pools.disable_auto_scale,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "enable_pool_auto_scale",
        "POST",
        "/pools/{poolId}/enableautoscale",
        pools.enable_auto_scale,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "evaluate_pool_auto_scale",
        "POST",
        "/pools/{poolId}/evaluateautoscale",
        pools.evaluate_auto_scale,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "resize_pool",
        "POST",
        "/pools/{poolId}/resize",
        pools.resize,
        evidence=Evidence.TESTED,
        unlike="no capacity is missing unless a fault says so",
    ),
    Operation(
        "stop_pool_resize", "POST", "/pools/{poolId}/stopresize", pools.stop_resize, evidence=Evidence.TESTED
    ),
    Operation(
        "replace_pool_properties",
        "POST",
        "/pools/{poolId}/updateproperties",
        pools.replace_properties,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "remove_nodes", "POST", "/pools/{poolId}/removenodes", pools.remove_nodes, evidence=Evidence.TESTED
    ),
    # Nodes
    Operation(
        "create_node_user",
        "POST",
        "/pools/{poolId}/nodes/{nodeId}/users",
        upkeep.create_user,
        evidence=Evidence.TESTED,
        unlike="nobody can sign in as the user",
    ),
    Operation(
        "delete_node_user",
        "DELETE",
        "/pools/{poolId}/nodes/{nodeId}/users/{userName}",
        upkeep.delete_user,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "replace_node_user",
        "PUT",
        "/pools/{poolId}/nodes/{nodeId}/users/{userName}",
        upkeep.replace_user,
        evidence=Evidence.TESTED,
        unlike="nobody can sign in as the user",
    ),
    Operation("get_node", "GET", "/pools/{poolId}/nodes/{nodeId}", nodes.get, evidence=Evidence.TESTED),
    Operation(
        "reboot_node",
        "POST",
        "/pools/{poolId}/nodes/{nodeId}/reboot",
        upkeep.reboot,
        evidence=Evidence.TESTED,
        unlike="processes end and states pass; no machine restarts",
    ),
    Operation(
        "start_node",
        "POST",
        "/pools/{poolId}/nodes/{nodeId}/start",
        upkeep.start,
        unlike="states pass; no machine starts",
    ),
    Operation(
        "reimage_node",
        "POST",
        "/pools/{poolId}/nodes/{nodeId}/reimage",
        upkeep.reimage,
        unlike="the node's files are removed; no image is laid down",
    ),
    Operation(
        "deallocate_node",
        "POST",
        "/pools/{poolId}/nodes/{nodeId}/deallocate",
        upkeep.deallocate,
        unlike="states pass; no machine stops",
    ),
    Operation(
        "disable_node_scheduling",
        "POST",
        "/pools/{poolId}/nodes/{nodeId}/disablescheduling",
        upkeep.disable_scheduling,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "enable_node_scheduling",
        "POST",
        "/pools/{poolId}/nodes/{nodeId}/enablescheduling",
        upkeep.enable_scheduling,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "get_node_remote_login_settings",
        "GET",
        "/pools/{poolId}/nodes/{nodeId}/remoteloginsettings",
        nodes.login_settings,
        evidence=Evidence.TESTED,
        unlike="nobody answers there",
    ),
    Operation(
        "upload_node_logs",
        "POST",
        "/pools/{poolId}/nodes/{nodeId}/uploadbatchservicelogs",
        nodes.upload_logs,
        evidence=Evidence.TESTED,
        unlike="the log is the emulator's own, about this node",
    ),
    Operation("list_nodes", "GET", "/pools/{poolId}/nodes", nodes.list_all, evidence=Evidence.RECORDED),
    Operation(
        "get_node_extension",
        "GET",
        "/pools/{poolId}/nodes/{nodeId}/extensions/{extensionName}",
        nodes.get_extension,
        evidence=Evidence.TESTED,
        unlike="extensions are told of, none is installed",
    ),
    Operation(
        "list_node_extensions",
        "GET",
        "/pools/{poolId}/nodes/{nodeId}/extensions",
        nodes.list_extensions,
        evidence=Evidence.TESTED,
        unlike="extensions are told of, none is installed",
    ),
    # Jobs
    Operation("delete_job", "DELETE", "/jobs/{jobId}", jobs.delete, evidence=Evidence.RECORDED),
    Operation("get_job", "GET", "/jobs/{jobId}", jobs.get, evidence=Evidence.RECORDED),
    Operation("update_job", "PATCH", "/jobs/{jobId}", jobs.update, evidence=Evidence.RECORDED),
    Operation("replace_job", "PUT", "/jobs/{jobId}", jobs.replace, evidence=Evidence.TESTED),
    Operation("disable_job", "POST", "/jobs/{jobId}/disable", jobs.disable, evidence=Evidence.TESTED),
    Operation("enable_job", "POST", "/jobs/{jobId}/enable", jobs.enable, evidence=Evidence.TESTED),
    Operation("terminate_job", "POST", "/jobs/{jobId}/terminate", jobs.terminate, evidence=Evidence.TESTED),
    Operation("create_job", "POST", "/jobs", jobs.create, evidence=Evidence.RECORDED),
    Operation("list_jobs", "GET", "/jobs", jobs.list_all, evidence=Evidence.TESTED),
    Operation(
        "list_job_preparation_and_release_task_status",
        "GET",
        "/jobs/{jobId}/jobpreparationandreleasetaskstatus",
        jobs.preparation_and_release,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "get_job_task_counts", "GET", "/jobs/{jobId}/taskcounts", jobs.task_counts, evidence=Evidence.TESTED
    ),
    # Job schedules
    Operation(
        "list_jobs_from_schedule",
        "GET",
        "/jobschedules/{jobScheduleId}/jobs",
        schedules.list_jobs,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "job_schedule_exists",
        "HEAD",
        "/jobschedules/{jobScheduleId}",
        schedules.exists,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "delete_job_schedule",
        "DELETE",
        "/jobschedules/{jobScheduleId}",
        schedules.delete,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "get_job_schedule", "GET", "/jobschedules/{jobScheduleId}", schedules.get, evidence=Evidence.TESTED
    ),
    Operation(
        "update_job_schedule",
        "PATCH",
        "/jobschedules/{jobScheduleId}",
        schedules.update,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "replace_job_schedule",
        "PUT",
        "/jobschedules/{jobScheduleId}",
        schedules.replace,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "disable_job_schedule",
        "POST",
        "/jobschedules/{jobScheduleId}/disable",
        schedules.disable,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "enable_job_schedule",
        "POST",
        "/jobschedules/{jobScheduleId}/enable",
        schedules.enable,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "terminate_job_schedule",
        "POST",
        "/jobschedules/{jobScheduleId}/terminate",
        schedules.terminate,
        evidence=Evidence.TESTED,
    ),
    Operation("create_job_schedule", "POST", "/jobschedules", schedules.create, evidence=Evidence.TESTED),
    Operation("list_job_schedules", "GET", "/jobschedules", schedules.list_all, evidence=Evidence.TESTED),
    # Tasks
    Operation(
        "create_task",
        "POST",
        "/jobs/{jobId}/tasks",
        tasks.create,
        evidence=Evidence.TESTED,
        unlike="the command runs as the user who started the emulator",
    ),
    Operation("list_tasks", "GET", "/jobs/{jobId}/tasks", tasks.list_all, evidence=Evidence.RECORDED),
    Operation(
        "create_task_collection",
        "POST",
        "/jobs/{jobId}/addtaskcollection",
        tasks.create_collection,
        evidence=Evidence.RECORDED,
        unlike="the commands run as the user who started the emulator",
    ),
    Operation(
        "delete_task", "DELETE", "/jobs/{jobId}/tasks/{taskId}", tasks.delete, evidence=Evidence.TESTED
    ),
    Operation("get_task", "GET", "/jobs/{jobId}/tasks/{taskId}", tasks.get, evidence=Evidence.RECORDED),
    Operation("replace_task", "PUT", "/jobs/{jobId}/tasks/{taskId}", tasks.replace, evidence=Evidence.TESTED),
    Operation(
        "list_subtasks",
        "GET",
        "/jobs/{jobId}/tasks/{taskId}/subtasksinfo",
        tasks.list_subtasks,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "terminate_task",
        "POST",
        "/jobs/{jobId}/tasks/{taskId}/terminate",
        tasks.terminate,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "reactivate_task",
        "POST",
        "/jobs/{jobId}/tasks/{taskId}/reactivate",
        tasks.reactivate,
        evidence=Evidence.TESTED,
    ),
    # Files
    Operation(
        "delete_task_file",
        "DELETE",
        "/jobs/{jobId}/tasks/{taskId}/files/{filePath}",
        files.delete_from_task,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "download_task_file",
        "GET",
        "/jobs/{jobId}/tasks/{taskId}/files/{filePath}",
        files.download_from_task,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "get_task_file_properties",
        "HEAD",
        "/jobs/{jobId}/tasks/{taskId}/files/{filePath}",
        files.properties_from_task,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "list_task_files",
        "GET",
        "/jobs/{jobId}/tasks/{taskId}/files",
        files.list_from_task,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "delete_node_file",
        "DELETE",
        "/pools/{poolId}/nodes/{nodeId}/files/{filePath}",
        files.delete_from_node,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "download_node_file",
        "GET",
        "/pools/{poolId}/nodes/{nodeId}/files/{filePath}",
        files.download_from_node,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "get_node_file_properties",
        "HEAD",
        "/pools/{poolId}/nodes/{nodeId}/files/{filePath}",
        files.properties_from_node,
        evidence=Evidence.TESTED,
    ),
    Operation(
        "list_node_files",
        "GET",
        "/pools/{poolId}/nodes/{nodeId}/files",
        files.list_from_node,
        evidence=Evidence.TESTED,
    ),
    # Account and applications
    Operation(
        "list_applications",
        "GET",
        "/applications",
        account.list_applications,
        unlike="there are none: they are made by the management plane",
    ),
    Operation(
        "get_application",
        "GET",
        "/applications/{applicationId}",
        account.get_application,
        unlike="there are none: they are made by the management plane",
    ),
    Operation(
        "list_pool_usage_metrics",
        "GET",
        "/poolusagemetrics",
        account.list_usage_metrics,
        unlike="of the emulated nodes since the start",
    ),
    Operation(
        "list_supported_images", "GET", "/supportedimages", account.list_images, evidence=Evidence.RECORDED
    ),
    Operation(
        "list_pool_node_counts", "GET", "/nodecounts", account.list_node_counts, evidence=Evidence.TESTED
    ),
)


@dataclass(slots=True)
class _Branch:
    """One segment of the paths: what may follow, and the operations that end here by method."""

    fixed: dict[str, "_Branch"]
    placeholder: str
    variable: "_Branch | None"
    operations: dict[str, Operation]


def _new_branch() -> _Branch:
    return _Branch({}, "", None, {})


def _tree(operations: tuple[Operation, ...]) -> _Branch:
    root = _new_branch()
    for operation in operations:
        branch = root
        for segment in operation.path.strip("/").split("/"):
            if segment.startswith("{"):
                branch.placeholder = segment[1:-1]
                branch.variable = branch.variable or _new_branch()
                branch = branch.variable
            else:
                branch = branch.fixed.setdefault(segment, _new_branch())
        branch.operations[operation.method] = operation
    return root


_ROOT = _tree(OPERATIONS)


def route(method: str, raw_path: str) -> tuple[Operation, dict[str, str]]:
    """The operation for a path as it was sent (percent-encoded), and the ids in it, decoded.

    A file path may span several segments: the service takes `wd%2Fa.txt` and `wd/a.txt` alike.

    Raises:
        InvalidUri: no operation has such a path.
        UnsupportedHttpVerb: none has it with this method.
    """
    branch, ids = _ROOT, dict[str, str]()
    segments = raw_path.strip("/").split("/")
    for index, segment in enumerate(segments):
        fixed, variable = branch.fixed.get(segment.lower()), branch.variable
        if fixed is not None:
            branch = fixed
            continue
        if variable is None or not segment:
            raise errors.InvalidUri
        rest_is_a_path = branch.placeholder == "filePath"
        ids[branch.placeholder] = unquote("/".join(segments[index:]) if rest_is_a_path else segment)
        branch = variable
        if rest_is_a_path:
            break
    if not branch.operations:
        raise errors.InvalidUri
    if method not in branch.operations:
        raise errors.UnsupportedHttpVerb
    return branch.operations[method], ids
