"""Which query parameters each operation takes (documented); any other is refused by name.

That the service refuses them so is assumed: its table of errors has a code for it. Names are compared
without their case, for `timeOut` and `startTime` have been spelled in more than one way.
"""

from collections.abc import Mapping

from batch_emulator.errors import InvalidQueryParameterValue, UnsupportedQueryParameter

_COMMON = frozenset({"api-version", "timeout"})
_LIST = "maxresults $skiptoken"
_RESOURCES = f"{_LIST} $filter $select $expand"
_ONE = "$select $expand"
_END = "force forceafterseconds"
"""The first since 2023-11-01.18.0, the second in preview versions before (both documented)."""
_FLAGS = ("force", "recursive")

_TAKEN: Mapping[str, str] = {
    "delete_job": _END,
    "delete_job_schedule": _END,
    "delete_node_file": "recursive",
    "delete_task_file": "recursive",
    "get_job": _ONE,
    "get_job_schedule": _ONE,
    "get_node": "$select",
    "get_node_extension": "$select",
    "get_pool": _ONE,
    "get_task": _ONE,
    "list_applications": _LIST,
    "list_certificates": f"{_LIST} $filter $select",
    "list_job_preparation_and_release_task_status": f"{_LIST} $filter $select",
    "list_job_schedules": _RESOURCES,
    "list_jobs": _RESOURCES,
    "list_jobs_from_schedule": _RESOURCES,
    "list_node_agent_skus": f"{_LIST} $filter",
    "list_node_extensions": f"{_LIST} $select",
    "list_node_files": f"{_LIST} $filter recursive",
    "list_nodes": f"{_LIST} $filter $select",
    "list_pool_node_counts": f"{_LIST} $filter",
    "list_pool_usage_metrics": f"{_LIST} $filter starttime endtime",
    "list_pools": _RESOURCES,
    "list_subtasks": f"{_LIST} $select",
    "list_supported_images": f"{_LIST} $filter",
    "list_task_files": f"{_LIST} $filter recursive",
    "list_tasks": _RESOURCES,
    "terminate_job": _END,
    "terminate_job_schedule": _END,
}
TAKEN: Mapping[str, frozenset[str]] = {name: frozenset(text.split()) for name, text in _TAKEN.items()}
"""By operation, in lower case; what all of them take is left out."""


def check(operation: str, query: Mapping[str, str]) -> None:
    """Hold the names in a query, and the flags among its values, against what an operation takes.

    Raises:
        UnsupportedQueryParameter: the operation has no such parameter.
        InvalidQueryParameterValue: a flag is neither `true` nor `false`.
    """
    taken = TAKEN.get(operation, frozenset())
    for name, value in query.items():
        plain = name.lower()
        if plain not in _COMMON and plain not in taken:
            raise UnsupportedQueryParameter(QueryParameterName=name[:100])
        if plain in _FLAGS and value.lower() not in ("true", "false"):
            raise InvalidQueryParameterValue(
                QueryParameterName=name, QueryParameterValue=value[:100], Reason="It must be true or false."
            )
