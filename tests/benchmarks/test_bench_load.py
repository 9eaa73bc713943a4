"""What load generators say of themselves is read rightly."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from benchmarks.load import Load, parse_report
from benchmarks.stream import read_streams

WRK = """\
Running 1s test @ http://127.0.0.1:41883
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     9.93ms    2.70ms  29.36ms   92.34%
    Req/Sec     3.12k   356.29     3.58k    70.00%
  3106 requests in 1.00s, 1.37MB read
  Non-2xx or 3xx responses: 2
Requests/sec:   3095.60
Transfer/sec:      1.36MB
report {"requests":3106,"duration":1003359,"p50":9871,"p99":21080,"errors":2}
"""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
TICK = b'{"sequence":"1"}\n'
TICKS = b"%x\r\n%s\r\n" % (2 * len(TICK), 2 * TICK)


def test_report_of_wrk() -> None:
    assert parse_report(WRK) == Load(done=3106, seconds=1.003359, p50=0.009871, p99=0.02108, errors=2)


def test_wrk_without_a_report_is_an_error_that_says_why() -> None:
    with pytest.raises(RuntimeError, match="unable to connect"):
        parse_report("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_percentiles_are_of_the_waits() -> None:
    load = Load.from_waits([n / 100 for n in range(101)], done=5, seconds=2)
    assert (load.p50, load.p99) == (0.5, 0.99)


def test_nothing_came_for_as_long_as_it_took() -> None:
    assert Load.from_waits([], done=0, seconds=2) == Load(done=0, seconds=2, p50=2, p99=2)


class Server(asyncio.Protocol):
    """Answers every request with the same parts, each written on its own."""

    def __init__(self, parts: Sequence[bytes]) -> None:
        self._parts = parts
        self._requests = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._writing: list[asyncio.Task[None]] = []

    def data_received(self, data: bytes) -> None:
        assert data.endswith(b"\r\n\r\n")
        self._writing.append(asyncio.create_task(self._answer()))

    async def _answer(self) -> None:
        for part in self._parts:
            self._transport.write(part)
            await asyncio.sleep(0.001)


async def read_from(*parts: bytes) -> Load:
    """What two connections bring within a quarter of a second."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(parts), "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        return await asyncio.to_thread(read_streams, f"http://{host}:{port}", "/v1/ticks", 2, 0.25, {})


async def test_messages_of_one_stream_after_the_other_are_counted() -> None:
    load = await read_from(HEAD, TICKS, TICKS + b"0\r", b"\n\r\n")
    assert load.errors == 0
    assert load.done > 2 * 4  # the end of a stream, although in two pieces, was seen
    assert 0 < load.p50 <= load.p99 < 0.25


async def test_message_that_comes_with_the_head_is_counted() -> None:
    assert (await read_from(HEAD + TICKS)).done == 2 * 2


async def test_stream_that_never_begins_has_waited_all_the_time() -> None:
    load = await read_from(HEAD)
    assert (load.done, load.errors) == (0, 0)
    assert load.p50 >= 0.25


async def test_answer_that_is_no_success_is_an_error() -> None:
    load = await read_from(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}")
    assert (load.done, load.errors) == (0, 2)
