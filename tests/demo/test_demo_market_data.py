from __future__ import annotations

from datetime import UTC, datetime, timedelta

import grpc
import pytest

from tests.demo.conftest import Client, connected
from transcoder.demo.market_data import QUOTE_INTERVAL, market_data_service
from transcoder.demo.serving import start

QUOTE = "marketdata.v1.MarketDataService/GetQuote"
STREAM = "marketdata.v1.MarketDataService/StreamQuotes"


class SleepingClock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = datetime(2024, 5, 6, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


async def test_a_quote_without_a_user(client: Client) -> None:
    quote = await client.call(QUOTE, {"symbol": "aapl"})
    assert quote["symbol"] == "AAPL"
    assert quote["bid"] < quote["last"] < quote["ask"]
    assert quote["last"] == pytest.approx(189.9, rel=0.011)
    assert int(quote["volume"]) >= 1_000_000
    assert quote["asOf"].endswith("Z")


@pytest.mark.parametrize("method", [QUOTE, STREAM])
async def test_an_unknown_symbol_is_not_found(client: Client, method: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.stream(method, {"symbol": "NOPE"})
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == "symbol 'NOPE' not found"


async def test_a_stream_ticks_with_the_clock_and_ends_at_its_limit() -> None:
    clock = SleepingClock()
    service = market_data_service(clock=clock, sleep=clock.sleep)
    backend = await start(service, host="127.0.0.1", port=0)
    async with connected([backend]) as client:
        quotes = await client.stream(STREAM, {"symbol": "MSFT", "limit": 3})
    await backend.stop()

    assert QUOTE_INTERVAL == 1
    assert [quote["asOf"] for quote in quotes] == [f"2024-05-06T00:00:0{second}Z" for second in range(3)]
    assert len({quote["last"] for quote in quotes}) == 3


async def test_a_stream_without_limit_goes_on() -> None:
    clock = SleepingClock()
    service = market_data_service(clock=clock, sleep=clock.sleep)
    backend = await start(service, host="127.0.0.1", port=0)
    async with grpc.aio.insecure_channel(backend.address) as channel:
        call = channel.unary_stream(f"/{STREAM}")(b"\n\x04AAPL", timeout=10)
        for _ in range(20):
            assert await call.read() is not grpc.aio.EOF
        call.cancel()
    await backend.stop()


async def test_a_negative_limit_is_invalid(client: Client) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.stream(STREAM, {"symbol": "AAPL", "limit": -1})
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "limit: must not be negative"
