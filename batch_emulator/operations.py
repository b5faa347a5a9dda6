"""The operations of the Batch data plane, api-version 2025-06-01: one line each.

This table is the coverage list. An operation without a handler is known but not emulated: refused by name.
Operations bear the names of the Python SDK's methods, without `begin_`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

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
        "the REST reference; Microsoft's own tests of azure-batch 15.1.0 use it and pass",
    )
    DOCUMENTED = ("as documented", "the REST reference")

    def __init__(self, mark: str, source: str) -> None:
        """Spell the parts of the value."""
        self.mark = mark
        self.source = source


RECORDED, DOCUMENTED = Evidence.RECORDED, Evidence.DOCUMENTED


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the REST reference."""

    name: str
    method: str
    path: str
    handler: Handler | None = None
    evidence: Evidence = Evidence.TESTED


OPERATIONS: tuple[Operation, ...] = (
    # Pools
    Operation("create_pool", "POST", "/pools", pools.create, RECORDED),
    Operation("list_pools", "GET", "/pools", pools.list_all),
    Operation("delete_pool", "DELETE", "/pools/{poolId}", pools.delete, RECORDED),
    Operation("pool_exists", "HEAD", "/pools/{poolId}", pools.exists),
    Operation("get_pool", "GET", "/pools/{poolId}", pools.get, RECORDED),
    Operation("update_pool", "PATCH", "/pools/{poolId}", pools.update),
    Operation(
        "disable_pool_auto_scale", "POST", "/pools/{poolId}/disableautoscale", pools.disable_auto_scale
    ),
    Operation("enable_pool_auto_scale", "POST", "/pools/{poolId}/enableautoscale", pools.enable_auto_scale),
    Operation(
        "evaluate_pool_auto_scale", "POST", "/pools/{poolId}/evaluateautoscale", pools.evaluate_auto_scale
    ),
    Operation("resize_pool", "POST", "/pools/{poolId}/resize", pools.resize),
    Operation("stop_pool_resize", "POST", "/pools/{poolId}/stopresize", pools.stop_resize),
    Operation(
        "replace_pool_properties", "POST", "/pools/{poolId}/updateproperties", pools.replace_properties
    ),
    Operation("remove_nodes", "POST", "/pools/{poolId}/removenodes", pools.remove_nodes),
    # Nodes
    Operation("create_node_user", "POST", "/pools/{poolId}/nodes/{nodeId}/users", upkeep.create_user),
    Operation(
        "delete_node_user", "DELETE", "/pools/{poolId}/nodes/{nodeId}/users/{userName}", upkeep.delete_user
    ),
    Operation(
        "replace_node_user", "PUT", "/pools/{poolId}/nodes/{nodeId}/users/{userName}", upkeep.replace_user
    ),
    Operation("get_node", "GET", "/pools/{poolId}/nodes/{nodeId}", nodes.get),
    Operation("reboot_node", "POST", "/pools/{poolId}/nodes/{nodeId}/reboot", upkeep.reboot),
    Operation("start_node", "POST", "/pools/{poolId}/nodes/{nodeId}/start", upkeep.start, DOCUMENTED),
    Operation("reimage_node", "POST", "/pools/{poolId}/nodes/{nodeId}/reimage", upkeep.reimage, DOCUMENTED),
    Operation(
        "deallocate_node", "POST", "/pools/{poolId}/nodes/{nodeId}/deallocate", upkeep.deallocate, DOCUMENTED
    ),
    Operation(
        "disable_node_scheduling",
        "POST",
        "/pools/{poolId}/nodes/{nodeId}/disablescheduling",
        upkeep.disable_scheduling,
    ),
    Operation(
        "enable_node_scheduling",
        "POST",
        "/pools/{poolId}/nodes/{nodeId}/enablescheduling",
        upkeep.enable_scheduling,
    ),
    Operation(
        "get_node_remote_login_settings",
        "GET",
        "/pools/{poolId}/nodes/{nodeId}/remoteloginsettings",
        nodes.login_settings,
    ),
    Operation(
        "upload_node_logs", "POST", "/pools/{poolId}/nodes/{nodeId}/uploadbatchservicelogs", nodes.upload_logs
    ),
    Operation("list_nodes", "GET", "/pools/{poolId}/nodes", nodes.list_all, RECORDED),
    Operation(
        "get_node_extension",
        "GET",
        "/pools/{poolId}/nodes/{nodeId}/extensions/{extensionName}",
        nodes.get_extension,
    ),
    Operation(
        "list_node_extensions", "GET", "/pools/{poolId}/nodes/{nodeId}/extensions", nodes.list_extensions
    ),
    # Jobs
    Operation("delete_job", "DELETE", "/jobs/{jobId}", jobs.delete, RECORDED),
    Operation("get_job", "GET", "/jobs/{jobId}", jobs.get, RECORDED),
    Operation("update_job", "PATCH", "/jobs/{jobId}", jobs.update, RECORDED),
    Operation("replace_job", "PUT", "/jobs/{jobId}", jobs.replace),
    Operation("disable_job", "POST", "/jobs/{jobId}/disable", jobs.disable),
    Operation("enable_job", "POST", "/jobs/{jobId}/enable", jobs.enable),
    Operation("terminate_job", "POST", "/jobs/{jobId}/terminate", jobs.terminate),
    Operation("create_job", "POST", "/jobs", jobs.create, RECORDED),
    Operation("list_jobs", "GET", "/jobs", jobs.list_all),
    Operation(
        "list_job_preparation_and_release_task_status",
        "GET",
        "/jobs/{jobId}/jobpreparationandreleasetaskstatus",
        jobs.preparation_and_release,
    ),
    Operation("get_job_task_counts", "GET", "/jobs/{jobId}/taskcounts", jobs.task_counts),
    # Job schedules
    Operation("list_jobs_from_schedule", "GET", "/jobschedules/{jobScheduleId}/jobs", schedules.list_jobs),
    Operation("job_schedule_exists", "HEAD", "/jobschedules/{jobScheduleId}", schedules.exists),
    Operation("delete_job_schedule", "DELETE", "/jobschedules/{jobScheduleId}", schedules.delete),
    Operation("get_job_schedule", "GET", "/jobschedules/{jobScheduleId}", schedules.get),
    Operation("update_job_schedule", "PATCH", "/jobschedules/{jobScheduleId}", schedules.update),
    Operation("replace_job_schedule", "PUT", "/jobschedules/{jobScheduleId}", schedules.replace),
    Operation("disable_job_schedule", "POST", "/jobschedules/{jobScheduleId}/disable", schedules.disable),
    Operation("enable_job_schedule", "POST", "/jobschedules/{jobScheduleId}/enable", schedules.enable),
    Operation(
        "terminate_job_schedule", "POST", "/jobschedules/{jobScheduleId}/terminate", schedules.terminate
    ),
    Operation("create_job_schedule", "POST", "/jobschedules", schedules.create),
    Operation("list_job_schedules", "GET", "/jobschedules", schedules.list_all),
    # Tasks
    Operation("create_task", "POST", "/jobs/{jobId}/tasks", tasks.create),
    Operation("list_tasks", "GET", "/jobs/{jobId}/tasks", tasks.list_all, RECORDED),
    Operation(
        "create_task_collection", "POST", "/jobs/{jobId}/addtaskcollection", tasks.create_collection, RECORDED
    ),
    Operation("delete_task", "DELETE", "/jobs/{jobId}/tasks/{taskId}", tasks.delete),
    Operation("get_task", "GET", "/jobs/{jobId}/tasks/{taskId}", tasks.get, RECORDED),
    Operation("replace_task", "PUT", "/jobs/{jobId}/tasks/{taskId}", tasks.replace),
    Operation("list_subtasks", "GET", "/jobs/{jobId}/tasks/{taskId}/subtasksinfo", tasks.list_subtasks),
    Operation("terminate_task", "POST", "/jobs/{jobId}/tasks/{taskId}/terminate", tasks.terminate),
    Operation("reactivate_task", "POST", "/jobs/{jobId}/tasks/{taskId}/reactivate", tasks.reactivate),
    # Files
    Operation(
        "delete_task_file", "DELETE", "/jobs/{jobId}/tasks/{taskId}/files/{filePath}", files.delete_from_task
    ),
    Operation(
        "download_task_file", "GET", "/jobs/{jobId}/tasks/{taskId}/files/{filePath}", files.download_from_task
    ),
    Operation(
        "get_task_file_properties",
        "HEAD",
        "/jobs/{jobId}/tasks/{taskId}/files/{filePath}",
        files.properties_from_task,
    ),
    Operation("list_task_files", "GET", "/jobs/{jobId}/tasks/{taskId}/files", files.list_from_task),
    Operation(
        "delete_node_file",
        "DELETE",
        "/pools/{poolId}/nodes/{nodeId}/files/{filePath}",
        files.delete_from_node,
    ),
    Operation(
        "download_node_file",
        "GET",
        "/pools/{poolId}/nodes/{nodeId}/files/{filePath}",
        files.download_from_node,
    ),
    Operation(
        "get_node_file_properties",
        "HEAD",
        "/pools/{poolId}/nodes/{nodeId}/files/{filePath}",
        files.properties_from_node,
    ),
    Operation("list_node_files", "GET", "/pools/{poolId}/nodes/{nodeId}/files", files.list_from_node),
    # Account and applications
    Operation("list_applications", "GET", "/applications", account.list_applications, DOCUMENTED),
    Operation("get_application", "GET", "/applications/{applicationId}", account.get_application, DOCUMENTED),
    Operation("list_pool_usage_metrics", "GET", "/poolusagemetrics", account.list_usage_metrics, DOCUMENTED),
    Operation("list_supported_images", "GET", "/supportedimages", account.list_images, RECORDED),
    Operation("list_pool_node_counts", "GET", "/nodecounts", account.list_node_counts),
)

_NO_STATISTICS = "`$expand=stats` is taken; there are none, for nothing is measured"

UNLIKE: Mapping[str, str] = {
    "create_node_user": "nobody can sign in as the user",
    "create_pool": "its nodes are directories on this machine, whatever image it names; nothing is mounted",
    "create_task": "the command runs as the user who started the emulator",
    "create_task_collection": "the commands run as the user who started the emulator",
    "deallocate_node": "states pass; no machine stops",
    "get_application": "there are none: the management plane makes them",
    "get_job": _NO_STATISTICS,
    "get_job_schedule": _NO_STATISTICS,
    "get_node_extension": "extensions are told of, none is installed",
    "get_node_remote_login_settings": "nobody answers there",
    "get_pool": _NO_STATISTICS,
    "get_task": _NO_STATISTICS,
    "list_applications": "there are none: the management plane makes them",
    "list_job_schedules": _NO_STATISTICS,
    "list_jobs": _NO_STATISTICS,
    "list_jobs_from_schedule": _NO_STATISTICS,
    "list_node_extensions": "extensions are told of, none is installed",
    "list_pool_usage_metrics": "what the emulated nodes used since the start",
    "list_pools": _NO_STATISTICS,
    "list_tasks": _NO_STATISTICS,
    "reboot_node": "processes end and states pass; no machine restarts",
    "reimage_node": "the node's files are removed; no image is laid down",
    "replace_node_user": "nobody can sign in as the user",
    "resize_pool": "there is always capacity, unless a fault says otherwise",
    "start_node": "states pass; no machine starts",
    "upload_node_logs": "the log is the emulator's own, about this node",
}
"""What operations do not do as the service does, by name."""
