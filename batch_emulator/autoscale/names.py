"""The names that the service defines: constants, metrics and targets (documented unless a line says not)."""

from collections.abc import Mapping

from batch_emulator.autoscale.values import TimeInterval, Value

DEALLOCATION_OPTIONS = ("requeue", "terminate", "taskcompletion", "retaineddata")

CONSTANTS: Mapping[str, Value] = {
    "TimeInterval_Zero": TimeInterval(0),
    "TimeInterval_100ns": TimeInterval(1e-7),
    "TimeInterval_Microsecond": TimeInterval(1e-6),
    "TimeInterval_Millisecond": TimeInterval(1e-3),
    "TimeInterval_Second": TimeInterval(1),
    "TimeInterval_Minute": TimeInterval(60),
    "TimeInterval_Hour": TimeInterval(3_600),
    "TimeInterval_Day": TimeInterval(86_400),
    "TimeInterval_Week": TimeInterval(7 * 86_400),
    "TimeInterval_Year": TimeInterval(365 * 86_400),  # its length is assumed
    **{option: option for option in DEALLOCATION_OPTIONS},
}

TARGET_DEDICATED = "$TargetDedicatedNodes"
TARGET_LOW_PRIORITY = "$TargetLowPriorityNodes"
DEALLOCATION_OPTION = "$NodeDeallocationOption"
TARGET_ALIASES: Mapping[str, str] = {
    "$TargetDedicated": TARGET_DEDICATED,
    "$TargetLowPriority": TARGET_LOW_PRIORITY,
}
TARGETS = frozenset({TARGET_DEDICATED, TARGET_LOW_PRIORITY, *TARGET_ALIASES})
WRITABLE = TARGETS | {DEALLOCATION_OPTION}

CURRENT_DEDICATED = "$CurrentDedicatedNodes"
CURRENT_LOW_PRIORITY = "$CurrentLowPriorityNodes"
TASK_SLOTS_PER_NODE = "$TaskSlotsPerNode"
METRIC_ALIASES: Mapping[str, str] = {
    "$CurrentDedicated": CURRENT_DEDICATED,  # in examples of the service's own command-line tools
    "$CurrentLowPriority": CURRENT_LOW_PRIORITY,
}
NUMBERS = frozenset({CURRENT_DEDICATED, CURRENT_LOW_PRIORITY, TASK_SLOTS_PER_NODE})
"""Metrics that documented formulas compute with as they stand; any other is asked for its samples."""

METRICS = NUMBERS | {
    "$ActiveTasks",
    "$RunningTasks",
    "$PendingTasks",
    "$SucceededTasks",
    "$FailedTasks",
    "$PreemptedNodeCount",
    "$SampleNodeCount",
    "$UsableNodeCount",
    "$CPUPercent",
    "$WallClockSeconds",
    "$MemoryBytes",
    "$DiskBytes",
    "$DiskReadBytes",
    "$DiskWriteBytes",
    "$DiskReadOps",
    "$DiskWriteOps",
    "$NetworkInBytes",
    "$NetworkOutBytes",
}

MEMBERS = ("year", "month", "day", "weekday", "hour", "minute", "second")
