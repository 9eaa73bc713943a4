"""What can go wrong, and the one answer each case gets.

`Code` numbers are those of google/rpc/code.proto. `ErrorKind` is a row of the only gRPC <-> HTTP table; the
gateway's own refusals (405, 413, ...) are rows too. At request time nothing but `TranscodeError` is raised on
purpose, at build time nothing but `ConfigError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Final


class Code(IntEnum):
    """The status codes of google/rpc/code.proto."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorKind:
    """A row of the error table.

    grpc: the gRPC code it stands for (for a gateway-made kind, the nearest one).
    http: the status of the HTTP answer.
    name: the `code` a client reads in the error body.
    fixed_message: sent instead of any other text, for kinds whose text could tell what is behind the gateway.
    """

    grpc: Code
    http: int
    name: str
    fixed_message: str | None = None


INTERNAL_MESSAGE: Final = "internal error"
UNAVAILABLE_MESSAGE: Final = "service unavailable"


def _row(grpc: Code, http: int, name: str | None = None, fixed_message: str | None = None) -> ErrorKind:
    return ErrorKind(grpc=grpc, http=http, name=name or grpc.name, fixed_message=fixed_message)


INVALID_ARGUMENT: Final = _row(Code.INVALID_ARGUMENT, 400)
FAILED_PRECONDITION: Final = _row(Code.FAILED_PRECONDITION, 400)
OUT_OF_RANGE: Final = _row(Code.OUT_OF_RANGE, 400)
UNAUTHENTICATED: Final = _row(Code.UNAUTHENTICATED, 401)
PERMISSION_DENIED: Final = _row(Code.PERMISSION_DENIED, 403)
NOT_FOUND: Final = _row(Code.NOT_FOUND, 404)
ALREADY_EXISTS: Final = _row(Code.ALREADY_EXISTS, 409)
ABORTED: Final = _row(Code.ABORTED, 409)
RESOURCE_EXHAUSTED: Final = _row(Code.RESOURCE_EXHAUSTED, 429)
CANCELLED: Final = _row(Code.CANCELLED, 499)
UNIMPLEMENTED: Final = _row(Code.UNIMPLEMENTED, 501)
SERVICE_UNAVAILABLE: Final = _row(Code.UNAVAILABLE, 503, "SERVICE_UNAVAILABLE", UNAVAILABLE_MESSAGE)
TIMEOUT: Final = _row(Code.DEADLINE_EXCEEDED, 504, "TIMEOUT")
INTERNAL_ERROR: Final = _row(Code.INTERNAL, 500, "INTERNAL_ERROR", INTERNAL_MESSAGE)
UNKNOWN: Final = _row(Code.UNKNOWN, 500, "INTERNAL_ERROR", INTERNAL_MESSAGE)
DATA_LOSS: Final = _row(Code.DATA_LOSS, 500, "INTERNAL_ERROR", INTERNAL_MESSAGE)

METHOD_NOT_ALLOWED: Final = _row(Code.UNIMPLEMENTED, 405, "METHOD_NOT_ALLOWED")
REQUEST_TIMEOUT: Final = _row(Code.DEADLINE_EXCEEDED, 408, "REQUEST_TIMEOUT")
PAYLOAD_TOO_LARGE: Final = _row(Code.RESOURCE_EXHAUSTED, 413, "PAYLOAD_TOO_LARGE")
URI_TOO_LONG: Final = _row(Code.INVALID_ARGUMENT, 414, "URI_TOO_LONG")
UNSUPPORTED_MEDIA_TYPE: Final = _row(Code.INVALID_ARGUMENT, 415, "UNSUPPORTED_MEDIA_TYPE")
HEADERS_TOO_LARGE: Final = _row(Code.RESOURCE_EXHAUSTED, 431, "HEADERS_TOO_LARGE")

_BY_CODE: Final[Mapping[int, ErrorKind]] = {
    kind.grpc: kind
    for kind in (
        CANCELLED,
        UNKNOWN,
        INVALID_ARGUMENT,
        TIMEOUT,
        NOT_FOUND,
        ALREADY_EXISTS,
        PERMISSION_DENIED,
        RESOURCE_EXHAUSTED,
        FAILED_PRECONDITION,
        ABORTED,
        OUT_OF_RANGE,
        UNIMPLEMENTED,
        INTERNAL_ERROR,
        SERVICE_UNAVAILABLE,
        DATA_LOSS,
        UNAUTHENTICATED,
    )
}

_BY_HTTP: Final[Mapping[int, ErrorKind]] = {
    kind.http: kind
    for kind in (
        INVALID_ARGUMENT,
        NOT_FOUND,
        METHOD_NOT_ALLOWED,
        REQUEST_TIMEOUT,
        PAYLOAD_TOO_LARGE,
        UNSUPPORTED_MEDIA_TYPE,
        SERVICE_UNAVAILABLE,
    )
}


def kind_of_code(code: int) -> ErrorKind:
    """The row of a gRPC status code; numbers the specification does not know are UNKNOWN."""
    return _BY_CODE.get(code, UNKNOWN)


def kind_of_http(status: int) -> ErrorKind:
    """The row of an HTTP status the server itself refused a request with, before any route was known."""
    return _BY_HTTP.get(status, INVALID_ARGUMENT if 400 <= status < 500 else INTERNAL_ERROR)


class TranscodeError(Exception):
    """A request that cannot be answered as asked.

    kind: the row of the table; message: what the client reads (replaced by the kind's fixed message, if any);
    said: the backend's own text, if it can be shown where the format does not fix the message; reason: what
    the log reads beside it; headers: extra response headers; status_details: the google.rpc.Status a
    backend sent (`grpc-status-details-bin`); metadata: the backend's response metadata.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        said: str | None = None,
        reason: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
        status_details: bytes = b"",
        metadata: Sequence[tuple[str, str | bytes]] = (),
    ) -> None:
        self.kind = kind
        self.message = kind.fixed_message or message
        self.said = said
        self.reason = reason or message
        self.headers = tuple(headers)
        self.status_details = status_details
        self.metadata = tuple(metadata)
        super().__init__(self.reason)

    def __repr__(self) -> str:
        return f"TranscodeError({self.kind.name}, {self.message!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong in a configuration file: where it stands and what to say about it.

    key: dotted path of the key (`services.order.address`, `routes[2].path`); line: 1-based.
    """

    message: str
    key: str = ""
    file: str = ""
    line: int | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.key, self.message) if part)


class ConfigError(Exception):
    """Every problem of a configuration, found in one pass.

    files: what was in the files it was read from, or None for those that are missing or cannot be read.
    """

    def __init__(self, problems: Sequence[Problem], files: Mapping[Path, bytes | None] | None = None) -> None:
        self.problems = tuple(problems)
        self.files = files or {}
        super().__init__("\n".join(map(str, problems)))


ErrorShape = Callable[[TranscodeError, str, Sequence[Mapping[str, Any]]], dict[str, Any]]
"""`(error, request id, details)` -> the JSON body of an error."""


def gateway_shape(
    error: TranscodeError, request_id: str, details: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """`{"error": {code, message, request_id[, details]}}`, the code as a name: the default."""
    body: dict[str, Any] = {
        "code": error.kind.name,
        "message": error.message,
        "request_id": request_id,
    }
    if details:
        body["details"] = list(details)
    return {"error": body}


def google_shape(
    error: TranscodeError, _request_id: str, details: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """`{code, message, details}`: google.rpc.Status as ProtoJSON, what Envoy and grpc-gateway answer."""
    return {
        "code": int(error.kind.grpc),
        "message": error.said or error.message,
        "details": list(details),
    }
