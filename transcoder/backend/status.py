"""The one border where what grpc raises becomes a `TranscodeError`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from types import TracebackType
from typing import Final

import grpc.aio

from transcoder.context import Metadata
from transcoder.errors import (
    CANCELLED,
    HEADERS_TOO_LARGE,
    INTERNAL_ERROR,
    PAYLOAD_TOO_LARGE,
    RESOURCE_EXHAUSTED,
    SERVICE_UNAVAILABLE,
    TIMEOUT,
    ErrorKind,
    TranscodeError,
    kind_of_code,
)

_PLAIN: Final = re.compile(r"[\w ,.;!?'\"()-]{1,200}")
_TELLING: Final = re.compile(
    r"exception|error|traceback|class|connect|socket|stream|address|channel|keepalive|cancel|ping|peer"
    r"|refused|\d\.\d",
    re.IGNORECASE,
)
"""Words of grpc itself, which writes into the same field as backends do; addresses come with them."""

DETAILS_KEY: Final = "grpc-status-details-bin"

_REMOVED: Final = "Stream removed ("
"""How grpc begins its own words for a stream that was reset (RFC 9113, section 6.4), or given up by our side,
before it had a status."""

_LIMITS: Final = (
    (f"{_REMOVED}received metadata size", INTERNAL_ERROR, "response metadata too large"),
    (f"{_REMOVED}CLIENT: Received message larger", INTERNAL_ERROR, "response message too large"),
    ("CLIENT: Sent message larger", PAYLOAD_TOO_LARGE, "request message too large"),
    ("received metadata size", HEADERS_TOO_LARGE, "request metadata too large"),
)
"""How grpc begins what it says of sizes, in the last case as a backend; names and sizes of the metadata
follow. To grpc all are RESOURCE_EXHAUSTED, but none passes if one waits."""

_NEVER_BEGUN: Final = "CANCELLED"
"""All that grpc's servers in C++ and Python say, when they are told to stop, of calls that have arrived and
that no handler has begun (https://github.com/grpc/grpc/issues/41785)."""

_AHEAD: Final = 0.1
"""Seconds by which a backend may see a deadline pass before we do."""


def from_rpc_error(error: grpc.aio.AioRpcError, call: grpc.aio.RpcContext | None = None) -> TranscodeError:
    """The error a call ended with, with the backend's message, details and metadata.

    call: tells how near its deadline is.
    """
    trailers = metadata_of(error.trailing_metadata())
    metadata = (*metadata_of(error.initial_metadata()), *trailers)
    kind = kind_of_code(error.code().value[0])
    text = error.details() or ""
    if kind is RESOURCE_EXHAUSTED and (limit := _limit(text)) is not None:
        return limit
    if text.startswith(_REMOVED):
        return _from_removed(kind, text, call.time_remaining() if call else None)
    if kind is CANCELLED and text == _NEVER_BEGUN and not metadata:
        return TranscodeError(SERVICE_UNAVAILABLE, "", reason="the backend stopped before it began the call")
    return TranscodeError(
        kind,
        text or _name(kind),
        said=text if _PLAIN.fullmatch(text) and not _TELLING.search(text) else None,
        status_details=_details(trailers),
        metadata=metadata,
    )


def from_exception(error: Exception) -> TranscodeError:
    """Whatever else grpc raises: a closed channel, illegal metadata, a bug. None of it is for clients."""
    if isinstance(error, grpc.aio.UsageError):
        return from_closed_channel()
    return TranscodeError(INTERNAL_ERROR, "call failed", reason=f"{type(error).__name__}: {error}")


class grpc_errors:  # noqa: N801 - reads as a statement
    """What grpc raises inside the block leaves it as a TranscodeError; the task's cancellation does not.

    call: the one that is waited for. A class and no generator: a block is entered for every call and message.
    """

    __slots__ = ("call",)

    def __init__(self, call: grpc.aio.RpcContext | None = None) -> None:
        self.call = call

    def __enter__(self) -> grpc_errors:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is None:
            return
        if isinstance(error, grpc.aio.AioRpcError):
            raise from_rpc_error(error, self.call) from error
        if isinstance(error, asyncio.CancelledError):
            if is_own_cancellation():
                return
            raise from_closed_channel() from None
        if isinstance(error, Exception):
            raise from_exception(error) from error


def is_own_cancellation() -> bool:
    """Whether a CancelledError is meant for the running task; grpc raises it for a closed channel too."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def from_closed_channel() -> TranscodeError:
    """A call whose channel was closed, by a reload that dropped or changed its backend."""
    return TranscodeError(SERVICE_UNAVAILABLE, "", reason="the channel was closed")


class Pairs(grpc.aio.Metadata):
    """Metadata to send, as they are. grpc would sort them by key, only to walk them once."""

    def __init__(self, pairs: Metadata) -> None:
        self._pairs = pairs

    def __iter__(self) -> Iterator[tuple[str, str | bytes]]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)


def metadata_of(metadata: grpc.aio.Metadata | None) -> Metadata:
    """Metadata as plain pairs."""
    return [(str(key), value) for key, value in metadata] if metadata else ()


def _limit(text: str) -> TranscodeError | None:
    """The error of a size that grpc does not allow, if its words are about one."""
    for words, kind, message in _LIMITS:
        if text.startswith(words):
            return TranscodeError(kind, message, reason=text)
    return None


def _from_removed(kind: ErrorKind, text: str, remaining: float | None) -> TranscodeError:
    """Servers in Go and Java reset, with CANCEL, the streams of calls whose deadline has passed.

    At any other time it is not the client who has cancelled the call, and no handler has said so.
    """
    if kind is CANCELLED:
        kind = TIMEOUT if remaining is not None and remaining < _AHEAD else SERVICE_UNAVAILABLE
    return TranscodeError(kind, _name(kind), reason=text)


def _name(kind: ErrorKind) -> str:
    return kind.grpc.name.lower().replace("_", " ")


def _details(trailers: Metadata) -> bytes:
    for key, value in trailers:
        if key == DETAILS_KEY:
            return value if isinstance(value, bytes) else value.encode()
    return b""
