"""The one border where what grpc raises becomes a `TranscodeError`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import grpc.aio

from transcoder.context import Metadata
from transcoder.errors import INTERNAL_ERROR, SERVICE_UNAVAILABLE, TranscodeError, kind_of_code

DETAILS_KEY: Final = "grpc-status-details-bin"


def from_rpc_error(error: grpc.aio.AioRpcError) -> TranscodeError:
    """The error a call ended with, with the backend's message, details and metadata."""
    trailers = metadata_of(error.trailing_metadata())
    kind = kind_of_code(error.code().value[0])
    return TranscodeError(
        kind,
        error.details() or kind.grpc.name.lower().replace("_", " "),
        status_details=_details(trailers),
        metadata=(*metadata_of(error.initial_metadata()), *trailers),
    )


def from_exception(error: Exception) -> TranscodeError:
    """Whatever else grpc raises: a closed channel, illegal metadata, a bug. None of it is for clients."""
    if isinstance(error, grpc.aio.UsageError):
        return from_closed_channel()
    return TranscodeError(INTERNAL_ERROR, "call failed", reason=f"{type(error).__name__}: {error}")


@contextmanager
def grpc_errors() -> Iterator[None]:
    """What grpc raises inside the block leaves it as a TranscodeError; the task's cancellation does not."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error
    except asyncio.CancelledError:
        if is_own_cancellation():
            raise
        raise from_closed_channel() from None
    except Exception as error:
        raise from_exception(error) from error


def is_own_cancellation() -> bool:
    """Whether a CancelledError is meant for the running task; grpc raises it for a closed channel too."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def from_closed_channel() -> TranscodeError:
    """A call whose channel was closed, by a reload that dropped or changed its backend."""
    return TranscodeError(SERVICE_UNAVAILABLE, "", reason="the channel was closed")


def metadata_of(metadata: grpc.aio.Metadata | None) -> Metadata:
    """Metadata as plain pairs."""
    return [(str(key), value) for key, value in metadata] if metadata else []


def _details(trailers: Metadata) -> bytes:
    for key, value in trailers:
        if key == DETAILS_KEY:
            return value if isinstance(value, bytes) else value.encode()
    return b""
