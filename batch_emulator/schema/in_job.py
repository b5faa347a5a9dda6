"""What a task must be for the job that it is added to."""

from collections.abc import Iterator, Mapping
from typing import Any

from batch_emulator.errors import (
    InvalidPropertyValue,
    TaskIdSameAsJobPreparationTask,
    TaskIdSameAsJobReleaseTask,
    UnsupportedProperty,
)


def check_in_job(task: Mapping[str, Any], job: Mapping[str, Any]) -> None:
    """Return if the task fits the job; both checked, the job with its defaults.

    Raises:
        UnsupportedProperty: it depends on tasks and the job uses no dependencies. The service's table of
            errors has TaskDependenciesNotSpecifiedOnJob for this; callers report this one.
        InvalidPropertyValue: its exit conditions act on the job and the job does not let them (documented).
        TaskIdSameAsJobPreparationTask, TaskIdSameAsJobReleaseTask: its id is taken.
    """
    if "dependsOn" in task and not job.get("usesTaskDependencies"):
        raise UnsupportedProperty(
            PropertyName="dependsOn", Reason="The job was not created with usesTaskDependencies."
        )
    if job.get("onTaskFailure", "noaction") == "noaction" and "exitConditions" in task:
        for path, action in _job_actions(task["exitConditions"]):
            raise InvalidPropertyValue(
                PropertyName="jobAction",
                PropertyValue=action,
                Reason=f"exitConditions.{path}.jobAction: the job's onTaskFailure is noaction.",
            )
    for member, error in _TAKEN.items():
        if member in job and job[member]["id"].lower() == task["id"].lower():
            raise error(TaskId=task["id"])


_TAKEN = {
    "jobPreparationTask": TaskIdSameAsJobPreparationTask,
    "jobReleaseTask": TaskIdSameAsJobReleaseTask,
}


def _job_actions(conditions: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each action on the job that is more than `none`, with where it stands."""
    named = [
        (name, conditions.get(name, {})) for name in ("preProcessingError", "fileUploadError", "default")
    ]
    for member in ("exitCodes", "exitCodeRanges"):
        listed = enumerate(conditions.get(member, ()))
        named += [(f"{member}[{index}].exitOptions", mapping["exitOptions"]) for index, mapping in listed]
    for path, options in named:
        if options.get("jobAction", "none") != "none":
            yield path, options["jobAction"]
