"""What one would write by hand: a Sanic route for each method, grpc.aio and json_format.

usage: python -m benchmarks.naive PORT BACKEND DESCRIPTORS [auth]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeAlias

import grpc.aio
import jwt
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessages
from sanic import HTTPResponse, Request, Sanic
from sanic.response import text

from benchmarks.cells import SERVICE
from benchmarks.tokens import AUDIENCE, ISSUER, SECRET

AnyRequest: TypeAlias = Request[Any, Any]
Handler: TypeAlias = Callable[..., Coroutine[Any, Any, HTTPResponse | None]]

TIMEOUT: Final = 30.0


class ShopRoutes:
    """One handler for each method. backend: host:port; descriptors: a FileDescriptorSet."""

    def __init__(self, backend: str, descriptors: bytes) -> None:
        types = GetMessages(FileDescriptorSet.FromString(descriptors).file)
        self._types = {name.rpartition(".")[2]: cls for name, cls in types.items()}
        self._backend = backend

    async def connect(self, _app: Sanic[Any, Any]) -> None:
        """grpc.aio belongs to the loop that runs when a channel is made."""
        channel = grpc.aio.insecure_channel(self._backend)
        self._get_order = self._method(channel.unary_unary, "GetOrder", "GetOrderRequest", "Order")
        self._create_order = self._method(channel.unary_unary, "CreateOrder", "Order", "Order")
        self._list_items = self._method(channel.unary_unary, "ListItems", "ListItemsRequest", "ItemList")
        self._watch = self._method(channel.unary_stream, "Watch", "WatchRequest", "Tick")

    async def get_order(self, request: AnyRequest, order_id: str) -> HTTPResponse:
        return await self._answer(request, self._get_order, self._types["GetOrderRequest"](id=order_id))

    async def create_order(self, request: AnyRequest) -> HTTPResponse:
        try:
            order = Parse(request.body, self._types["Order"]())
        except ParseError as error:
            return text(str(error), 400)
        return await self._answer(request, self._create_order, order)

    async def list_items(self, request: AnyRequest) -> HTTPResponse:
        count = int(request.args.get("count", "0"))
        return await self._answer(request, self._list_items, self._types["ListItemsRequest"](count=count))

    async def watch(self, request: AnyRequest) -> None:
        count = int(request.args.get("count", "0"))
        response = await request.respond(content_type="application/x-ndjson")
        async for tick in self._watch(self._types["WatchRequest"](count=count), metadata=_metadata(request)):
            await response.send(MessageToJson(tick, indent=None) + "\n")
        await response.eof()

    async def _answer(self, request: AnyRequest, method: Any, message: Message) -> HTTPResponse:
        try:
            reply = await method(message, metadata=_metadata(request), timeout=TIMEOUT)
        except grpc.aio.AioRpcError as error:
            return text(error.details() or "", 500)
        return text(MessageToJson(reply, indent=None), content_type="application/json")

    def _method(self, kind: Any, name: str, request: str, response: str) -> Any:
        return kind(
            f"/{SERVICE}/{name}",
            request_serializer=self._types[request].SerializeToString,
            response_deserializer=self._types[response].FromString,
        )


def make_app(backend: str, descriptors: bytes, *, has_auth: bool) -> Sanic[Any, Any]:
    """The routes of the shop, with a token or without."""
    routes = ShopRoutes(backend, descriptors)
    guard = _with_token if has_auth else _for_all
    app: Sanic[Any, Any] = Sanic("naive", configure_logging=False)
    app.before_server_start(routes.connect)
    app.add_route(guard(routes.get_order), "/v1/orders/<order_id>")
    app.add_route(guard(routes.create_order), "/v1/orders", methods=["POST"])
    app.add_route(guard(routes.list_items), "/v1/items")
    app.add_route(guard(routes.watch), "/v1/ticks")
    return app


def _for_all(handler: Handler) -> Handler:
    return handler


def _with_token(handler: Handler) -> Handler:
    @wraps(handler)
    async def checked(request: AnyRequest, **variables: str) -> HTTPResponse | None:
        try:
            claims = jwt.decode(
                request.token or "", SECRET, algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER
            )
        except jwt.InvalidTokenError:
            return text("bad token", 401)
        request.ctx.user_id = claims["sub"]
        return await handler(request, **variables)

    return checked


def _metadata(request: AnyRequest) -> list[tuple[str, str]]:
    user_id = getattr(request.ctx, "user_id", None)
    return [] if user_id is None else [("x-user-id", user_id)]


def main(port: str, backend: str, descriptors: str, *auth: str) -> None:
    app = make_app(backend, Path(descriptors).read_bytes(), has_auth=bool(auth))
    app.run(host="127.0.0.1", port=int(port), single_process=True, access_log=False, motd=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
