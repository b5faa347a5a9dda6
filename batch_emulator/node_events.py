"""What can happen to nodes after they came up, and to a pool as a whole: events and instructions.

A client asks for most of them; preempting, breaking, losing contact and upgrading are the world's. Pools are
named by their keys, nodes by their ids, as everywhere in `events`.
"""

from dataclasses import dataclass, field
from typing import Literal

from batch_emulator.events import Event, Instruction
from batch_emulator.lifecycle import NodeEvent
from batch_emulator.outcomes import Failure
from batch_emulator.resources import Disposal, NodeUser, Pool

RestartKind = Literal[NodeEvent.REBOOT, NodeEvent.REIMAGE, NodeEvent.DEALLOCATE]


@dataclass(frozen=True, slots=True)
class UpdatePool(Event):
    """A client changes a pool. `new` is read for what it would be if it were created now."""

    pool: str
    new: Pool
    changed: frozenset[str]
    """The members that the client named."""


@dataclass(frozen=True, slots=True)
class RestartNode(Event):
    """A client reboots, reimages or deallocates a node."""

    pool: str
    node: str
    how: RestartKind
    disposal: Disposal = "requeue"


@dataclass(frozen=True, slots=True)
class StartNode(Event):
    """A client starts a deallocated node."""

    pool: str
    node: str


@dataclass(frozen=True, slots=True)
class DisableScheduling(Event):
    """A client lets a node take no more tasks."""

    pool: str
    node: str
    disposal: Disposal = "requeue"


@dataclass(frozen=True, slots=True)
class EnableScheduling(Event):
    """A client lets a node take tasks again."""

    pool: str
    node: str


@dataclass(frozen=True, slots=True)
class AddNodeUser(Event):
    """A client adds a user account to a node."""

    pool: str
    node: str
    user: NodeUser


@dataclass(frozen=True, slots=True)
class ReplaceNodeUser(Event):
    """A client changes a user account on a node."""

    pool: str
    node: str
    name: str
    expires: float


@dataclass(frozen=True, slots=True)
class DeleteNodeUser(Event):
    """A client removes a user account from a node."""

    pool: str
    node: str
    name: str


@dataclass(frozen=True, slots=True)
class PreemptNode(Event):
    """The service takes a Spot node away, perhaps to give it back after some seconds."""

    pool: str
    node: str
    restore_after: float | None = None


@dataclass(frozen=True, slots=True)
class RestoreNode(Event):
    """The service gives a preempted node back, or has mended an unusable one."""

    pool: str
    node: str
    since: float | None = None
    """When the state began that ends now; a node that changed in between takes no notice."""


@dataclass(frozen=True, slots=True)
class BreakNode(Event):
    """A node cannot be used any more; without an error, the service has lost contact to it."""

    pool: str
    node: str
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class LoseContact(Event):
    """The service does not know what a node does."""

    pool: str
    node: str


@dataclass(frozen=True, slots=True)
class RegainContact(Event):
    """The service knows again what a node does."""

    pool: str
    node: str


@dataclass(frozen=True, slots=True)
class UpgradeNode(Event):
    """The operating system of a node is upgraded by the policy of its pool."""

    pool: str
    node: str


@dataclass(frozen=True, slots=True)
class FailResize(Event):
    """A resize that is under way ends with an error."""

    pool: str
    error: Failure


@dataclass(frozen=True, slots=True)
class UploadLogs(Event):
    """A client wants the log files of a node in a container."""

    pool: str
    node: str
    container_url: str = field(repr=False)
    """It may hold a SAS: it must not be shown."""
    directory: str
    """Where in the container."""
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class UploadNodeLogs(Instruction):
    """Store those log files of a node that have something from between two times."""

    pool: str
    node: str
    container_url: str = field(repr=False)
    directory: str
    begin: float
    end: float
