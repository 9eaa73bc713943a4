"""The backend most end-to-end tests put behind the gateway, and the routes to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx

from tests.support.backend import RecordingBackend
from tests.support.gateway import RunningGateway
from tests.support.protos import Schema
from tests.support.raw import RawAnswer, exchange, request
from tests.support.tokens import SECRET

PROTO: Final = """
syntax = "proto3";
package shop.v1;
service Orders {
  rpc GetOrder(GetOrderRequest) returns (Order);
  rpc CreateOrder(CreateOrderRequest) returns (Order);
}
message GetOrderRequest { string order_id = 1; string view = 2; repeated string tags = 3; int32 limit = 4; }
message Item { string sku = 1; int32 quantity = 2; }
message CreateOrderRequest { string user = 1; repeated Item items = 2; int64 total_cents = 3; Item gift = 4; }
message Order { string id = 1; repeated Item items = 2; int64 total_cents = 3; }
message Refusal { string why = 1; }
"""
GET_ORDER: Final = "shop.v1.Orders/GetOrder"
CREATE_ORDER: Final = "shop.v1.Orders/CreateOrder"
_POLL_INTERVAL: Final = 0.02


def schema() -> Schema:
    return Schema.from_protos(PROTO)


def route(
    name: str, http_method: str, path: str, grpc_method: str = "GetOrder", **keys: Any
) -> dict[str, Any]:
    """A route to the shop."""
    return {
        "name": name,
        "path": path,
        "method": http_method,
        "service": "shop",
        "grpc_service": "Orders",
        "grpc_method": grpc_method,
        **keys,
    }


def issuer(**keys: Any) -> dict[str, Any]:
    """An entry of `auth.issuers` that believes the tokens of tests.support.tokens."""
    return {"name": "tests", "algorithms": ["HS256"], "secret": SECRET, **keys}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A gateway before a shop."""

    gateway: RunningGateway
    backend: RecordingBackend

    def answer(self, message: str, **fields: Any) -> None:
        """What GetOrder and CreateOrder answer from now on: a message of the shop."""
        told = self.backend.schema.message(message, **fields)
        self.backend.replies |= {GET_ORDER: told, CREATE_ORDER: told}

    def forget(self) -> None:
        """Let nothing be left of what a test did."""
        self.backend.calls.clear()
        self.backend.replies.clear()
        self.backend.peers.clear()

    async def send(self, method: str, target: str, *headers: str, body: bytes = b"") -> RawAnswer:
        """A request byte for byte."""
        return await exchange(self.gateway.url, request(method, target, *headers, body=body))


async def eventually(
    status: int, ask: Callable[[], Awaitable[httpx.Response]], *, within: float = 5
) -> httpx.Response:
    """Ask until the answer has a status. Raises TimeoutError, with the last answer in its text."""
    answer = None
    try:
        async with asyncio.timeout(within):
            while True:
                answer = await ask()
                if answer.status_code == status:
                    return answer
                await asyncio.sleep(_POLL_INTERVAL)
    except TimeoutError:
        text = answer and f"{answer.status_code} {answer.text}"
        raise TimeoutError(f"no {status} within {within} s, but {text}") from None
