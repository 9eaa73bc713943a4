"""MarketDataService: made-up prices that move with the clock."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from itertools import count
from typing import Any, Final

from grpc import StatusCode

from transcoder.demo.calls import Clock, Context, Violation, refuse_bad_request
from transcoder.demo.messages import message_class
from transcoder.demo.serving import Service

Sleep = Callable[[float], Awaitable[None]]

QUOTE_INTERVAL: Final = 1.0  # seconds between two quotes of a stream

# By symbol: the price in USD it swings around.
_PRICES: Final = {"AAPL": 189.9, "GOOGL": 141.8, "MSFT": 378.9, "NVDA": 502.4, "TSLA": 248.5}


def quote(symbol: str, now: datetime) -> Any:
    """The quote of a known symbol: its price swings by 1 % every ten minutes."""
    seconds = now.timestamp()
    last = _PRICES[symbol] * (1 + 0.01 * math.sin(seconds * math.tau / 600))
    return message_class("marketdata.v1.Quote")(
        symbol=symbol,
        bid=round(last - 0.01, 2),
        ask=round(last + 0.01, 2),
        last=round(last, 2),
        volume=1_000_000 + int(seconds % 86_400) * 500,
        as_of=now,
    )


class MarketData:
    """Quotes at the time of a clock."""

    def __init__(self, *, clock: Clock, sleep: Sleep) -> None:
        self._clock = clock
        self._sleep = sleep

    async def get_quote(self, request: Any, context: Context) -> Any:
        return quote(await _known(request.symbol, context), self._clock())

    async def stream_quotes(self, request: Any, context: Context) -> AsyncIterator[Any]:
        symbol = await _known(request.symbol, context)
        if request.limit < 0:
            await refuse_bad_request(context, [Violation("limit", "must not be negative")])
        yield quote(symbol, self._clock())
        for _ in range(request.limit - 1) if request.limit else count():
            await self._sleep(QUOTE_INTERVAL)
            yield quote(symbol, self._clock())


async def _known(symbol: str, context: Context) -> str:
    if symbol.upper() not in _PRICES:
        await context.abort(StatusCode.NOT_FOUND, f"symbol {symbol!r} not found")
    return symbol.upper()


def market_data_service(*, clock: Clock, sleep: Sleep) -> Service:
    market_data = MarketData(clock=clock, sleep=sleep)
    return Service(
        backend="market-data-service",
        name="marketdata.v1.MarketDataService",
        methods={"GetQuote": market_data.get_quote, "StreamQuotes": market_data.stream_quotes},
    )
