"""Everything that spells an id, a container or a blob: deterministic, legal, and telling.

A stage that runs twice must meet its own first try, so each name derives from the workload, the flow run and
the file's key alone. Batch ids are `[A-Za-z0-9_-]{1,64}`, compared without case; container names are 3 to 63
lower-case letters, digits and single dashes (documented).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

OWNER = "prefect-azure-batch"
"""Marks what is ours in an account that others use too."""

TIMESTAMP = "%Y-%m-%dT%H:%M:%SZ"
"""How times are written into metadata; always UTC."""
LONGEST_WORKLOAD_NAME = 22
LONGEST_ID = 64
_WORKLOAD = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_RUN_ID = re.compile(rf"(?P<workload>{_WORKLOAD.pattern})-(?P<run>[0-9a-f]{{32}})(-inputs|-outputs)?")
PARTS = "parts/"
"""What the names of all parts for a merge begin with, in the output container and on the merge's node."""
_LONGEST_BLOB_PATH = 800  # of the 1024 characters a blob name may have; the rest is for prefixes


@dataclass(frozen=True)
class RunNames:
    """The names of what one flow run makes. `run` is the flow run's id as 32 hex digits."""

    workload: str
    run: str

    @classmethod
    def of(cls, workload: str, flow_run_id: UUID | str) -> Self:
        """The names for a flow run of a workload; the workload's name must be legal."""
        if not is_workload_name(workload):
            raise ValueError(
                f"{workload!r} cannot name a workload: use at most {LONGEST_WORKLOAD_NAME} lower-case "
                "letters, digits and single dashes, beginning with a letter."
            )
        return cls(workload, UUID(str(flow_run_id)).hex)

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """The run that a pool, job or container of this name belongs to; None when it is not one of ours."""
        found = _RUN_ID.fullmatch(name)
        return cls(found["workload"], found["run"]) if found else None

    @property
    def pool_id(self) -> str:
        """The id of the run's pool."""
        return f"{self.workload}-{self.run}"

    @property
    def job_id(self) -> str:
        """The id of the run's job; jobs and pools are named apart, so it may be the pool's."""
        return f"{self.workload}-{self.run}"

    @property
    def input_container(self) -> str:
        """Where inputs and node scripts are uploaded to."""
        return f"{self.workload}-{self.run}-inputs"

    @property
    def output_container(self) -> str:
        """Where tasks upload outputs, results and logs to."""
        return f"{self.workload}-{self.run}-outputs"

    @property
    def flow_run_id(self) -> str:
        """The Prefect flow run's id in its usual form."""
        return str(UUID(self.run))


def is_workload_name(name: str) -> bool:
    """Whether ids and container names can be made of it."""
    return len(name) <= LONGEST_WORKLOAD_NAME and _WORKLOAD.fullmatch(name) is not None


def metadata(
    names: RunNames,
    created: datetime,
    expires: datetime,
    keep: Iterable[str] = (),
    heartbeat: int | None = None,
) -> Mapping[str, str]:
    """What is written on everything that can carry it, so that a collector of garbage knows whose it is.

    `keep` are the kinds of things that the run's clean-up leaves, as `CleanUpPolicy` names them. `heartbeat`
    is how many seconds lie between two signs of life of the run; None: nobody knows, 0: it gives none.
    """
    kept = " ".join(sorted(keep))
    return {
        "owner": OWNER,
        "flow_run_id": names.flow_run_id,
        "created": f"{created:{TIMESTAMP}}",
        "expires": f"{expires:{TIMESTAMP}}",
        **({"keep": kept} if kept else {}),
        **({"heartbeat": str(heartbeat)} if heartbeat is not None else {}),
    }


def task_id(keys: Iterable[str], attempt: int = 1) -> str:
    """The Batch task id for these files: the first one's name as far as legal, and a hash of all keys.

    12 hex digits keep 100,000 files of equal names apart with a chance of 0.99998. A later attempt at the
    same files is another task, and its id says which.
    """
    keys = tuple(keys)
    digest = hashlib.sha256(b"\0".join(os.fsencode(key) for key in keys)).hexdigest()[:12]
    readable = re.sub(r"[^A-Za-z0-9]+", "-", keys[0].rpartition("/")[2]).strip("-")
    count = f"-and-{len(keys) - 1}-more" if len(keys) > 1 else ""
    count += f"-try-{attempt}" if attempt > 1 else ""
    room = LONGEST_ID - len(digest) - len(count) - 1
    return f"{readable[:room].rstrip('-') or 'file'}{count}-{digest}"


def node_file_blob(name: str) -> str:
    """Where a script for the nodes is kept in the input container."""
    return f"node/{blob_path(name)}"


def input_blob(key: str) -> str:
    """Where an input is kept in the input container."""
    return f"inputs/{blob_path(key)}"


def part_blob(key: str) -> str:
    """Where the part that the command for this input leaves for a merge is kept in the output container."""
    return f"{PARTS}{hashlib.sha256(os.fsencode(key)).hexdigest()[:24]}"


def parts_list_blob() -> str:
    """Where the list of the parts for a merge is kept in the input container."""
    return "parts.json"


def output_blob(path: str) -> str:
    """Where an output is kept in the output container; `path` is relative to the output folder."""
    return f"outputs/{blob_path(path)}"


def result_blob(task: str) -> str:
    """Where a task's result.json is kept in the output container."""
    return f"results/{task}.json"


def log_prefix(task: str) -> str:
    """The folder in the output container where a failed task's stdout.txt and stderr.txt are kept."""
    return f"logs/{task}"


def blob_path(path: str) -> str:
    """A file's relative path as part of a blob name: itself, save for what blob names cannot hold.

    Control characters (which break listings), backslashes (which storage turns into slashes), bytes that are
    no UTF-8, and dots that end a part become `%XX`, and so does a `%` that could be taken for one of these;
    different paths stay different. Paths too long are cut and end in a hash.
    """
    escaped = "/".join(_escaped_part(part) for part in path.split("/"))
    if len(escaped.encode("utf-16-le")) // 2 <= _LONGEST_BLOB_PATH and escaped.count("/") <= 200:
        return escaped
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    head = escaped.replace("/", "_")[: _LONGEST_BLOB_PATH // 4].rstrip(".")
    return f"{head}-{digest}"


def _escaped_part(part: str) -> str:
    return re.sub(r"%(?=[0-9A-F]{2})|[\x00-\x1f\x7f-\x9f\\\ud800-\udfff\ufffe\uffff]|\.(?=\.*\Z)", _hex, part)


def _hex(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogateescape"))
