"""What may go wrong: one exception a gRPC code, all of them `KvscopeError`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    from kvscope.model import SweepInfo

_DETAILS_KEY = "grpc-status-details-bin"  # google.rpc.Status, by gRPC's convention


@dataclasses.dataclass(frozen=True)
class FieldViolation:
    """A field of a request and what is wrong with it (google.rpc.BadRequest)."""

    field: str
    description: str


class KvscopeError(Exception):
    """Something that a cluster refused or failed to do, or that never reached it.

    `str()` is one sentence; `code` the gRPC code's name; `violations` the fields that the cluster
    named, where it did; `retry_after` the seconds after which it asked to be tried again.
    """

    code = "UNKNOWN"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.violations: tuple[FieldViolation, ...] = ()
        self.retry_after: float | None = None


class InvalidArgumentError(KvscopeError, ValueError):
    """A sweep, a data set or a parameter is wrong; the message names file and field."""

    code = "INVALID_ARGUMENT"


class NotFoundError(KvscopeError, LookupError):
    """There is no such sweep, model or file."""

    code = "NOT_FOUND"


class AlreadyExistsError(KvscopeError):
    """The request id was used for something else."""

    code = "ALREADY_EXISTS"


class FailedPreconditionError(KvscopeError):
    """The sweep's state does not allow it, such as deleting one that runs."""

    code = "FAILED_PRECONDITION"


class PermissionDeniedError(KvscopeError):
    """The token's role does not allow it."""

    code = "PERMISSION_DENIED"


class UnauthenticatedError(KvscopeError):
    """The token is missing, wrong or revoked."""

    code = "UNAUTHENTICATED"


class ResourceExhaustedError(KvscopeError):
    """A quota or a limit is reached."""

    code = "RESOURCE_EXHAUSTED"


class UnavailableError(KvscopeError, ConnectionError):
    """No server answers, after all retries."""

    code = "UNAVAILABLE"


class DeadlineExceededError(KvscopeError, TimeoutError):
    """The server did not answer in time."""

    code = "DEADLINE_EXCEEDED"


class SweepEndedError(KvscopeError):
    """A sweep that was waited for ended without success; `info` is its last state."""

    code = "ABORTED"

    def __init__(self, message: str, info: SweepInfo) -> None:
        super().__init__(message)
        self.info = info


class SweepFailedError(SweepEndedError):
    """The check refused the sweep, or units of it were set aside."""


class SweepCancelledError(SweepEndedError):
    """The sweep was cancelled."""


_BY_CODE = {
    kind.code: kind
    for kind in (
        InvalidArgumentError,
        NotFoundError,
        AlreadyExistsError,
        FailedPreconditionError,
        PermissionDeniedError,
        UnauthenticatedError,
        ResourceExhaustedError,
        UnavailableError,
        DeadlineExceededError,
    )
}
# A server that shuts down cancels the calls that come too late.
_BY_CODE["CANCELLED"] = UnavailableError


def from_rpc(error: grpc.RpcError) -> KvscopeError:
    """The exception for a call that failed, of either of gRPC's two interfaces."""
    call: Any = error  # grpc.RpcError itself declares none of what every failed call has
    name = call.code().name
    made = _BY_CODE.get(name, KvscopeError)(call.details() or name)
    made.code = name
    for key, value in call.trailing_metadata() or ():
        if key == _DETAILS_KEY:
            _read_details(value, made)
    return made


def _read_details(packed: bytes, error: KvscopeError) -> None:
    from google.protobuf.message import DecodeError
    from google.rpc import error_details_pb2, status_pb2

    status = status_pb2.Status()
    request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    try:
        status.ParseFromString(packed)
        for detail in status.details:
            if detail.Unpack(request):
                error.violations = tuple(
                    FieldViolation(found.field, found.description)
                    for found in request.field_violations
                )
            elif detail.Unpack(retry):
                error.retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    except DecodeError:  # the code and the sentence are worth more than a broken detail
        pass
