"""Every error the service answers with: one class per error code.

The class name is the code, the docstring is the message as the service words it (from its documented
error table), the status stands on the class. Only the HTTP edge turns one into an answer.
"""

import re
from typing import ClassVar


class BatchError(Exception):
    """The service refuses a request.

    Keyword arguments become the `values` of the error document, in their order:
    `InvalidPropertyValue(PropertyName="priority", PropertyValue=2000, Reason="...")`. The exception's own
    text leaves them out, for a value can hold a secret of the caller.

    Attributes:
        status: the HTTP status.
        code: the service's error code; the class name unless two classes share one.
        message: what the service says, without request id and time.
        values: the details by key.
        retry_after: seconds after which the caller may try again, for the `Retry-After` header.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "InternalError"

    def __init_subclass__(cls) -> None:
        """Name the code after the class."""
        if "code" not in cls.__dict__:
            cls.code = cls.__name__

    def __init__(self, *, retry_after: float | None = None, **values: object) -> None:
        """Keep the details as the text they are sent as."""
        self.values = {key: _text(value) for key, value in values.items()}
        self.retry_after = retry_after
        super().__init__(f"({self.code}) {self.message}")

    @property
    def message(self) -> str:
        """What the service says. Without docstrings (`python -OO`) the code's own words stand in."""
        documented = " ".join((type(self).__doc__ or "").split())
        return documented or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.code).capitalize() + "."


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class _BadRequest(BatchError):
    status = 400


class _Forbidden(BatchError):
    status = 403


class _NotFound(BatchError):
    status = 404


class _Conflict(BatchError):
    status = 409


# One class per code, kept as close as the rows of a table.
# fmt: off
class MissingRequiredHeader(_BadRequest):
    """A required HTTP header was not specified."""
class MissingRequiredProperty(_BadRequest):
    """A required property was not specified in the request body."""
class MissingRequiredQueryParameter(_BadRequest):
    """A required query parameter was not specified for this request."""
class UnsupportedHeader(_BadRequest):
    """One of the HTTP headers specified in the request is not supported."""
class UnsupportedProperty(_BadRequest):
    """One of the properties specified in the request body is not supported."""
class UnsupportedQueryParameter(_BadRequest):
    """One of the query parameters specified in the request URI is not supported."""
class InvalidHeaderValue(_BadRequest):
    """The value provided for one of the HTTP headers was not in the correct format."""
class InvalidPropertyValue(_BadRequest):
    """The value provided for one of the properties in the request body is invalid."""
class InvalidQueryParameterValue(_BadRequest):
    """Value for one of the query parameters specified in the request URI is invalid."""
class OutOfRangeQueryParameterValue(_BadRequest):
    """A query parameter specified in the request URI is outside the permissible range."""
class InvalidUri(_BadRequest):
    """The requested URI does not represent any resource on the server."""
class InvalidHttpVerb(_BadRequest):
    """The HTTP verb specified was not recognized by the server."""
class InvalidRequestBody(_BadRequest):
    """The specified Request Body is not syntactically valid."""
class InvalidInput(_BadRequest):
    """One of the request inputs is not valid."""
class OutOfRangeInput(_BadRequest):
    """One of the request inputs is out of range."""
class OutOfRangePriority(_BadRequest):
    """The specified priority is out of range."""
class InvalidAuthenticationInfo(_BadRequest):
    """The authentication information was not provided in the correct format. Verify the value of
    Authorization header.
    """
class InvalidMetadata(_BadRequest):
    """The specified metadata is invalid. It includes characters that are not permitted."""
class EmptyMetadataKey(_BadRequest):
    """The key for one of the metadata key-value pairs is empty."""
class MetadataTooLarge(_BadRequest):
    """The size of the specified metadata exceeds the maximum size permitted."""
class MultipleConditionHeadersNotSupported(_BadRequest):
    """Multiple condition headers are not supported."""
class UnsupportedRequestVersion(_BadRequest):
    """The specified request version is not supported."""
class InvalidAutoScalingSettings(_BadRequest):
    """The specified auto-scaling settings are not valid."""
class AutoScalingFormulaSyntaxError(_BadRequest):
    """The specified auto-scaling formula has a syntax error."""
class AutoScaleFormulaTooLong(_BadRequest):
    """The specified auto-scaling formula exceeds lengths limit."""
class TaskDependenciesNotSpecifiedOnJob(_BadRequest):
    """A task was specified as depending on other tasks, but the job did not specify that it would use task
    dependencies.
    """
class TaskDependencyListTooLong(_BadRequest):
    """A task was specified as depending on other tasks, but the list of dependencies was too long to be
    stored.
    """
class TaskDependencyRangesTooLong(_BadRequest):
    """A task was specified as depending on multiple ranges of task ids, and the list of ranges was too
    long to be stored.
    """
class AuthenticationFailed(_Forbidden):
    """The server failed to authenticate the request. Verify that the value of Authorization header is
    formed correctly and includes the signature.
    """
class InsufficientAccountPermissions(_Forbidden):
    """The account being accessed does not have sufficient permissions to execute this operation."""
class AccountIsDisabled(_Forbidden):
    """The specified account is disabled."""
class InvalidToken(BatchError):
    """The server failed to authenticate the request. The bearer token is not valid for this account."""

    status = 401  # of bad tokens (assumed; a wrong key is documented as 403)
    code = "AuthenticationFailed"
class FileAccessFailed(BatchError):
    """An I/O error occurred when accessing the specified resource."""
    status = 403
    code = "IOError"
class ResourceNotFound(_NotFound):
    """The specified resource does not exist."""
class PoolNotFound(_NotFound):
    """The specified pool does not exist."""
class NodeNotFound(_NotFound):
    """The specified node does not exist."""
class NodeUserNotFound(_NotFound):
    """The specified node user does not exist."""
class JobNotFound(_NotFound):
    """The specified job does not exist."""
class JobScheduleNotFound(_NotFound):
    """The specified job schedule does not exist."""
class TaskNotFound(_NotFound):
    """The specified task does not exist."""
class FileNotFound(_NotFound):
    """The specified file does not exist."""
class ApplicationNotFound(_NotFound):
    """The specified application does not exist."""
class NodeAgentSKUNotFound(_NotFound):
    """The specified Node Agent SKU does not exist."""
class JobPreparationTaskNotRunOnNode(_NotFound):
    """The job preparation task did not run on the specified node."""
class JobReleaseTaskNotRunOnNode(_NotFound):
    """The job release task did not run on the specified node."""
class OperationInvalidForCurrentState(_Conflict):
    """The specified operation is not valid for the current state of the resource."""
class PoolExists(_Conflict):
    """The specified pool already exists."""
class PoolBeingCreated(_Conflict):
    """The specified pool is being created."""
class PoolBeingResized(_Conflict):
    """The specified pool is being resized."""
class PoolBeingDeleted(_Conflict):
    """The specified pool has been marked for deletion and is being reclaimed."""
class PoolQuotaReached(_Conflict):
    """Pool quota for the account has been reached."""
class OperationNotValidOnPool(_Conflict):
    """The specified operation is not valid on the pool."""
class InvalidApplicationPackageReferences(_Conflict):
    """One or more application package references could not be satisfied."""
class NodeBeingCreated(_Conflict):
    """The specified node is being created."""
class NodeBeingStarted(_Conflict):
    """The specified node is being started."""
class NodeBeingRebooted(_Conflict):
    """The specified node is being rebooted."""
class NodeBeingReimaged(_Conflict):
    """The specified node is being reimaged."""
class NodeStateUnusable(_Conflict):
    """The state of the specified node is unusable."""
class NodeNotReady(_Conflict):
    """Node is not able to perform the requested operations in its current state."""
class NodeUserExists(_Conflict):
    """The specified node user already exists."""
class NodeAlreadyInTargetSchedulingState(_Conflict):
    """The specified node is already in the target scheduling state."""
class OperationNotValidOnNode(_Conflict):
    """The specified operation is not valid on the node."""
class NodeCountsMismatch(_Conflict):
    """The number of nodes of the pool is not the one the request expects."""
class JobExists(_Conflict):
    """The specified job already exists."""
class JobBeingTerminated(_Conflict):
    """The specified job is being terminated."""
class JobBeingDeleted(_Conflict):
    """The specified job has been marked for deletion and is being garbage collected."""
class JobDisabled(_Conflict):
    """The specified job is disabled."""
class JobCompleted(_Conflict):
    """The specified job is already in a completed state."""
class JobNotActive(_Conflict):
    """The specified job is not in active state."""
class JobWithSameIdExists(_Conflict):
    """A job with the specified job schedule id exists. Job and job schedule cannot have the same id."""
class JobPreparationTaskNotSpecified(_Conflict):
    """The specified job does not have job preparation task."""
class JobReleaseTaskNotSpecified(_Conflict):
    """The specified job does not have job release task."""
class ActiveJobAndScheduleQuotaReached(_Conflict):
    """Active job and schedule quota for the account has been reached."""
class JobScheduleExists(_Conflict):
    """The specified job schedule already exists."""
class JobScheduleDisabled(_Conflict):
    """The specified job schedule is disabled."""
class JobScheduleCompleted(_Conflict):
    """The specified job schedule is already in completed state."""
class JobScheduleBeingTerminated(_Conflict):
    """The specified job schedule is being terminated."""
class JobScheduleBeingDeleted(_Conflict):
    """The specified job schedule has been marked for deletion and is being reclaimed."""
class JobScheduleWithSameIdExists(_Conflict):
    """A job schedule with the specified job id exists. Job and job schedule cannot have the same id."""
class TaskExists(_Conflict):
    """The specified task already exists."""
class TaskCompleted(_Conflict):
    """The specified task is already in a completed state."""
class TaskNotCompleted(_Conflict):
    """The specified task is not in a completed state, and the requested operation can be performed only on
    completed tasks.
    """
class TaskSucceeded(_Conflict):
    """The specified task has already completed successfully, and the requested operation cannot be
    performed on successful tasks.
    """
class TaskFilesUnavailable(_Conflict):
    """The files of the specified task are unavailable."""
class TaskFilesCleanedup(_Conflict):
    """The files of the specified task are cleanedup."""
class TaskIdSameAsJobPreparationTask(_Conflict):
    """The specified task id is same as the job preparation task."""
class TaskIdSameAsJobReleaseTask(_Conflict):
    """The specified task id is same as the job release task."""
class UnsupportedHttpVerb(BatchError):
    """The resource doesn't support the specified HTTP verb."""
    status = 405
class MissingContentLengthHeader(BatchError):
    """The Content-Length header was not specified."""
    status = 411
class ConditionNotMet(BatchError):
    """The condition specified in the conditional header(s) was not met for a write operation."""
    status = 412
class ConditionNotMetOnRead(BatchError):
    """The condition specified in the conditional header(s) was not met for a read operation."""
    status = 304
    code = "ConditionNotMet"
class RequestBodyTooLarge(BatchError):
    """The size of the request body exceeds the maximum size permitted."""
    status = 413
class InvalidRange(BatchError):
    """The range specified is invalid for the current size of the resource."""
    status = 416
class TooManyRequests(BatchError):
    """Request failed as server encountered too many requests. Please try again."""
    status = 429
class InternalError(BatchError):
    """The server encountered an internal error. Please retry the request."""
    status = 500
class OperationTimedOut(BatchError):
    """The operation could not be completed within the permitted time."""
    status = 500
class OperationNotImplemented(BatchError):
    """The emulator does not carry out this operation."""
    status = 501
    code = "NotImplemented"
class ServerBusy(BatchError):
    """The server is currently unable to receive requests. Please retry your request."""
    status = 503
class TooManyEnableAutoScaleRequests(BatchError):
    """Too many Enable Pool AutoScale requests are issued on the pool."""
    status = 503
