"""A backend with every kind of method and field, and gateways in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from tests.support.protos import Schema
from transcoder.config.model import Config
from transcoder.gateway import Gateway

SHOP: Final = """
syntax = "proto3";
package shop.v1;
service Orders {
  rpc GetOrder(GetOrderRequest) returns (Order);
  rpc CreateOrder(Order) returns (Order);
  rpc WatchOrders(GetOrderRequest) returns (stream Order);
  rpc ImportOrders(stream Order) returns (Order);
  rpc Chat(stream Order) returns (stream Order);
}
service Stock {
  rpc Count(Item) returns (Item);
}
message GetOrderRequest {
  string order_id = 1;
  int32 limit = 2;
  Item item = 3;
  repeated string tags = 4;
  oneof shown { bool brief = 5; bool full = 6; }
}
message Order {
  string order_id = 1;
  repeated Item items = 2;
  map<string, int64> counts = 3;
  Status status = 4;
  Order previous = 5;
}
message Item { string sku = 1; int32 quantity = 2; }
enum Status { UNKNOWN = 0; PAID = 1; }
"""


def shop_schema() -> Schema:
    return Schema.from_protos(SHOP)


class NoLog:
    """A log nobody reads."""

    def info(self, event: str, **fields: Any) -> None: ...

    def warning(self, event: str, **fields: Any) -> None: ...

    def error(self, event: str, **fields: Any) -> None:
        raise AssertionError(f"{event}: {fields}")


def route(name: str, http_method: str, path: str, grpc_method: str, **settings: Any) -> dict[str, Any]:
    """A configured route to `Orders` of the service `shop`, which settings can change."""
    return {
        "name": name,
        "method": http_method,
        "path": path,
        "service": "shop",
        "grpc_service": "Orders",
        "grpc_method": grpc_method,
        **settings,
    }


@asynccontextmanager
async def gateway_of(
    services: Mapping[str, Any], *routes: Mapping[str, Any], **sections: Any
) -> AsyncIterator[Gateway]:
    """A gateway that has looked at what it exposes; nothing else has been read."""
    gateway = Gateway(log=NoLog())
    config = Config.model_validate({"services": services, "routes": list(routes), **sections})
    await gateway.apply(config)
    try:
        await gateway.settled()
        yield gateway
    finally:
        await gateway.close(grace=0)
