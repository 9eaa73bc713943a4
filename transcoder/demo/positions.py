"""PositionService: what each user holds."""

from __future__ import annotations

from typing import Any, Final

from transcoder.demo.calls import Context, user_id
from transcoder.demo.messages import message_class
from transcoder.demo.serving import Service

# By user: (symbol, shares, average price in USD), sorted by symbol.
_HOLDINGS: Final = {
    "user-1": (("AAPL", 100, 185.5), ("MSFT", 25, 372.5)),
    "user-2": (("NVDA", 40, 495.2),),
}


async def list_positions(request: Any, context: Context) -> Any:
    holdings = _HOLDINGS.get(await user_id(context), ())
    position = message_class("position.v1.Position")
    return message_class("position.v1.ListPositionsResponse")(
        positions=[
            position(symbol=symbol, quantity=quantity, average_price=price)
            for symbol, quantity, price in holdings
            if request.symbol in ("", symbol)
        ]
    )


def position_service() -> Service:
    return Service(
        backend="position-service",
        name="position.v1.PositionService",
        methods={"ListPositions": list_positions},
    )
