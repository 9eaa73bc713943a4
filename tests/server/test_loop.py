"""The worker's event loop: one turn for all the calls that have ended, and nothing changed for others."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc.aio
import pytest
import uvloop

from transcoder.server.loop import Loop, tells_of_calls


class PollerCompletionQueue:
    """Told of events as grpc's: a byte for each, of which it takes one."""

    def __init__(self) -> None:
        self.read, self._write = socket.socketpair()
        self.read.setblocking(False)
        self.calls = 0

    def tell(self, events: int) -> None:
        self._write.send(b"1" * events)

    def handle(self, _loop: object) -> None:
        self.read.recv(1)
        self.calls += 1

    def close(self) -> None:
        self.read.close()
        self._write.close()


class _Plain(PollerCompletionQueue):
    """The same, but not grpc's."""


async def _turns(queue: PollerCompletionQueue, events: int) -> int:
    """How often a queue is called back for events that have come together."""
    loop = asyncio.get_running_loop()
    loop.add_reader(queue.read, partial(queue.handle, loop))
    queue.tell(events)
    try:
        await _until_empty(queue.read)
    finally:
        loop.remove_reader(queue.read)
        queue.close()
    return queue.calls


async def _until_empty(read: socket.socket) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                read.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                return
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("queue", "events", "turns"),
    [
        (PollerCompletionQueue, 1, 1),
        (PollerCompletionQueue, 32, 1),
        (PollerCompletionQueue, 5000, 2),
        (_Plain, 32, 32),
    ],
)
def test_events_of_grpc_that_come_together_take_one_turn(
    queue: Callable[[], PollerCompletionQueue], events: int, turns: int
) -> None:
    assert uvloop.run(_turns(queue(), events), loop_factory=Loop) == turns


def test_grpc_is_recognised() -> None:
    seen: list[Callable[..., Any]] = []

    class Seeing(Loop):
        def add_reader(self, fd: Any, callback: Callable[..., Any], *args: Any) -> None:
            seen.append(callback)
            super().add_reader(fd, callback, *args)

    async def open_channel() -> None:
        async with grpc.aio.insecure_channel("127.0.0.1:1"):
            pass

    uvloop.run(open_channel(), loop_factory=Seeing)
    assert [tells_of_calls(callback) for callback in seen] == [True]
