"""One line per request, with exactly the promised fields."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from tests.plan.requests import request
from tests.support.events import Events
from transcoder.context import Principal, Reply, RequestContext, RouteInfo, StreamReply
from transcoder.observe.access import log_access

ROUTE = RouteInfo(
    name="get",
    http_method="GET",
    template="/orders/{id}",
    backend="shop",
    method="shop.Orders/Get",
    origin="config",
)


class Clock:
    """Each look at it takes 1.23456 ms."""

    def __init__(self) -> None:
        self._now = 100.0

    def __call__(self) -> float:
        self._now += 0.00123456
        return self._now


async def test_answered_request() -> None:
    events = Events()
    told = Reply(status=404, code="NOT_FOUND", reason="looked everywhere", body=b"{}")

    async def handler(ctx: RequestContext) -> Reply:
        ctx.route = ROUTE
        ctx.principal = Principal(user_id="u1", email="u@x")
        return told

    ctx = request("GET", "/orders/7?token=secret", headers=[("authorization", "Bearer secret")])
    assert await log_access(handler, events, Clock())(ctx) is told
    (line,) = events.all
    assert (line.level, line.event) == ("info", "request")
    assert line.fields == {
        "method": "GET",
        "route": "/orders/{id}",
        "status": 404,
        "code": "NOT_FOUND",
        "backend": "shop",
        "rpc": "shop.Orders/Get",
        "duration_ms": 1.235,
        "request_id": "id-1",
        "trace_id": None,
        "user_id": "u1",
        "reason": "looked everywhere",
    }


async def test_request_without_a_route() -> None:
    """The raw path is not logged: it is as long and as manifold as clients like."""
    events = Events()

    async def handler(ctx: RequestContext) -> Reply:
        return Reply()

    await log_access(handler, events, Clock())(request("GET", "/secret"))
    (line,) = events.all
    nothing = ("route", "backend", "rpc", "user_id", "reason")
    assert [line.fields[name] for name in nothing] == [None] * len(nothing)
    assert (line.fields["status"], line.fields["code"]) == (200, "OK")
    assert "/secret" not in str(line.fields)


async def test_client_that_goes_away() -> None:
    events = Events()

    async def handler(ctx: RequestContext) -> Reply:
        ctx.route = ROUTE
        await asyncio.Event().wait()
        return Reply()

    waiting = asyncio.create_task(log_access(handler, events, Clock())(request()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    (line,) = events.all
    fields = (line.fields["status"], line.fields["code"], line.fields["reason"], line.fields["backend"])
    assert fields == (499, "CANCELLED", "the client went away", "shop")


async def streamed(events: Events, *, is_read: bool, code: str = "OK") -> list[bytes]:
    """A stream of two frames through the log, read to its end or given up after the first frame."""
    closed = asyncio.Event()

    async def frames() -> AsyncGenerator[bytes, None]:
        yield b"1"
        yield b"2"
        told.is_complete = True
        told.code, told.reason = code, "broken" if code != "OK" else None

    async def close() -> None:
        closed.set()

    told = StreamReply(content_type="application/json", headers=(), frames=frames(), close=close)

    async def handler(ctx: RequestContext) -> StreamReply:
        ctx.route = ROUTE
        return told

    reply = await log_access(handler, events, Clock())(request())
    assert isinstance(reply, StreamReply)
    assert events.all == []
    got = [frame async for frame in reply.frames] if is_read else [await anext(reply.frames)]
    await reply.frames.aclose()
    await reply.close()
    assert closed.is_set()
    return got


@pytest.mark.parametrize(
    ("is_read", "code", "fields"),
    [
        (True, "OK", (200, "OK", None)),
        (True, "UNAVAILABLE", (200, "UNAVAILABLE", "broken")),
        (False, "OK", (499, "CANCELLED", "the client went away")),
    ],
)
async def test_stream_is_logged_when_it_is_over(
    is_read: bool, code: str, fields: tuple[int, str, str | None]
) -> None:
    events = Events()
    frames = await streamed(events, is_read=is_read, code=code)
    assert frames == ([b"1", b"2"] if is_read else [b"1"])
    (line,) = events.all
    assert (line.fields["status"], line.fields["code"], line.fields["reason"]) == fields
    assert line.fields["backend"] == "shop"
