from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from tests.plan.requests import request
from transcoder.context import Reply, RequestContext, StreamReply
from transcoder.errors import SERVICE_UNAVAILABLE, Code, TranscodeError
from transcoder.plan.reply import refuse
from transcoder.resilience.in_flight import InFlight, cap_requests


def test_calls_above_the_cap_are_refused_until_one_has_ended() -> None:
    refusals: list[None] = []
    begin = InFlight(lambda: 2, "calls", lambda: refusals.append(None)).calls("/s/m")
    _, end = begin([], None)
    begin([], None)
    with pytest.raises(TranscodeError) as caught:
        begin([], None)
    assert caught.value.kind is SERVICE_UNAVAILABLE
    assert dict(caught.value.headers) == {"retry-after": "1"}
    end(Code.OK)
    begin([], None)
    assert len(refusals) == 1


def test_no_cap_is_no_cap_and_it_may_change() -> None:
    cap = 0
    in_flight = InFlight(lambda: cap, "requests", lambda: None)
    for _ in range(100):
        in_flight.enter()
    cap = 100
    with pytest.raises(TranscodeError):
        in_flight.enter()
    assert in_flight.count == 100


async def test_a_request_counts_until_it_is_answered() -> None:
    go_on = asyncio.Event()

    async def handler(_ctx: RequestContext) -> Reply:
        await go_on.wait()
        return Reply()

    in_flight = InFlight(lambda: 1, "requests", lambda: None)
    handle = cap_requests(handler, in_flight, refuse)
    first = asyncio.create_task(handle(request("GET", "/")))
    await asyncio.sleep(0)
    refusal = await handle(request("GET", "/"))
    assert refusal.status == 503
    assert ("retry-after", "1") in refusal.headers
    go_on.set()
    assert (await first).status == 200
    assert (await handle(request("GET", "/"))).status == 200
    assert in_flight.count == 0


async def test_a_request_that_is_cancelled_counts_no_more() -> None:
    async def handler(_ctx: RequestContext) -> Reply:
        await asyncio.Event().wait()
        return Reply()

    in_flight = InFlight(lambda: 1, "requests", lambda: None)
    task = asyncio.create_task(cap_requests(handler, in_flight, refuse)(request("GET", "/")))
    await asyncio.sleep(0)
    assert in_flight.count == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert in_flight.count == 0


async def test_a_stream_counts_until_it_is_over() -> None:
    closed = []

    async def frames() -> AsyncGenerator[bytes, None]:
        yield b"1"

    async def close() -> None:
        closed.append(True)

    async def handler(_ctx: RequestContext) -> StreamReply:
        return StreamReply(content_type="application/json", headers=(), frames=frames(), close=close)

    in_flight = InFlight(lambda: 1, "requests", lambda: None)
    handle = cap_requests(handler, in_flight, refuse)
    reply = await handle(request("GET", "/"))
    assert isinstance(reply, StreamReply)
    assert in_flight.count == 1
    assert (await handle(request("GET", "/"))).status == 503
    await reply.close()
    assert closed == [True]
    assert in_flight.count == 0
