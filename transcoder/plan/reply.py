"""From the end of a call, good or bad, to the answer: status, headers and body."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson

from transcoder.context import CallResult, Headers, Metadata, Reply
from transcoder.errors import UNAUTHENTICATED, TranscodeError, error_body

Respond = Callable[[CallResult], Reply]
"""Raises TranscodeError (INTERNAL_ERROR) when the response cannot be printed."""

Refuse = Callable[[TranscodeError, str], Reply]
"""`(error, request id)`; never raises."""

STATUS_KEY: Final = "x-http-code"
"""Response metadata with which a backend chooses the HTTP status of a success."""

_WITHOUT_BODY: Final = (204, 304)
"""RFC 9110, sections 15.3.5 and 15.4.5."""

_HIDDEN: Final = (
    r"grpc-.*|.*-bin|content-.*|access-control-.*|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding"
    r"|upgrade|host|date|server|x-request-id|" + STATUS_KEY
)
"""Response metadata that is no business of the client, or that the gateway says itself."""

_SHOWN: Final = re.compile(rf"(?!(?:{_HIDDEN})\Z)[0-9a-z_.-]+")


def compile_respond(decode: Callable[[bytes], tuple[bytes, str]]) -> Respond:
    """The answer to a successful call. decode: wire -> (body, content type)."""

    def respond(result: CallResult) -> Reply:
        body, content_type = decode(result.wire)
        status = _status(result.metadata)
        return Reply(
            status=status,
            body=b"" if status in _WITHOUT_BODY else body,
            content_type=content_type,
            headers=tuple(_headers(result.metadata)),
        )

    return respond


def compile_refuse(
    details: Callable[[bytes], list[dict[str, Any]]], retry_delay: Callable[[bytes], float | None]
) -> Refuse:
    """The answer to a failed call. details, retry_delay: read a serialized google.rpc.Status."""

    def refuse_with_details(error: TranscodeError, request_id: str) -> Reply:
        if not error.status_details:
            return refuse(error, request_id)
        delay = retry_delay(error.status_details)
        extra = {} if delay is None else {"retry-after": str(math.ceil(delay))}
        return _refusal(error, request_id, details(error.status_details), extra)

    return refuse_with_details


def refuse(error: TranscodeError, request_id: str) -> Reply:
    """The answer to a request that never reached a backend."""
    return _refusal(error, request_id, [], {})


def _refusal(
    error: TranscodeError, request_id: str, details: list[dict[str, Any]], extra: dict[str, str]
) -> Reply:
    if error.kind is UNAUTHENTICATED:
        extra = {"www-authenticate": "Bearer", **extra}
    headers = [*error.headers, *_headers(error.metadata)]
    said = {name for name, _ in headers}
    headers += ((name, value) for name, value in extra.items() if name not in said)
    return Reply(
        status=error.kind.http,
        body=orjson.dumps(error_body(error, request_id, details)),
        headers=tuple(headers),
        code=error.kind.name,
        reason=error.reason,
    )


def _headers(metadata: Metadata) -> Iterator[tuple[str, str]]:
    """Response metadata under its own name, repeated values kept; grpc lets line breaks through."""
    for name, value in metadata:
        if isinstance(value, str) and value.isascii() and value.isprintable() and _SHOWN.fullmatch(name):
            yield name, value


def stream_head(metadata: Metadata) -> tuple[int, Headers]:
    """Status and headers of an answer that begins with its initial metadata."""
    return _status(metadata), tuple(_headers(metadata))


def _status(metadata: Metadata) -> int:
    for name, value in metadata:
        if name == STATUS_KEY and isinstance(value, str) and re.fullmatch(r"[2-5][0-9]{2}", value):
            return int(value)
    return 200
