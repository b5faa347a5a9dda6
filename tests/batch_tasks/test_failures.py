"""Whose fault a failure is: every code that is documented for tasks, and what the node tells."""

import pytest

from batch_tasks.failures import FailureKind, failure_kind


@pytest.mark.parametrize(
    ("failure", "exit_code", "kind"),
    [
        ("FailureExitCode: It failed.", 3, "user"),
        ("CommandProgramNotFound: There is none.", None, "user"),
        ("TaskEnded: Task was ended by user request.", None, "user"),
        ("", 137, "user"),
        ("BlobNotFound: One of the blobs is not found.", None, "input"),
        ("BlobDownloadMiscError: It could not be fetched.", None, "input"),
        ("ResourceContainerAccessDenied: No.", None, "input"),
        ("FileUploadMiscError: It could not be stored.", 0, "output"),
        ("FileUploadContainerNotFound: There is none.", 0, "output"),
        ("DiskFull: No room.", None, "node"),
        ("ResourceFileWriteFailed: No.", None, "node"),
        ("ResourceDirectoryCreateFailed: No.", None, "node"),
        ("Unknown: Something.", None, "service"),
        ("", None, "service"),
    ],
)
def test_each_failure_is_somebodys(failure: str, exit_code: int | None, kind: FailureKind) -> None:
    assert failure_kind(failure, exit_code) == kind


def test_a_file_of_which_the_node_told_has_run() -> None:
    assert failure_kind("", None, told=True) == "user"
