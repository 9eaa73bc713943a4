"""What the services share: who calls, and how a call is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc.aio import ServicerContext

Context = ServicerContext[Any, Any]

Clock = Callable[[], datetime]
"""The time now, in UTC."""


def utc_now() -> datetime:
    """The time to the second, which is as fine as the demo's records are."""
    return datetime.now(UTC).replace(microsecond=0)


class Violation(NamedTuple):
    """A request field and what is wrong with it."""

    field: str
    description: str


async def user_id(context: Context) -> str:
    """The user the caller acts for, from the `x-user-id` metadata; UNAUTHENTICATED without."""
    caller = dict(context.invocation_metadata() or ()).get("x-user-id")
    if not caller:
        await context.abort(StatusCode.UNAUTHENTICATED, "x-user-id metadata is missing")
    return str(caller)


async def refuse_bad_request(context: Context, violations: Iterable[Violation]) -> None:
    """INVALID_ARGUMENT with google.rpc.BadRequest details, if there is any violation."""
    fields = [BadRequest.FieldViolation(field=v.field, description=v.description) for v in violations]
    if fields:
        message = "; ".join(f"{v.field}: {v.description}" for v in fields)
        trailer = _status_details(StatusCode.INVALID_ARGUMENT, message, BadRequest(field_violations=fields))
        await context.abort(StatusCode.INVALID_ARGUMENT, message, (trailer,))


def _status_details(code: StatusCode, message: str, detail: BadRequest) -> tuple[str, bytes]:
    """The trailer that carries a google.rpc.Status beside the plain code and message of gRPC."""
    packed = AnyMessage()
    packed.Pack(detail)
    status = Status(code=code.value[0], message=message, details=[packed])
    return "grpc-status-details-bin", status.SerializeToString()
