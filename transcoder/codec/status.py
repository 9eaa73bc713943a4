"""The details of a google.rpc.Status (`grpc-status-details-bin`) for clients. Nothing here raises."""

from __future__ import annotations

import base64
from typing import Any, Final

import orjson
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import DebugInfo, RetryInfo
from google.rpc.status_pb2 import Status

from transcoder.codec.printing.printer import Print
from transcoder.codec.printing.scalars import repaired

_NOT_FOR_CLIENTS: Final = frozenset({DebugInfo.DESCRIPTOR.full_name})


def status_details(wire: bytes, print_any: Print) -> list[dict[str, Any]]:
    """The details as JSON objects with `@type`.

    One that cannot be printed becomes `{"@type": url, "value": base64}`. Stack traces (DebugInfo) are
    left out.
    """
    return [
        _printed(detail, print_any) for detail in _details(wire) if _type_of(detail) not in _NOT_FOR_CLIENTS
    ]


def retry_delay(wire: bytes) -> float | None:
    """The delay of the status's google.rpc.RetryInfo in seconds, None without one."""
    for detail in _details(wire):
        if _type_of(detail) == RetryInfo.DESCRIPTOR.full_name:
            return _delay(detail.value)
    return None


def _details(wire: bytes) -> list[AnyMessage]:
    try:
        return list(Status.FromString(wire).details)
    except DecodeError:
        return []


def _type_of(detail: AnyMessage) -> str:
    return detail.type_url.rpartition("/")[2]


def _printed(detail: AnyMessage, print_any: Print) -> dict[str, Any]:
    """What others can write as JSON without a thought."""
    try:
        printed: dict[str, Any] = orjson.loads(orjson.dumps(print_any(detail), default=repaired))
    except Exception:  # a detail that cannot be read must not take the error itself down
        printed = {}
    return printed or {"@type": detail.type_url, "value": base64.b64encode(detail.value).decode()}


def _delay(wire: bytes) -> float | None:
    try:
        info = RetryInfo.FromString(wire)
    except DecodeError:
        return None
    delay = float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
    return delay if info.HasField("retry_delay") and delay >= 0 else None
