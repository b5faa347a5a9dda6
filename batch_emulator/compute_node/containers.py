"""Commands in containers: through docker or podman where this machine has one, else not at all.

A command that asks for a container never runs without one. The node's directories are mounted under the
paths that they have outside (assumed), so that the service's variables mean the same on both sides. When the
emulator is killed by SIGKILL, a container may outlive it: it belongs to the engine.
"""

import base64
import json
import os
import shlex
import shutil
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batch_emulator.compute_node.directories import NodeDirectories, RunDirectories
from batch_emulator.outcomes import ContainerRun, Failure

ENGINES = ("docker", "podman")
ENGINE_FAILED = 125
"""The exit code of `docker run` and `podman run` when it is their own and not the command's (documented)."""
_ENGINE_VARIABLES = frozenset(
    {"PATH", "HOME", "XDG_RUNTIME_DIR", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY"}
    | {"DOCKER_CERT_PATH", "DOCKER_CONFIG", "CONTAINER_HOST", "REGISTRY_AUTH_FILE"}
)
"""What an engine itself reads from its environment."""
_DOCKER_HUB = "https://index.docker.io/v1/"

_NO_CONTAINER_POOL = Failure(
    "UserError",
    "ContainerPoolNotSupported",  # the code is seen in Microsoft's own tests, the text is assumed
    "The pool does not support container tasks: it has no containerConfiguration.",
)
_NO_ENGINE = Failure(
    "UserError",
    "ContainerMiscError",
    "A container could not be run.",
    (("Message", "Neither docker nor podman is installed where the emulator runs."),),
)


class Refused(Exception):
    """The command cannot have its container; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        """Carry `failure`."""
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Container:
    """How a command is run in a container: by an engine's command line, which ends when that does."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    removal: Sequence[str]
    """The command line that ends and removes it, if it is still there."""
    scratch: Path
    """Directory for the container's id and the login; it is removed with the container."""

    def outcome(self, exit_code: int | None) -> ContainerRun | None:
        """What became of it; None if there never was one."""
        try:
            identity = (self.scratch / "id").read_text(encoding="ascii").strip()
        except OSError:
            return None
        return ContainerRun(identity, "exited" if exit_code is not None else "dead") if identity else None

    def failure(self, exit_code: int | None) -> Failure | None:
        """Why it was not run, if that is so; the engine's own words are in the task's stderr.txt."""
        if exit_code != ENGINE_FAILED or self.outcome(exit_code) is not None:
            return None
        message = f"{Path(self.argv[0]).name} could not run the container; stderr.txt has its message."
        return Failure("UserError", "ContainerMiscError", _NO_ENGINE.message, (("Message", message),))

    def clear(self) -> None:
        """Remove the id and the login."""
        shutil.rmtree(self.scratch, ignore_errors=True)


def _engine(host: Mapping[str, str]) -> str:
    engine = next(filter(None, (shutil.which(name, path=host.get("PATH")) for name in ENGINES)), None)
    if engine is None:
        raise Refused(_NO_ENGINE)
    return engine


def _run_options(settings: Mapping[str, Any]) -> list[str]:
    try:
        return shlex.split(settings.get("containerRunOptions") or "")
    except ValueError as error:
        raise Refused(_invalid(f"containerRunOptions: {error}")) from None


def plan(
    settings: Mapping[str, Any],
    pool: Mapping[str, Any] | None,
    argv: Sequence[str],
    environment: Mapping[str, str],
    given: frozenset[str],
    node: NodeDirectories,
    run: RunDirectories,
    preparation: RunDirectories | None = None,
    host: Mapping[str, str] = os.environ,
) -> Container:
    """How to run a command in the container that it asks for.

    Args:
        settings: `containerSettings` of the command, in wire form.
        pool: `containerConfiguration` of its pool; None if it has none.
        argv: the command, which the image's entry point gets as its arguments.
        environment: all variables of the command.
        given: names of those that the user set.
        node: directories of its node.
        run: its own directories.
        preparation: those of the job's preparation task, if it has one.
        host: the emulator's own environment, for the engine.

    Raises:
        Refused: the pool, the settings or this machine do not allow it.
    """
    if pool is None:
        raise Refused(_NO_CONTAINER_POOL)
    engine, extra, logins = _engine(host), _run_options(settings), _logins(settings, pool)
    name = f"batch-{uuid.uuid4().hex}"
    # Not among the files of the node: its commands could read the login there.
    scratch = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    passed = _passed(environment, given)
    own = {variable: host[variable] for variable in _ENGINE_VARIABLES if variable in host}
    own |= _log_in(logins, scratch)
    command = [engine, "run", "--rm", "--name", name, "--cidfile", str(scratch / "id"), *_user(engine)]
    command += [*_mounts(settings, node, run, preparation), *_workdir(settings, run), *_by_name(passed, own)]
    whole = (*command, *extra, settings["imageName"], *argv)
    return Container(name, whole, {**passed, **own}, (engine, "rm", "--force", name), scratch)


def _passed(environment: Mapping[str, str], given: frozenset[str]) -> dict[str, str]:
    """The variables that go into the container: the user's and the service's, not the host's."""
    return {
        variable: value
        for variable, value in environment.items()
        if variable in given or variable.startswith(("AZ_BATCH_", "CCP_"))
    }


def _by_name(passed: Mapping[str, str], own: Mapping[str, str]) -> list[str]:
    # Only by name, so that no value stands in the list of processes; what the engine itself needs
    # under the same name has to be told.
    pairs = ((name, f"{name}={value}" if name in own else name) for name, value in sorted(passed.items()))
    return [word for _, text in pairs for word in ("--env", text)]


def _user(engine: str) -> list[str]:
    """The emulator's own user, so that what the command writes can be read and removed again."""
    if Path(engine).name == "podman":
        return ["--userns", "keep-id"]
    return ["--user", f"{os.getuid()}:{os.getgid()}"]


def _workdir(settings: Mapping[str, Any], run: RunDirectories) -> list[str]:
    if str(settings.get("workingDirectory") or "").lower() == "containerimagedefault":
        return []
    return ["--workdir", str(run.working)]


def _mounts(
    settings: Mapping[str, Any],
    node: NodeDirectories,
    run: RunDirectories,
    preparation: RunDirectories | None,
) -> list[str]:
    """All of the node, unless the settings name the parts (documented)."""
    wanted = settings.get("containerHostBatchBindMounts")
    if wanted is None:
        return ["--volume", f"{node.root}:{node.root}"]
    sources = {
        "shared": node.shared,
        "startup": node.start_task.task,
        "vfsmounts": node.mounts,
        "task": run.task,
        "jobprep": preparation.task if preparation else None,
        "applications": node.root / "applications",
    }
    mounts: list[str] = []
    for mount in wanted:
        path = sources.get(str(mount.get("source")).lower())
        if path is not None:
            mounts += ["--volume", f"{path}:{path}{':ro' if mount.get('isReadOnly') else ''}"]
    return mounts


def _logins(settings: Mapping[str, Any], pool: Mapping[str, Any]) -> dict[str, Any]:
    """The logins by registry, those of the pool and the command's own."""
    registries = [*pool.get("containerRegistries", ()), *filter(None, [settings.get("registry")])]
    if any("identityReference" in registry for registry in registries):
        text = "no registry is signed in to by identity here; give a user name and a password"
        raise Refused(_invalid(f"identityReference of a registry: {text}", "ContainerInvalidRegistry"))
    return {
        registry.get("registryServer") or _DOCKER_HUB: _login(registry["username"], registry["password"])
        for registry in registries
        if "username" in registry and "password" in registry
    }


def _log_in(logins: Mapping[str, Any], scratch: Path) -> dict[str, str]:
    """Write the logins where both engines look for them; the variables that say where."""
    if not logins:
        return {}
    file = scratch / "config.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"auths": logins}), encoding="utf-8")
    return {"DOCKER_CONFIG": str(scratch), "REGISTRY_AUTH_FILE": str(file)}


def _login(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def _invalid(message: str, code: str = "ContainerInvalidSettings") -> Failure:
    return Failure("UserError", code, "The container settings are not valid.", (("Message", message),))
