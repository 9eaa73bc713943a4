"""Requests as metrics."""

from __future__ import annotations

import asyncio
import os
import random
import tracemalloc
from collections.abc import AsyncGenerator, Iterator

import pytest

from tests.plan.requests import request
from transcoder.context import Handler, Reply, RequestContext, RouteInfo, StreamReply
from transcoder.errors import CANCELLED, NOT_FOUND, PAYLOAD_TOO_LARGE, Code, TranscodeError
from transcoder.observe.access import log_access
from transcoder.observe.cells import read_rows, shared_memory
from transcoder.observe.metrics import Metrics
from transcoder.observe.requests import RequestMeter, measure_refusals, measure_requests
from transcoder.plan.reply import refuse

ROUTE = RouteInfo(
    name="get",
    http_method="GET",
    template="/orders/{id}",
    backend="shop",
    method="shop.Orders/Get",
    origin="config",
)
LABELS = ("/orders/{id}", "GET", "shop")
TOTAL, DURATION, STREAM = (
    "transcoder_requests_total",
    "transcoder_request_duration_seconds",
    "transcoder_stream_duration_seconds",
)


class Clock:
    """Each look at it takes 20 ms."""

    def __init__(self) -> None:
        self._now = 100.0

    def __call__(self) -> float:
        self._now += 0.02
        return self._now


class Meter(RequestMeter):
    """A RequestMeter whose figures can be looked at."""

    def __init__(self, memory: int) -> None:
        super().__init__(Metrics(memory))
        self._memory = memory

    def counts(self, name: str) -> dict[tuple[str, ...], float]:
        """How many there were, by the values of the labels."""
        return {
            key[1:]: sum(row[:-1]) if len(row) > 1 else row[0]
            for key, row in read_rows(self._memory)
            if key[0] == name
        }


@pytest.fixture
def meter() -> Iterator[Meter]:
    memory = shared_memory()
    yield Meter(memory)
    os.close(memory)


def answering(reply: Reply | StreamReply, route: RouteInfo | None = ROUTE) -> Handler:
    async def handler(ctx: RequestContext) -> Reply | StreamReply:
        ctx.route = route
        return reply

    return handler


async def test_answered_request(meter: Meter) -> None:
    reply = Reply(status=404, code="NOT_FOUND", grpc_code=Code.NOT_FOUND)
    measured = measure_requests(answering(reply), meter, Clock())
    for _ in range(3):
        assert await measured(request("HEAD", "/orders/7")) is reply
    assert meter.counts(TOTAL) == {(*LABELS, "404", "NOT_FOUND"): 3}
    assert meter.counts(DURATION) == {LABELS: 3}
    assert meter.counts(STREAM) == {}
    assert meter.in_flight == 0


async def test_request_in_flight_and_client_that_goes_away(meter: Meter) -> None:
    async def handler(ctx: RequestContext) -> Reply:
        ctx.route = ROUTE
        await asyncio.Event().wait()
        return Reply()

    waiting = asyncio.create_task(measure_requests(handler, meter, Clock())(request()))
    await asyncio.sleep(0)
    assert (meter.in_flight, meter.counts(TOTAL)) == (1, {})
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert meter.in_flight == 0
    assert meter.counts(TOTAL) == {(*LABELS, "499", "CANCELLED"): 1}


def stream(*, fails: bool = False) -> StreamReply:
    """Two frames; the end is written into the reply, as exchanges and who sends it do."""

    async def frames() -> AsyncGenerator[bytes, None]:
        yield b"1"
        yield b"2"
        told.is_complete = True
        if fails:
            told.code, told.grpc_code, told.reason = "INTERNAL_ERROR", Code.DATA_LOSS, "broken"

    async def close() -> None:
        pass

    told = StreamReply(content_type="application/json", headers=(), frames=frames(), close=close)
    return told


@pytest.mark.parametrize(
    ("is_read", "fails", "status", "grpc_code"),
    [
        (True, False, "200", "OK"),
        (True, True, "200", "DATA_LOSS"),
        (False, False, "499", "CANCELLED"),
    ],
)
async def test_stream_is_measured_when_it_is_over(
    meter: Meter, is_read: bool, fails: bool, status: str, grpc_code: str
) -> None:
    reply = await measure_requests(answering(stream(fails=fails)), meter, Clock())(request())
    assert isinstance(reply, StreamReply)
    frames = [frame async for frame in reply.frames] if is_read else [await anext(reply.frames)]
    assert frames == ([b"1", b"2"] if is_read else [b"1"])
    await reply.frames.aclose()
    assert (meter.in_flight, meter.counts(TOTAL)) == (1, {})
    await reply.close()
    assert meter.in_flight == 0
    assert meter.counts(TOTAL) == {(*LABELS, status, grpc_code): 1}
    assert (meter.counts(STREAM), meter.counts(DURATION)) == ({LABELS: 1}, {})


async def test_stream_whose_client_goes_while_it_is_closed_is_over(meter: Meter) -> None:
    closing = asyncio.Event()

    async def close() -> None:
        closing.set()
        await asyncio.Event().wait()

    told = stream()
    told.close = close
    reply = await measure_requests(answering(told), meter, Clock())(request())
    assert isinstance(reply, StreamReply)
    assert [frame async for frame in reply.frames] == [b"1", b"2"]
    ending = asyncio.ensure_future(reply.close())
    await closing.wait()
    ending.cancel()
    await asyncio.wait([ending])
    assert meter.in_flight == 0
    assert meter.counts(TOTAL) == {(*LABELS, "200", "OK"): 1}


async def test_every_observer_sees_how_a_stream_ended(meter: Meter) -> None:
    ends: list[str] = []

    class Log:
        def info(self, _event: str, **fields: str) -> None:
            ends.append(fields["code"])

        warning = error = info

    measured = measure_requests(answering(stream(fails=True)), meter, Clock())
    reply = await log_access(measured, Log(), Clock())(request())
    assert isinstance(reply, StreamReply)
    assert [frame async for frame in reply.frames] == [b"1", b"2"]
    await reply.close()
    assert ends == ["INTERNAL_ERROR"]
    assert meter.counts(TOTAL) == {(*LABELS, "200", "DATA_LOSS"): 1}


async def test_conversation_over_a_websocket_is_a_stream(meter: Meter) -> None:
    reply = Reply(status=101, code="TIMEOUT", grpc_code=Code.DEADLINE_EXCEEDED)
    await measure_requests(answering(reply), meter, Clock())(request())
    assert meter.counts(TOTAL) == {(*LABELS, "101", "DEADLINE_EXCEEDED"): 1}
    assert (meter.counts(STREAM), meter.counts(DURATION)) == ({LABELS: 1}, {})


@pytest.mark.parametrize(
    ("http_method", "label"), [("GET", "GET"), ("get", "other"), ("FOO", "other"), ("\n", "other")]
)
async def test_request_without_a_route(meter: Meter, http_method: str, label: str) -> None:
    reply = Reply(status=404, grpc_code=Code.NOT_FOUND)
    await measure_requests(answering(reply, None), meter, Clock())(request(http_method, "/secret"))
    assert meter.counts(TOTAL) == {("unmatched", label, "", "404", "NOT_FOUND"): 1}


async def test_many_paths_and_methods_take_no_memory(meter: Meter) -> None:
    """A client can choose as many as it likes."""
    measured = measure_requests(answering(Reply(status=404, grpc_code=Code.NOT_FOUND), None), meter, Clock())
    names = random.Random(1)

    async def ask(count: int) -> None:
        for _ in range(count):
            name = names.randbytes(8).hex()
            await measured(request(name.upper(), f"/{name}"))

    await ask(100)
    tracemalloc.start()
    try:
        await ask(1000)
        before, _ = tracemalloc.get_traced_memory()
        await ask(99_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 10_000
    assert meter.counts(TOTAL) == {("unmatched", "other", "", "404", "NOT_FOUND"): 100_100}


def test_refusal_of_what_no_handler_saw(meter: Meter) -> None:
    answer = measure_refusals(refuse, meter)
    error = TranscodeError(PAYLOAD_TOO_LARGE, "too large")
    assert answer(error, "id-1").status == refuse(error, "id-1").status == 413
    answer(TranscodeError(NOT_FOUND, "no"), "id-2")
    # missed by the handler already
    answer(TranscodeError(CANCELLED, "gone"), "id-3")
    assert meter.counts(TOTAL) == {
        ("unmatched", "other", "", "413", "RESOURCE_EXHAUSTED"): 1,
        ("unmatched", "other", "", "404", "NOT_FOUND"): 1,
    }
