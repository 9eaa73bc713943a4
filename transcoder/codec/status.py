"""The details of a google.rpc.Status (`grpc-status-details-bin`) for clients. Nothing here raises."""

from __future__ import annotations

import base64
from typing import Any, Final

import orjson
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import DebugInfo, RetryInfo
from google.rpc.status_pb2 import Status

from transcoder.codec.decode import Printer

_NOT_FOR_CLIENTS: Final = frozenset({DebugInfo.DESCRIPTOR.full_name})


def status_details(wire: bytes, printers: tuple[Printer, ...]) -> list[dict[str, Any]]:
    """The details as JSON objects with `@type`; each is printed by the first printer that knows its type.

    One that none can print becomes `{"@type": url, "value": base64}`. Stack traces (DebugInfo) are left out.
    """
    return [
        _printed(detail, printers) for detail in _details(wire) if _type_of(detail) not in _NOT_FOR_CLIENTS
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


def _printed(detail: AnyMessage, printers: tuple[Printer, ...]) -> dict[str, Any]:
    for to_dict in printers:
        try:
            printed = to_dict(detail)
            orjson.dumps(printed)
        except Exception:  # noqa: S112 - a detail that cannot be read must not take the error itself down
            continue
        if printed:
            return dict(printed)
    return {"@type": detail.type_url, "value": base64.b64encode(detail.value).decode()}


def _delay(wire: bytes) -> float | None:
    try:
        info = RetryInfo.FromString(wire)
    except DecodeError:
        return None
    delay = float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
    return delay if info.HasField("retry_delay") and delay >= 0 else None
