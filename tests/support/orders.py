"""The least there is to serve: orders that are fetched, watched and talked about."""

from __future__ import annotations

from typing import Final

PROTO: Final = """
syntax = "proto3";
package shop.v1;
service Orders {
  rpc Get(Order) returns (Order);
  rpc Watch(Order) returns (stream Order);
  rpc Talk(stream Order) returns (stream Order);
}
message Order { string id = 1; }
"""
GET: Final = "shop.v1.Orders/Get"
WATCH: Final = "shop.v1.Orders/Watch"
TALK: Final = "shop.v1.Orders/Talk"
ROUTE: Final = {
    "name": "get",
    "path": "/orders/{id}",
    "method": "GET",
    "service": "shop",
    "grpc_service": "Orders",
    "grpc_method": "Get",
}
"""Of a service `shop`."""
