"""OrderService: places, shows, lists and cancels orders, each visible only to the user who placed it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count, islice
from typing import Any, Final

from grpc import StatusCode

from transcoder.demo.calls import Clock, Context, Violation, refuse_bad_request, user_id
from transcoder.demo.messages import message_class
from transcoder.demo.serving import Service

PENDING, EXECUTED, CANCELLED = 1, 2, 3
BUY, SELL = 1, 2
MAX_QUANTITY: Final = 1_000_000
DEFAULT_PAGE, MAX_PAGE = 50, 100

_SYMBOL: Final = re.compile(r"[A-Z0-9.-]{1,10}")
_SEED: Final = (  # owner, id, symbol, side, quantity, price, status
    ("user-1", "121", "MSFT", BUY, 25, 372.5, EXECUTED),
    ("user-1", "122", "TSLA", SELL, 10, 251.2, CANCELLED),
    ("user-1", "123", "AAPL", BUY, 100, 185.5, EXECUTED),
    ("user-2", "124", "NVDA", BUY, 40, 495.2, EXECUTED),
    ("user-1", "125", "GOOGL", BUY, 15, 138.0, PENDING),
)
_SEEDED_AT: Final = datetime(2024, 1, 15, 14, 30, tzinfo=UTC)


class Orders:
    """Every order by its owner and id, in the order of placing."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._next_id = count(1001)
        self._orders = _seeded_orders()

    async def create_order(self, request: Any, context: Context) -> Any:
        owner = await user_id(context)
        await refuse_bad_request(context, _order_violations(request))
        now = self._clock()
        order = message_class("order.v1.Order")(
            order_id=str(next(self._next_id)),
            symbol=request.symbol,
            side=request.side or BUY,
            quantity=request.quantity,
            price=request.price,
            status=PENDING,
            created_at=now,
            updated_at=now,
        )
        self._orders[owner, order.order_id] = order
        return order

    async def get_order(self, request: Any, context: Context) -> Any:
        return await self._find(request.order_id, context)

    async def list_orders(self, request: Any, context: Context) -> Any:
        owner = await user_id(context)
        await refuse_bad_request(context, _page_violations(request))
        size = min(request.page_size or DEFAULT_PAGE, MAX_PAGE)
        matching = self._after(int(request.page_token or 0), owner=owner, status=request.status)
        page = list(islice(matching, size))
        more = next(matching, None) is not None
        return message_class("order.v1.ListOrdersResponse")(
            orders=page, next_page_token=page[-1].order_id if more else ""
        )

    async def cancel_order(self, request: Any, context: Context) -> Any:
        order = await self._find(request.order_id, context)
        if order.status != PENDING:
            status = order.DESCRIPTOR.enum_types_by_name["Status"].values_by_number[order.status].name
            await context.abort(
                StatusCode.FAILED_PRECONDITION,
                f"order {order.order_id!r} cannot be cancelled: it is {status}",
            )
        order.status = CANCELLED
        order.updated_at = self._clock()
        return order

    async def _find(self, order_id: str, context: Context) -> Any:
        order = self._orders.get((await user_id(context), order_id))
        if order is None:
            await context.abort(StatusCode.NOT_FOUND, f"order {order_id!r} not found")
        return order

    def _after(self, last_id: int, *, owner: str, status: int) -> Iterator[Any]:
        """The owner's orders placed after `last_id`: ids only grow."""
        for (user, order_id), order in self._orders.items():
            if user == owner and int(order_id) > last_id and status in (0, order.status):
                yield order


def _seeded_orders() -> dict[tuple[str, str], Any]:
    make = message_class("order.v1.Order")
    return {
        (owner, order_id): make(
            order_id=order_id,
            symbol=symbol,
            side=side,
            quantity=quantity,
            price=price,
            status=status,
            created_at=_SEEDED_AT,
            updated_at=_SEEDED_AT,
        )
        for owner, order_id, symbol, side, quantity, price, status in _SEED
    }


def _order_violations(request: Any) -> Iterator[Violation]:
    if not _SYMBOL.fullmatch(request.symbol):
        yield Violation("symbol", "must be 1 to 10 capital letters, digits, dots or dashes")
    if not 1 <= request.quantity <= MAX_QUANTITY:
        yield Violation("quantity", f"must be from 1 to {MAX_QUANTITY}")
    if request.side not in (0, BUY, SELL):
        yield Violation("side", "must be BUY or SELL")
    if not 0 <= request.price < math.inf:
        yield Violation("price", "must be a finite number, 0 or more")


def _page_violations(request: Any) -> Iterator[Violation]:
    if request.page_size < 0:
        yield Violation("page_size", "must not be negative")
    if request.page_token and not re.fullmatch(r"[0-9]{1,18}", request.page_token):
        yield Violation("page_token", "must be the next_page_token of an earlier answer")


def order_service(*, clock: Clock) -> Service:
    orders = Orders(clock=clock)
    return Service(
        backend="order-service",
        name="order.v1.OrderService",
        methods={
            "CreateOrder": orders.create_order,
            "GetOrder": orders.get_order,
            "ListOrders": orders.list_orders,
            "CancelOrder": orders.cancel_order,
        },
    )
