"""What is measured: every workload, over so many connections, with and without a token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import orjson

Unit: TypeAlias = Literal["request", "message"]

SERVICE: Final = "bench.shop.v1.Shop"
TICKS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One kind of request.

    target: path and query; rpc and request_type: the method behind it and its message, which `request` is as
    ProtoJSON; unit: what is counted: requests, or messages of a stream.
    """

    name: str
    title: str
    target: str
    rpc: str
    request_type: str
    request: Mapping[str, Any] = field(compare=False)
    http_method: str = "GET"
    unit: Unit = "request"

    @property
    def body(self) -> bytes:
        """Of the HTTP request."""
        return orjson.dumps(self.request) if self.http_method == "POST" else b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One row of the result: a workload under one load."""

    workload: Workload
    connections: int
    has_auth: bool

    @property
    def name(self) -> str:
        """Such as `small x32 auth`."""
        return f"{self.workload.name} x{self.connections}{' auth' if self.has_auth else ''}"

    @property
    def patience(self) -> int:
        """How many times longer than others it is measured, so that opening connections weighs little."""
        return 2 if self.connections >= 1000 else 1


_ITEMS: Final = [
    {"sku": f"SKU-{index:06}", "quantity": 1 + index % 9, "price": 10.25 + index, "status": "SHIPPED"}
    for index in range(10)
]

WORKLOADS: Final[Sequence[Workload]] = (
    Workload(
        name="small",
        title="GET an order",
        target="/v1/orders/order-1",
        rpc="GetOrder",
        request_type="GetOrderRequest",
        request={"id": "order-1"},
    ),
    Workload(
        name="create",
        title="POST an order with 10 items",
        target="/v1/orders",
        rpc="CreateOrder",
        request_type="Order",
        request={"customer": "customer-1", "status": "PENDING", "totalCents": "18550", "items": _ITEMS},
        http_method="POST",
    ),
    Workload(
        name="list",
        title="GET 1000 items",
        target="/v1/items?count=1000",
        rpc="ListItems",
        request_type="ListItemsRequest",
        request={"count": 1000},
    ),
    Workload(
        name="stream",
        title=f"GET a stream of {TICKS:,} messages",
        target=f"/v1/ticks?count={TICKS}",
        rpc="Watch",
        request_type="WatchRequest",
        request={"count": TICKS},
        unit="message",
    ),
)
CONNECTIONS: Final = (1, 32, 1000)


def matrix(workloads: Sequence[str], connections: Sequence[int], auth: Sequence[bool]) -> Iterator[Cell]:
    """The cells of a run in the order of the tables."""
    for workload in WORKLOADS:
        if workload.name in workloads:
            for has_auth in auth:
                for count in connections:
                    yield Cell(workload=workload, connections=count, has_auth=has_auth)
