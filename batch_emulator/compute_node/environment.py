"""The environment of a command: the service's variables, then the user's, and nothing else.

Of the emulator's own environment only what a login shell on a node would have too goes through (`INHERITED`);
no account key, no `AZURE_*`, no Prefect or Python setting can.
"""

import os
import pwd
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any

from batch_emulator.compute_node.directories import NodeDirectories, RunDirectories

INHERITED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
"""PATH so that programs are found; language, time zone and temporary directory, for they are the host's."""

RESERVED_DISK_BYTES = "1000000"  # the documentation's own example; the emulator watches no disk

MAX_EXPANSIONS = 10_000
"""How many variables inside the settings of one command are replaced before it is refused."""

_REFERENCE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")


class RunKind(StrEnum):
    """What a command is to the service."""

    TASK = "task"
    START_TASK = "start task"
    JOB_PREPARATION = "job preparation task"
    JOB_RELEASE = "job release task"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeNode:
    """What a command may know of the node that it runs on."""

    account_name: str
    account_url: str
    pool_id: str
    node_id: str
    dedicated: bool
    directories: NodeDirectories
    identities: frozenset[str] = frozenset()
    """Resource ids of the user-assigned identities of its pool, in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunIdentity:
    """Which command this is. A start task has neither a job nor a task id."""

    kind: RunKind
    job_id: str | None = None
    task_id: str | None = None
    preparation_id: str | None = None
    """Id of the job's preparation task, when the job has one."""
    instance: int = 0
    """Which instance of a multi-instance task; 0 is the primary, or the only one."""

    def directories(self, node: ComputeNode) -> RunDirectories:
        """Where it runs on `node`."""
        if self.kind is RunKind.START_TASK:
            return node.directories.start_task
        if self.job_id is None or self.task_id is None:
            raise ValueError(f"a {self.kind.value} needs a job id and a task id")
        directories = node.directories.task(self.job_id, self.task_id)
        return RunDirectories(directories.task / str(self.instance)) if self.instance else directories


def task_environment(
    node: ComputeNode,
    run: RunIdentity,
    *,
    job_settings: Sequence[Mapping[str, Any]] = (),
    settings: Sequence[Mapping[str, Any]] = (),
    host: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """All variables of one command.

    `job_settings` are the job's `commonEnvironmentSettings`, `settings` the task's `environmentSettings`,
    both as on the wire ({name, value}); the task's win (documented). `$NAME` and `${NAME}` in their values
    are expanded; a setting that names itself means the value below it, so `PATH=$HOME/bin:$PATH` works.
    Assumed: what is not set, or closes a loop, stays as it is written; the service's own variables cannot be
    replaced. `host` is the emulator's own environment unless it is given.

    Raises:
        ValueError: a setting has a name or value that no process can have.
    """
    service = service_variables(node, run)
    below = {**_host_variables(node, host), **service}
    if not job_settings and not settings:
        return below
    layers = [below]
    for given in (job_settings, settings):
        named = dict(_setting(one) for one in given)
        layers.append({name: value for name, value in named.items() if name not in service})
    expanded = _Layers(layers)
    return below | {name: expanded.value(name) for layer in layers[1:] for name in layer}


def service_variables(node: ComputeNode, run: RunIdentity) -> dict[str, str]:
    """The documented AZ_BATCH_* variables for this kind of command."""
    task, working, _, _ = run.directories(node).texts()
    variables = {
        **_node_variables(node),
        "AZ_BATCH_TASK_DIR": task,
        "AZ_BATCH_TASK_WORKING_DIR": working,
    }
    if run.job_id is not None and run.task_id is not None:
        variables |= {"AZ_BATCH_JOB_ID": run.job_id, "AZ_BATCH_TASK_ID": run.task_id}
        if run.preparation_id is not None and run.kind is not RunKind.JOB_PREPARATION:
            preparation = node.directories.task(run.job_id, run.preparation_id)
            variables["AZ_BATCH_JOB_PREP_DIR"] = str(preparation.task)
            variables["AZ_BATCH_JOB_PREP_WORKING_DIR"] = str(preparation.working)
    return variables


@lru_cache(maxsize=4096)
def _node_variables(node: ComputeNode) -> Mapping[str, str]:
    """What is the same for all commands of a node."""
    directories = node.directories
    return {
        "AZ_BATCH_ACCOUNT_NAME": node.account_name,
        "AZ_BATCH_ACCOUNT_URL": node.account_url,
        "AZ_BATCH_NODE_ID": node.node_id,
        "AZ_BATCH_NODE_IS_DEDICATED": "true" if node.dedicated else "false",
        "AZ_BATCH_NODE_MOUNTS_DIR": str(directories.mounts),
        "AZ_BATCH_NODE_ROOT_DIR": str(directories.root),
        "AZ_BATCH_NODE_SHARED_DIR": str(directories.shared),
        "AZ_BATCH_NODE_STARTUP_DIR": str(directories.start_task.task),
        "AZ_BATCH_NODE_STARTUP_WORKING_DIR": str(directories.start_task.working),
        "AZ_BATCH_POOL_ID": node.pool_id,
        "AZ_BATCH_RESERVED_DISK_SPACE_BYTES": RESERVED_DISK_BYTES,
        "AZ_BATCH_TASK_RESERVED_EPHEMERAL_DISK_SPACE_BYTES": RESERVED_DISK_BYTES,
    }


def _host_variables(node: ComputeNode, host: Mapping[str, str] | None) -> dict[str, str]:
    user = _user_name()
    variables = {"PATH": os.defpath, "HOME": _home(node), "USER": user, "LOGNAME": user}
    return variables | (_own() if host is None else _inherited(host))


def _inherited(host: Mapping[str, str]) -> dict[str, str]:
    return {name: host[name] for name in INHERITED if name in host}


@cache
def _own() -> dict[str, str]:
    """What the emulator itself inherited; it does not change, and reading it takes time."""
    return _inherited(os.environ)


@lru_cache(maxsize=4096)
def _home(node: ComputeNode) -> str:
    return str(node.directories.home)


@cache
def _user_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run as a number that no list knows
        return str(os.getuid())


def _setting(setting: Mapping[str, Any]) -> tuple[str, str]:
    name, value = setting["name"], setting.get("value") or ""
    if not name or "=" in name or "\0" in name or "\0" in value:
        raise ValueError(f"environment setting {name!r}: no process can have this name or value")
    return name, value


class _Layers:
    """Settings over settings: the last one that has a name gives its value."""

    def __init__(self, layers: Sequence[Mapping[str, str]]) -> None:
        self.layers = layers
        self.expansions = 0

    def value(self, name: str, below: int | None = None, inside: tuple[str, ...] = ()) -> str:
        """The expanded value of `name` in the first `below` layers, met while expanding `inside`."""
        level = max(index for index, layer in enumerate(self.layers[:below]) if name in layer)
        text = self.layers[level][name]
        if level == 0:
            return text  # the service's and the host's values are not expanded again

        def replaced(reference: re.Match[str]) -> str:
            wanted = reference[1] or reference[2]
            itself = wanted == name
            visible = level if itself else None
            if wanted in inside or not any(wanted in layer for layer in self.layers[:visible]):
                return reference[0]
            self.expansions += 1
            if self.expansions > MAX_EXPANSIONS:
                raise ValueError(f"environment setting {name!r}: too many variables inside variables")
            return self.value(wanted, visible, inside if itself else (*inside, name))

        return _REFERENCE.sub(replaced, text)


def expand(text: str, environment: Mapping[str, str]) -> str:
    """`text` with `$NAME` and `${NAME}` replaced, once, by their values; what is not set stays as written."""
    return _REFERENCE.sub(lambda found: environment.get(found[1] or found[2], found[0]), text)
