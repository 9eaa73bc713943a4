"""Streams over a WebSocket: a JSON message in every text frame, both ways at once.

An empty message says that the client has no more to say and only listens (gRPC's half-close).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from typing import Final

from transcoder.context import Metadata, Reply, RequestContext, Socket, Stream
from transcoder.errors import (
    CANCELLED,
    PERMISSION_DENIED,
    UNAUTHENTICATED,
    ErrorKind,
    TranscodeError,
)
from transcoder.plan.offload import coded
from transcoder.plan.stream import StreamMethod, send_all
from transcoder.plan.unary import Exchange, TimeLeft

DONE: Final = 1000
POLICY: Final = 1008
FAILED: Final = 1011
"""Close codes of RFC 6455, section 7.4.1."""

SWITCHING_PROTOCOLS: Final = 101


def compile_conversation(method: StreamMethod) -> Exchange:
    """What happens on a WebSocket that is opened at a route of a method with streams."""

    async def converse(
        ctx: RequestContext, captures: Sequence[str], metadata: Metadata, time_left: TimeLeft
    ) -> Reply:
        if ctx.accept is None:
            raise AssertionError("a conversation without a socket")
        socket = await ctx.accept()
        requests = _requests(method, ctx, socket, captures)
        seconds = time_left()
        try:
            stream = method.open_stream(metadata, None if math.isinf(seconds) else seconds)
            await _talk(method, socket, stream, requests)
        except TranscodeError as error:
            await socket.close(_close_code(error.kind), f"{error.kind.name}: {error.message}")
            return Reply(
                status=SWITCHING_PROTOCOLS,
                code=error.kind.name,
                grpc_code=error.kind.grpc,
                reason=error.reason,
            )
        await socket.close(DONE, "")
        return Reply(status=SWITCHING_PROTOCOLS)

    return converse


def _close_code(kind: ErrorKind) -> int:
    return POLICY if kind in (UNAUTHENTICATED, PERMISSION_DENIED) else FAILED


async def _talk(method: StreamMethod, socket: Socket, stream: Stream, requests: AsyncIterator[bytes]) -> None:
    """Pass messages both ways until either side ends it. Raises TranscodeError for how it ended, if badly."""
    feeder = asyncio.create_task(send_all(stream, requests), name="feed request stream")
    try:
        await _deliver(method, socket, stream)
    except TranscodeError:
        if feeder.done() and not feeder.cancelled():
            feeder.result()  # what was wrong with the requests is why the call ended
        raise
    finally:
        stream.cancel()
        feeder.cancel()
        await asyncio.gather(feeder, return_exceptions=True)


async def _deliver(method: StreamMethod, socket: Socket, stream: Stream) -> None:
    while (wire := await stream.receive()) is not None:
        document, _ = await coded(method.thread, method.decode, wire)
        if not await socket.send(document, is_text=not method.is_raw_response):
            return


async def _requests(
    method: StreamMethod, ctx: RequestContext, socket: Socket, captures: Sequence[str]
) -> AsyncIterator[bytes]:
    """The request messages of a client; path and query are bound to the first."""
    if not method.has_body:
        yield method.first(b"", "", captures, ctx.query)
        return
    encode, bound = method.first, (captures, ctx.query)
    while message := await socket.receive():
        yield await coded(method.thread, encode, message, "", *bound)
        if not method.client_streaming:
            return
        encode, bound = method.later, ((), "")
    if message is None:
        raise TranscodeError(CANCELLED, "the client went away")
