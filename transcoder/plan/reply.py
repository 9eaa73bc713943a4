"""From the end of a call, good or bad, to the answer: status, headers and body."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

import orjson

from transcoder.context import CallResult, Headers, Metadata, Reply
from transcoder.errors import UNAUTHENTICATED, ErrorShape, TranscodeError, gateway_shape

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
        if not result.metadata:
            return Reply(200, body, content_type)
        status = _status(result.metadata)
        return Reply(
            status=status,
            body=b"" if status in _WITHOUT_BODY else body,
            content_type=content_type,
            headers=tuple(_headers(result.metadata)),
        )

    return respond


def compile_refuse(
    shape: ErrorShape,
    details: Callable[[bytes], list[dict[str, Any]]] = lambda _: [],
    retry_delay: Callable[[bytes], float | None] = lambda _: None,
) -> Refuse:
    """The answer to a call that failed, or was never made.

    details, retry_delay: read a serialized google.rpc.Status.
    """

    def refuse(error: TranscodeError, request_id: str) -> Reply:
        status = error.status_details
        return Reply(
            status=error.kind.http,
            body=orjson.dumps(shape(error, request_id, details(status) if status else ())),
            headers=tuple(_refusal_headers(error, retry_delay(status) if status else None)),
            code=error.kind.name,
            grpc_code=error.kind.grpc,
            reason=error.reason,
        )

    return refuse


refuse: Final = compile_refuse(gateway_shape)
"""The answer in the default shape to a request that no configuration is known for."""


def _refusal_headers(error: TranscodeError, delay: float | None) -> Iterator[tuple[str, str]]:
    said = [*error.headers, *_headers(error.metadata)]
    yield from said
    names = {name for name, _ in said}
    if error.kind is UNAUTHENTICATED and "www-authenticate" not in names:
        yield "www-authenticate", "Bearer"
    if delay is not None and "retry-after" not in names:
        yield "retry-after", str(math.ceil(delay))


def _headers(metadata: Metadata) -> Iterator[tuple[str, str]]:
    """Response metadata under its own name, repeated values kept; grpc lets line breaks through."""
    for name, value in metadata:
        if isinstance(value, str) and value.isascii() and value.isprintable() and _is_shown(name):
            yield name, value


@lru_cache(maxsize=256)
def _is_shown(name: str) -> bool:
    return _SHOWN.fullmatch(name) is not None


def stream_head(metadata: Metadata) -> tuple[int, Headers]:
    """Status and headers of an answer that begins with its initial metadata."""
    return _status(metadata), tuple(_headers(metadata))


def _status(metadata: Metadata) -> int:
    for name, value in metadata:
        if name == STATUS_KEY and isinstance(value, str) and re.fullmatch(r"[2-5][0-9]{2}", value):
            return int(value)
    return 200
