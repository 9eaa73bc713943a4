"""The demo on free ports, and a client that speaks JSON-shaped dicts to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

from transcoder.demo.backends import running
from transcoder.demo.messages import message_class, pool
from transcoder.demo.serving import Backend


class Client:
    """Calls any method of the demo by `pkg.Service/Method`, through a channel to each service."""

    def __init__(self, channels: Mapping[str, grpc.aio.Channel]) -> None:
        self.channels = channels

    async def call(self, method: str, request: Mapping[str, Any] | None = None, *, user: str = "") -> Any:
        """The one response, as ProtoJSON would have it."""
        (response,) = await self.stream(method, request, user=user)
        return response

    async def stream(
        self, method: str, request: Mapping[str, Any] | None = None, *, user: str = ""
    ) -> list[Any]:
        """Every response."""
        service, name = method.split("/")
        descriptor = pool().FindServiceByName(service).methods_by_name[name]
        message = json_format.ParseDict(request or {}, message_class(descriptor.input_type.full_name)())
        call = self.channels[service].unary_stream(
            f"/{method}",
            request_serializer=type(message).SerializeToString,
            response_deserializer=message_class(descriptor.output_type.full_name).FromString,
        )
        metadata = [("x-user-id", user)] if user else None
        return [
            json_format.MessageToDict(response)
            async for response in call(message, metadata=metadata, timeout=10)
        ]


@asynccontextmanager
async def connected(backends: Sequence[Backend]) -> AsyncIterator[Client]:
    async with AsyncExitStack() as stack:
        yield Client(
            {
                backend.service.name: await stack.enter_async_context(
                    grpc.aio.insecure_channel(backend.address)
                )
                for backend in backends
            }
        )


@pytest.fixture
async def backends() -> AsyncIterator[list[Backend]]:
    async with running(ports=[0] * 5) as backends:
        yield backends


@pytest.fixture
async def client(backends: list[Backend]) -> AsyncIterator[Client]:
    async with connected(backends) as client:
        yield client
