"""Every state of every resource and every way out of it, as tables.

Everything that moves a resource from one state to another stands in this file: a move that is not a key
here cannot happen. The states are the wire values of api-version 2025-06-01; the events are ours.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar


class PoolState(StrEnum):
    """Whether a pool is in use or on its way out."""

    ACTIVE = "active"
    DELETING = "deleting"


class AllocationState(StrEnum):
    """Whether the number of nodes of a pool is settled."""

    STEADY = "steady"
    RESIZING = "resizing"
    STOPPING = "stopping"


class NodeState(StrEnum):
    """Where a node is between its allocation and its leaving."""

    CREATING = "creating"
    STARTING = "starting"
    WAITING_FOR_START_TASK = "waitingforstarttask"
    START_TASK_FAILED = "starttaskfailed"
    IDLE = "idle"
    RUNNING = "running"
    OFFLINE = "offline"
    PREEMPTED = "preempted"
    UNUSABLE = "unusable"
    UNKNOWN = "unknown"
    REBOOTING = "rebooting"
    REIMAGING = "reimaging"
    DEALLOCATING = "deallocating"
    DEALLOCATED = "deallocated"
    UPGRADING_OS = "upgradingos"
    LEAVING_POOL = "leavingpool"


class JobState(StrEnum):
    """Whether a job takes tasks, runs them, or has ended."""

    ACTIVE = "active"
    DISABLING = "disabling"
    DISABLED = "disabled"
    ENABLING = "enabling"
    TERMINATING = "terminating"
    COMPLETED = "completed"
    DELETING = "deleting"


class TaskState(StrEnum):
    """How far a task has come."""

    ACTIVE = "active"
    PREPARING = "preparing"
    RUNNING = "running"
    COMPLETED = "completed"


class JobScheduleState(StrEnum):
    """Whether a job schedule creates jobs."""

    ACTIVE = "active"
    DISABLED = "disabled"
    TERMINATING = "terminating"
    COMPLETED = "completed"
    DELETING = "deleting"


class PoolEvent(StrEnum):
    """What can happen to a pool as a whole."""

    DELETE = "delete"


class AllocationEvent(StrEnum):
    """What can happen to the size of a pool."""

    RESIZE = "resize"
    REACHED = "reached"
    TIMED_OUT = "timed out"
    FAILED = "failed"
    STOP = "stop"
    STOPPED = "stopped"


class NodeEvent(StrEnum):
    """What can happen to a node."""

    ALLOCATED = "allocated"
    BOOTED = "booted"
    START_TASK_BEGAN = "start task began"
    START_TASK_SUCCEEDED = "start task succeeded"
    START_TASK_FAILED = "start task failed"
    TASK_STARTED = "task started"
    LAST_TASK_ENDED = "last task ended"
    SCHEDULING_DISABLED = "scheduling disabled"
    SCHEDULING_ENABLED = "scheduling enabled"
    REBOOT = "reboot"
    REIMAGE = "reimage"
    RESTARTED = "restarted"
    DEALLOCATE = "deallocate"
    DEALLOCATED = "deallocated"
    START = "start"
    PREEMPT = "preempt"
    RESTORED = "restored"
    BROKEN = "broken"
    CONTACT_LOST = "contact lost"
    CONTACT_REGAINED = "contact regained"
    UPGRADE_OS = "upgrade os"
    LEAVE = "leave"


class JobEvent(StrEnum):
    """What can happen to a job."""

    DISABLE = "disable"
    DRAINED = "drained"
    ENABLE = "enable"
    ENABLED = "enabled"
    TERMINATE = "terminate"
    TERMINATED = "terminated"
    DELETE = "delete"


class TaskEvent(StrEnum):
    """What can happen to a task."""

    PREPARE = "prepare"
    PREPARATION_FAILED = "preparation failed"
    START = "start"
    END = "end"
    RETRY = "retry"
    REQUEUE = "requeue"
    TERMINATE = "terminate"
    REACTIVATE = "reactivate"


class JobScheduleEvent(StrEnum):
    """What can happen to a job schedule."""

    DISABLE = "disable"
    ENABLE = "enable"
    TERMINATE = "terminate"
    TERMINATED = "terminated"
    DELETE = "delete"


class InvalidTransition(Exception):
    """The event cannot happen in this state."""


S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)
Table = Mapping[S, Mapping[E, S]]

POOL: Table[PoolState, PoolEvent] = {
    PoolState.ACTIVE: {PoolEvent.DELETE: PoolState.DELETING},
    PoolState.DELETING: {},
}

ALLOCATION: Table[AllocationState, AllocationEvent] = {
    AllocationState.STEADY: {AllocationEvent.RESIZE: AllocationState.RESIZING},
    AllocationState.RESIZING: {
        AllocationEvent.REACHED: AllocationState.STEADY,
        AllocationEvent.TIMED_OUT: AllocationState.STEADY,
        AllocationEvent.FAILED: AllocationState.STEADY,
        AllocationEvent.STOP: AllocationState.STOPPING,
    },
    AllocationState.STOPPING: {AllocationEvent.STOPPED: AllocationState.STEADY},
}

# A node can be lost or told to leave from wherever it is; the rest of its ways stand beside each state.
_LOSS: Mapping[NodeEvent, NodeState] = {
    NodeEvent.PREEMPT: NodeState.PREEMPTED,
    NodeEvent.BROKEN: NodeState.UNUSABLE,
    NodeEvent.LEAVE: NodeState.LEAVING_POOL,
}
# Documented for idle and running nodes; for the others the advice is to reboot them, so that works as well.
_RESTART: Mapping[NodeEvent, NodeState] = {
    NodeEvent.REBOOT: NodeState.REBOOTING,
    NodeEvent.REIMAGE: NodeState.REIMAGING,
    NodeEvent.DEALLOCATE: NodeState.DEALLOCATING,
}
_UP: Mapping[NodeEvent, NodeState] = {
    NodeEvent.CONTACT_LOST: NodeState.UNKNOWN,
    NodeEvent.UPGRADE_OS: NodeState.UPGRADING_OS,
    **_RESTART,
    **_LOSS,
}

NODE: Table[NodeState, NodeEvent] = {
    NodeState.CREATING: {NodeEvent.ALLOCATED: NodeState.STARTING, **_LOSS},
    NodeState.STARTING: {
        NodeEvent.START_TASK_BEGAN: NodeState.WAITING_FOR_START_TASK,
        NodeEvent.BOOTED: NodeState.IDLE,
        **_LOSS,
    },
    NodeState.WAITING_FOR_START_TASK: {
        NodeEvent.START_TASK_SUCCEEDED: NodeState.IDLE,
        NodeEvent.START_TASK_FAILED: NodeState.START_TASK_FAILED,
        **_LOSS,
    },
    NodeState.START_TASK_FAILED: {**_RESTART, **_LOSS},
    NodeState.IDLE: {
        NodeEvent.TASK_STARTED: NodeState.RUNNING,
        NodeEvent.SCHEDULING_DISABLED: NodeState.OFFLINE,
        **_UP,
    },
    NodeState.RUNNING: {NodeEvent.LAST_TASK_ENDED: NodeState.IDLE, **_UP},
    NodeState.OFFLINE: {NodeEvent.SCHEDULING_ENABLED: NodeState.IDLE, **_UP},
    NodeState.PREEMPTED: {NodeEvent.RESTORED: NodeState.CREATING, NodeEvent.LEAVE: NodeState.LEAVING_POOL},
    NodeState.UNUSABLE: {
        NodeEvent.RESTORED: NodeState.STARTING,
        **_RESTART,
        NodeEvent.LEAVE: NodeState.LEAVING_POOL,
    },
    NodeState.UNKNOWN: {NodeEvent.CONTACT_REGAINED: NodeState.IDLE, **_LOSS},
    NodeState.REBOOTING: {NodeEvent.RESTARTED: NodeState.STARTING, **_LOSS},
    NodeState.REIMAGING: {NodeEvent.RESTARTED: NodeState.STARTING, **_LOSS},
    NodeState.DEALLOCATING: {NodeEvent.DEALLOCATED: NodeState.DEALLOCATED, **_LOSS},
    NodeState.DEALLOCATED: {NodeEvent.START: NodeState.STARTING, NodeEvent.LEAVE: NodeState.LEAVING_POOL},
    NodeState.UPGRADING_OS: {NodeEvent.RESTARTED: NodeState.STARTING, **_LOSS},
    NodeState.LEAVING_POOL: {},
}

_END: Mapping[JobEvent, JobState] = {
    JobEvent.TERMINATE: JobState.TERMINATING,
    JobEvent.DELETE: JobState.DELETING,
}

JOB: Table[JobState, JobEvent] = {
    JobState.ACTIVE: {JobEvent.DISABLE: JobState.DISABLING, **_END},
    JobState.DISABLING: {JobEvent.DISABLE: JobState.DISABLING, JobEvent.DRAINED: JobState.DISABLED, **_END},
    JobState.DISABLED: {
        JobEvent.DISABLE: JobState.DISABLED,
        JobEvent.ENABLE: JobState.ENABLING,
        **_END,
    },
    JobState.ENABLING: {JobEvent.ENABLED: JobState.ACTIVE, **_END},
    JobState.TERMINATING: {JobEvent.TERMINATED: JobState.COMPLETED, JobEvent.DELETE: JobState.DELETING},
    JobState.COMPLETED: {JobEvent.DELETE: JobState.DELETING},
    JobState.DELETING: {},
}

TASK: Table[TaskState, TaskEvent] = {
    TaskState.ACTIVE: {
        TaskEvent.PREPARE: TaskState.PREPARING,
        TaskEvent.START: TaskState.RUNNING,
        TaskEvent.TERMINATE: TaskState.COMPLETED,
    },
    TaskState.PREPARING: {
        TaskEvent.START: TaskState.RUNNING,
        TaskEvent.PREPARATION_FAILED: TaskState.ACTIVE,
        TaskEvent.REQUEUE: TaskState.ACTIVE,
        TaskEvent.TERMINATE: TaskState.COMPLETED,
    },
    TaskState.RUNNING: {
        TaskEvent.END: TaskState.COMPLETED,
        TaskEvent.RETRY: TaskState.ACTIVE,
        TaskEvent.REQUEUE: TaskState.ACTIVE,
        TaskEvent.TERMINATE: TaskState.COMPLETED,
    },
    TaskState.COMPLETED: {TaskEvent.REACTIVATE: TaskState.ACTIVE},
}

JOB_SCHEDULE: Table[JobScheduleState, JobScheduleEvent] = {
    JobScheduleState.ACTIVE: {
        JobScheduleEvent.DISABLE: JobScheduleState.DISABLED,
        JobScheduleEvent.TERMINATE: JobScheduleState.TERMINATING,
        JobScheduleEvent.DELETE: JobScheduleState.DELETING,
    },
    JobScheduleState.DISABLED: {
        JobScheduleEvent.ENABLE: JobScheduleState.ACTIVE,
        JobScheduleEvent.TERMINATE: JobScheduleState.TERMINATING,
        JobScheduleEvent.DELETE: JobScheduleState.DELETING,
    },
    JobScheduleState.TERMINATING: {
        JobScheduleEvent.TERMINATED: JobScheduleState.COMPLETED,
        JobScheduleEvent.DELETE: JobScheduleState.DELETING,
    },
    JobScheduleState.COMPLETED: {JobScheduleEvent.DELETE: JobScheduleState.DELETING},
    JobScheduleState.DELETING: {},
}


def after(table: Table[S, E], state: S, event: E) -> S:
    """The state that follows `event` in `state`.

    Raises:
        InvalidTransition: the table does not have this move.
    """
    try:
        return table[state][event]
    except KeyError:
        raise InvalidTransition(f"{event.value!r} cannot happen in state {state.value!r}") from None
