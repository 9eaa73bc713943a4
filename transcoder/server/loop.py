"""The event loop of a worker: uvloop's, told of finished calls once for many."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from socket import MSG_PEEK, socket
from typing import Any, Final, TypeVarTuple

import uvloop

Arguments = TypeVarTuple("Arguments")

_POLLER: Final = "PollerCompletionQueue"
_AT_ONCE: Final = 4096
"""Bytes; what is beyond them is taken in the next turn."""


class Loop(uvloop.Loop):
    """grpc.aio 1.85 tells of each event with a byte through a socket, handles all events there are when it
    can read one, and takes only that. When 32 calls end together, 31 turns of the loop follow in which there
    is nothing to do. Here, the other bytes are taken before.

    Each event is in grpc's queue before its byte is sent, and the one that is left makes grpc look at all.
    """

    def add_reader(self, fd: Any, callback: Callable[[*Arguments], Any], *args: *Arguments) -> None:
        """Call back when there is something to read."""
        if isinstance(fd, socket) and tells_of_calls(callback):
            super().add_reader(fd, _with_one_byte, fd, callback, *args)
        else:
            super().add_reader(fd, callback, *args)


def tells_of_calls(callback: Callable[..., Any]) -> bool:
    """Whether grpc is called back; if it is not what it was, nothing is done for it."""
    method = callback.func if isinstance(callback, partial) else callback
    return type(getattr(method, "__self__", None)).__name__ == _POLLER


def _with_one_byte(news: socket, callback: Callable[..., Any], *args: Any) -> None:
    waiting = len(news.recv(_AT_ONCE, MSG_PEEK))
    if waiting > 1:
        news.recv(waiting - 1)
    callback(*args)
