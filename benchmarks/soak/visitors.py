"""Clients that come and go: in mid-request, in mid-stream, over WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from random import Random
from typing import Final, TypeAlias

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from benchmarks.soak.client import PATIENCE, Caller, Connection
from benchmarks.soak.ledger import Ledger, UnavailableError, WrongAnswerError
from benchmarks.soak.notes import SIDES, Side

Visit: TypeAlias = Callable[[Caller, Side, Random], Awaitable[None]]

_CALL_LASTS: Final = 2000
_LONG_STREAM: Final = 10_000
_MOST_MESSAGES: Final = 20
_INTERNAL_ERROR: Final = 1011


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitors:
    """each: how many of each kind there are at once; ends_at: seconds of the ledger's clock."""

    callers: Sequence[Caller]
    ledger: Ledger
    random: Random
    each: int
    ends_at: float

    async def run(self) -> None:
        async with asyncio.TaskGroup() as visitors:
            for kind, visit in _VISITS.items():
                for _ in range(self.each):
                    visitors.create_task(self._come_again(kind, visit))

    async def _come_again(self, kind: str, visit: Visit) -> None:
        while self.ledger.clock() < self.ends_at:
            await asyncio.sleep(self.random.uniform(0.2, 2.0))
            side = self.random.choice(SIDES)
            with self.ledger.entry(kind, side):
                await visit(self.random.choice(self.callers), side, self.random)


async def _leave_a_call(caller: Caller, side: Side, random: Random) -> None:
    """Gone while the backend works; nothing is answered, so only the connection can fail."""
    request = caller.request("POST", f"/{side}/wait", orjson.dumps({"number": _CALL_LASTS}))
    await _send_and_leave(caller, request, random)


async def _leave_a_body(caller: Caller, side: Side, random: Random) -> None:
    """Gone before the body is whole."""
    request = caller.request("POST", f"/{side}/notes", orjson.dumps({"text": "x" * 100_000}))
    await _send_and_leave(caller, request[: random.randrange(1000, len(request))], random)


async def _send_and_leave(caller: Caller, request: bytes, random: Random) -> None:
    connection = await Connection.open(caller.url)
    try:
        connection.send(request)
        await asyncio.sleep(random.uniform(0.02, 0.5))
    finally:
        connection.leave()


async def _read_a_stream(caller: Caller, side: Side, random: Random) -> None:
    """Every message to the end."""
    count = random.randrange(1, _MOST_MESSAGES)
    if (got := await _watch(caller, side, count, count + 1)) != count:
        raise WrongAnswerError(f"the stream ended after {got} of {count} messages")


async def _leave_a_stream(caller: Caller, side: Side, random: Random) -> None:
    """Gone after a few messages of a stream that would have gone on."""
    count = random.randrange(1, _MOST_MESSAGES)
    if (got := await _watch(caller, side, _LONG_STREAM, count)) != count:
        raise WrongAnswerError(f"the stream ended after {got} messages")


async def _watch(caller: Caller, side: Side, length: int, most: int) -> int:
    """How many messages came in order, of a stream that long; leaves after so many."""
    connection = await Connection.open(caller.url)
    got = 0
    try:
        async with aclosing(
            connection.stream(caller.request("GET", f"/{side}/watch/s?number={length}"))
        ) as records:
            async for record in records:
                caller.check(side, record, id="s", number=got)
                got += 1
                if got == most:
                    break
    finally:
        connection.leave()
    return got


async def _chat(caller: Caller, side: Side, random: Random) -> None:
    """A WebSocket, closed as it should be half of the times."""
    try:
        async with connect(
            f"{caller.url.replace('http', 'ws')}/{side}/chat",
            additional_headers={"Authorization": caller.authorization},
            proxy=None,
            open_timeout=PATIENCE,
        ) as socket:
            await _talk(socket, caller, side, random)
            if random.random() < 1 / 2:
                socket.transport.abort()
    except InvalidStatus as refusal:
        if refusal.response.status_code in {503, 504}:
            raise UnavailableError(f"WebSocket: {refusal}") from refusal
        raise
    except ConnectionClosedError as end:
        if end.rcvd is not None and end.rcvd.code == _INTERNAL_ERROR:
            raise UnavailableError(f"WebSocket: {end}") from end
        raise


async def _talk(socket: ClientConnection, caller: Caller, side: Side, random: Random) -> None:
    for number in range(1, random.randrange(2, _MOST_MESSAGES)):
        await socket.send(orjson.dumps({"id": "c", "number": number}).decode())
        async with asyncio.timeout(PATIENCE):
            caller.check(side, orjson.loads(await socket.recv()), id="c", number=number)
        await asyncio.sleep(random.uniform(0, 0.1))


_VISITS: Final[Mapping[str, Visit]] = {
    "cancelled call": _leave_a_call,
    "cancelled body": _leave_a_body,
    "whole stream": _read_a_stream,
    "left stream": _leave_a_stream,
    "websocket": _chat,
}
