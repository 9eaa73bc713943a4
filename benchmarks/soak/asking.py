"""The requests that have one answer: what is asked, and whether the answer is the right one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Final, TypeAlias

import orjson

from benchmarks.soak.client import Caller, Connection, raise_for_status
from benchmarks.soak.notes import Side
from tests.support.raw import RawAnswer, request

Ask: TypeAlias = Callable[[Connection, Caller, Side, Random], Awaitable[RawAnswer]]
"""Raises WrongAnswerError or UnavailableError, or what `Connection.ask` raises."""

_LONGEST_WAIT: Final = 300
_BIG: Final = (64 * 2**10, 1536 * 2**10)


async def _get(connection: Connection, caller: Caller, side: Side, random: Random) -> RawAnswer:
    number = random.randrange(1, 2**31)
    answer = await connection.ask(caller.request("GET", f"/{side}/notes/{number:x}?number={number}"))
    return _checked(answer, caller, side, id=f"{number:x}", number=number)


async def _put(connection: Connection, caller: Caller, side: Side, random: Random) -> RawAnswer:
    note = {"id": f"{random.randrange(2**31):x}", "text": "x" * random.randrange(1, 2000)}
    answer = await connection.ask(caller.request("POST", f"/{side}/notes", orjson.dumps(note)))
    return _checked(answer, caller, side, **note)


async def _big(connection: Connection, caller: Caller, side: Side, random: Random) -> RawAnswer:
    note = {"id": f"{random.randrange(2**31):x}", "text": "x" * random.randrange(*_BIG)}
    answer = await connection.ask(caller.request("POST", f"/{side}/notes", orjson.dumps(note)))
    return _checked(answer, caller, side, **note)


async def _wait(connection: Connection, caller: Caller, side: Side, random: Random) -> RawAnswer:
    note = {"id": f"{random.randrange(2**31):x}", "number": random.randrange(1, _LONGEST_WAIT)}
    answer = await connection.ask(caller.request("POST", f"/{side}/wait", orjson.dumps(note)))
    return _checked(answer, caller, side, **note)


async def _unknown_path(connection: Connection, caller: Caller, side: Side, _random: Random) -> RawAnswer:
    answer = await connection.ask(caller.request("GET", f"/{side}/nothing"))
    raise_for_status(answer, 404)
    return answer


async def _no_token(connection: Connection, _caller: Caller, side: Side, _random: Random) -> RawAnswer:
    answer = await connection.ask(request("GET", f"/{side}/notes/1"))
    raise_for_status(answer, 401)
    return answer


async def _bad_body(connection: Connection, caller: Caller, side: Side, _random: Random) -> RawAnswer:
    answer = await connection.ask(caller.request("POST", f"/{side}/notes", b'{"number": "many"}'))
    raise_for_status(answer, 400)
    return answer


def _checked(answer: RawAnswer, caller: Caller, side: Side, **fields: object) -> RawAnswer:
    raise_for_status(answer, 200)
    caller.check(side, answer.json(), **fields)
    return answer


ASKS: Final[Mapping[str, Ask]] = {
    "get": _get,
    "put": _put,
    "big body": _big,
    "wait": _wait,
    "unknown path": _unknown_path,
    "no token": _no_token,
    "bad body": _bad_body,
}
WEIGHTS: Final = (78, 12, 0.5, 4, 2, 2, 1.5)
"""How often each of them is asked, beside the others."""
