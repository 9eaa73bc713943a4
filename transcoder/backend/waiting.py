"""Waiting for what grpc does in a call, so that nothing of it is lost when nobody waits any more.

grpc.aio 1.85 never frees an operation whose awaiter is cancelled, nor its message: 1 KB or more for each
call that is given up. `call.cancel()` does that to the tasks that grpc has of its own (grpc/grpc#43360). So a
cancellation here ends the call, and grpc learns of it as of any other end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from types import coroutine
from typing import Any, TypeVar

import grpc.aio

_T = TypeVar("_T")


def end(call: grpc.aio.Call) -> None:
    """Cancel a call, if it is not over, and none of the tasks that grpc has for it."""
    call._cancel("nobody waits for it any more")  # type: ignore[attr-defined]


def release_writers(call: grpc.aio.StreamStreamCall[bytes, bytes]) -> None:
    """Let nobody wait any longer than the call lasts for the moment at which it can be written to.

    grpc.aio 1.85 names that moment when a call starts or fails to, but not when the call is cancelled before,
    as a channel that is closed does with the calls that wait for its connection.
    """
    call.add_done_callback(lambda over: over._metadata_sent_observer())


@coroutine
def to_the_end(call: grpc.aio.Call, awaitable: Awaitable[_T]) -> Generator[Any, Any, _T]:
    """Await something of a call. A cancellation ends the call, and is raised when grpc has noticed."""
    steps = awaitable.__await__()
    cancellation: asyncio.CancelledError | None = None
    while True:
        try:
            waiting = _Waiting(next(steps), call)
        except StopIteration as over:
            if cancellation is None:
                return over.value  # type: ignore[no-any-return]
            break
        except (Exception, asyncio.CancelledError):
            if cancellation is None:
                raise
            break
        try:
            yield waiting
        except asyncio.CancelledError as error:
            cancellation = error if waiting.is_cancelled else cancellation
        except Exception:  # noqa: S110 - the next step raises it where grpc waits for it
            pass
    try:
        raise cancellation
    finally:
        del cancellation  # its traceback holds this frame, and so all that the request holds


class _Waiting:
    """What the running task waits for in place of a future of grpc's (see `asyncio.isfuture`)."""

    __slots__ = (
        "_asyncio_future_blocking",
        "_call",
        "add_done_callback",
        "get_loop",
        "is_cancelled",
    )

    def __init__(self, future: asyncio.Future[Any], call: grpc.aio.Call) -> None:
        self._asyncio_future_blocking = True
        self._call = call
        self.add_done_callback = future.add_done_callback
        self.get_loop = future.get_loop
        self.is_cancelled = False

    def cancel(self, msg: object = None) -> bool:
        """Asked by the task when it is cancelled; False lets it go on waiting, and hear of it afterwards."""
        del msg
        self.is_cancelled = True
        end(self._call)
        return False
