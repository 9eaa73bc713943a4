"""Streams of messages to and from a backend: bytes in and out, errors mapped, cancelled when abandoned."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import grpc.aio

from transcoder.backend.status import Pairs, grpc_errors, metadata_of
from transcoder.backend.waiting import end, release_writers, to_the_end
from transcoder.context import Metadata, OpenStream, Stream
from transcoder.errors import TIMEOUT, TranscodeError

OneRequest = grpc.aio.UnaryStreamMultiCallable[bytes, bytes]
ManyRequests = grpc.aio.StreamStreamMultiCallable[bytes, bytes]
Call = grpc.aio.UnaryStreamCall[bytes, bytes] | grpc.aio.StreamStreamCall[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCounts:
    """To be called for every message of a method."""

    sent: Callable[[], None]
    received: Callable[[], None]


class GrpcStream:
    """One call of a streaming method; a `transcoder.context.Stream`."""

    def __init__(self, call: Call, counts: MessageCounts) -> None:
        self._call = call
        self._counts = counts

    async def send(self, wire: bytes) -> bool:
        """Send a message; False if the call is over and wants none."""
        is_sent = await self._write(wire)
        if is_sent:
            self._counts.sent()
        return is_sent

    async def close_send(self) -> None:
        """Say that no more messages follow."""
        await self._write(None)

    async def receive(self) -> bytes | None:
        """The next message, None after the last. Raises TranscodeError with what the call ended with."""
        with grpc_errors(self._call):
            message = await to_the_end(self._call, self._call.read())
        if not isinstance(message, bytes):
            return None
        self._counts.received()
        return message

    async def headers(self) -> Metadata:
        """The initial metadata, when they have come."""
        with grpc_errors(self._call):
            return metadata_of(await self._call.initial_metadata())

    async def trailers(self) -> Metadata:
        """The trailers, when the call is over."""
        with grpc_errors(self._call):
            return metadata_of(await self._call.trailing_metadata())

    def cancel(self) -> None:
        """End the call, if it is not over."""
        end(self._call)

    async def _write(self, wire: bytes | None) -> bool:
        """Write or, for None, half-close. A call that is over cannot be written to: receiving says why."""
        if not isinstance(self._call, grpc.aio.StreamStreamCall):
            raise TypeError("a call with one request message was asked for")
        try:
            if wire is None:
                await to_the_end(self._call, self._call.done_writing())
            else:
                await to_the_end(self._call, self._call.write(wire))
        except (asyncio.InvalidStateError, grpc.aio.AioRpcError, grpc.aio.InternalError):
            return False
        return True


def open_streams(channel: grpc.aio.Channel, path: str, counts: MessageCounts) -> OpenStream:
    """Opens calls of a method of any streaming kind; kinds do not differ on the wire.

    A method that takes one message gets it with the call: written to a stream, it can hide the status of a
    call that ends at once.
    """
    one_request: OneRequest = channel.unary_stream(path)
    many_requests: ManyRequests = channel.stream_stream(path)

    def open_stream(metadata: Metadata, timeout: float | None, only: bytes | None = None) -> Stream:
        if timeout is not None and timeout <= 0:
            raise TranscodeError(TIMEOUT, "deadline exceeded")
        with grpc_errors():
            if only is None:
                stream = many_requests(metadata=Pairs(metadata), timeout=timeout)
                release_writers(stream)
                return GrpcStream(stream, counts)
            call = one_request(only, metadata=Pairs(metadata), timeout=timeout)
        counts.sent()
        return GrpcStream(call, counts)

    return open_stream
