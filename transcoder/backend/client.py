"""A connection for one-off questions: what a backend offers, and any call of any kind."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager

import grpc.aio

from transcoder.backend.channel import open_channel
from transcoder.backend.reflection import StreamMethod, reflect
from transcoder.backend.status import grpc_errors
from transcoder.config.model import ServiceConfig
from transcoder.context import Metadata
from transcoder.schema.schema import Schema


class Client:
    """Talks to one server. metadata: sent with every call, reflection included."""

    def __init__(self, channel: grpc.aio.Channel, metadata: Metadata) -> None:
        self._channel = channel
        self._metadata = metadata

    async def schema(self) -> Schema:
        """What the server offers, by reflection. Raises TranscodeError (SERVICE_UNAVAILABLE)."""
        return Schema.from_files(await reflect(self._channel, self._metadata))

    async def call(
        self,
        path: str,
        messages: Iterable[bytes],
        timeout: float | None,  # noqa: ASYNC109
    ) -> AsyncGenerator[bytes, None]:
        """Send messages to a method of any streaming kind and yield what comes back, as it comes.

        path: `/pkg.Service/Method`; timeout: seconds, None for no deadline. Raises TranscodeError. Close the
        generator: the call is cancelled then, unless it is over.
        """
        method: StreamMethod = self._channel.stream_stream(path)
        # kinds do not differ on the wire: a unary method is one whose streams have length 1
        call = method(iter(messages), metadata=self._metadata, timeout=timeout)
        try:
            with grpc_errors():
                async for wire in call:
                    yield wire
        finally:
            call.cancel()


@asynccontextmanager
async def open_client(config: ServiceConfig, metadata: Metadata = ()) -> AsyncIterator[Client]:
    """A client of the server at `config.address`, closed at the end of the block.

    Raises OSError when a certificate cannot be read.
    """
    # nobody looks at the schema again, and a stream may be silent for long
    channel = open_channel(config.model_copy(update={"refresh_interval": math.inf}))
    try:
        yield Client(channel, metadata)
    finally:
        await channel.close()
