"""Streams of messages: the responses of a method, its requests, or both."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

from transcoder.codec import RequestEncoder, ResponseDecoder
from transcoder.codec.documents import DocumentSplitter
from transcoder.context import (
    CallResult,
    Metadata,
    OpenStream,
    Reply,
    RequestContext,
    Stream,
    StreamReply,
)
from transcoder.errors import INTERNAL_ERROR, TranscodeError
from transcoder.plan.framing import KEEP_ALIVE_SECONDS, Framing, choose_framing, raw
from transcoder.plan.offload import BIG_MESSAGE, coded, in_thread
from transcoder.plan.reply import Refuse, Respond, stream_head
from transcoder.plan.unary import Exchange, TimeLeft

_MANY_DOCUMENTS: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl")
"""Media types of request streams, besides those of JSON: an array, or documents one after the other."""

_LOOKED_THROUGH: Final = 8 * 1024
"""Bytes of a request stream between two turns of the event loop; each may cost up to 2 us."""

NO_BUFFERING: Final = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))
"""Keeps caches and buffering proxies from holding messages back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamMethod:
    """What an exchange of streams is made of.

    first: encodes the first request message, to which path and query are bound; later: the ones after it.
    has_body: whether the HTTP body is any part of the request; max_size: bytes of one request message.
    is_raw_request, is_raw_response: bytes of google.api.HttpBody messages instead of JSON documents.
    as_record: makes an error body, as `refuse` gives it, a record that no message can be taken for.
    thread: where big messages are coded.
    """

    client_streaming: bool
    server_streaming: bool
    first: RequestEncoder
    later: RequestEncoder
    decode: ResponseDecoder
    has_body: bool
    is_raw_request: bool
    is_raw_response: bool
    max_size: int
    open_stream: OpenStream
    respond: Respond
    refuse: Refuse
    as_record: Callable[[bytes], bytes]
    thread: Executor | None = None


def compile_stream(method: StreamMethod) -> Exchange:
    """The exchange of a method with streams."""

    async def exchange(
        ctx: RequestContext, captures: Sequence[str], metadata: Metadata, time_left: TimeLeft
    ) -> Reply | StreamReply:
        if method.client_streaming:
            talk = _Talk(method, ctx, method.open_stream(metadata, _timeout(time_left)))
            talk.feed(_requests(method, ctx, captures))
        else:
            body = await ctx.body.read() if method.has_body else b""
            content_type = ctx.header("content-type") or ""
            wire = await coded(method.thread, method.first, body, content_type, captures, ctx.query)
            talk = _Talk(method, ctx, method.open_stream(metadata, _timeout(time_left), wire))
        return await (talk.stream_answer() if method.server_streaming else talk.answer())

    return exchange


def _timeout(time_left: TimeLeft) -> float | None:
    seconds = time_left()
    return None if math.isinf(seconds) else seconds


class _Talk:
    """One call: the requests that are fed to it, and the answer made of its responses."""

    def __init__(self, method: StreamMethod, ctx: RequestContext, stream: Stream) -> None:
        self._method = method
        self._ctx = ctx
        self._stream = stream
        self._feeder: asyncio.Task[None] | None = None
        self._first: asyncio.Task[bytes | None] | None = None
        self._reply: StreamReply | None = None

    def feed(self, requests: AsyncIterator[bytes]) -> None:
        """Send the requests while responses come; each waits until the backend has room for it."""
        self._feeder = asyncio.create_task(send_all(self._stream, requests), name="feed request stream")

    async def answer(self) -> Reply:
        """The answer to a stream of requests with one response."""
        try:
            result = await self._only_response()
            if len(result.wire) > BIG_MESSAGE:
                return await in_thread(self._method.thread, self._method.respond, result)
            return self._method.respond(result)
        except TranscodeError as error:
            return self._method.refuse(self._cause(error), self._ctx.request_id)
        finally:
            await self.close()

    async def stream_answer(self) -> Reply | StreamReply:
        """The answer with a stream of responses; an error before the first of them is an answer of its own.

        A backend that is silent for long is believed to mean well, so that its client hears of the stream.
        """
        first = self._first = asyncio.create_task(self._stream.receive())
        try:
            timeout = None if self._method.is_raw_response else KEEP_ALIVE_SECONDS
            await asyncio.wait({first}, timeout=timeout)
            metadata: Metadata = ()
            if first.done():
                first.result()
                metadata = await self._stream.headers()
            framing = self._framing(first)
        except BaseException as error:
            await self.close()
            if isinstance(error, TranscodeError):
                return self._method.refuse(self._cause(error), self._ctx.request_id)
            raise
        status, headers = stream_head(metadata)
        self._reply = StreamReply(
            status=status,
            content_type=framing.content_type,
            headers=(*headers, *NO_BUFFERING),
            frames=self._frames(first, framing),
            close=self.close,
            keep_alive=framing.keep_alive,
        )
        return self._reply

    async def close(self) -> None:
        """End the call and the feeding, if they are not over."""
        self._stream.cancel()
        tasks = [task for task in (self._feeder, self._first) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _only_response(self) -> CallResult:
        wire = await self._stream.receive()
        if wire is None or await self._stream.receive() is not None:
            raise TranscodeError(INTERNAL_ERROR, "", reason="the backend did not send exactly one response")
        return CallResult(wire=wire, metadata=(*await self._stream.headers(), *await self._stream.trailers()))

    def _framing(self, first: asyncio.Task[bytes | None]) -> Framing:
        if not self._method.is_raw_response:
            return choose_framing(self._ctx.header("accept") or "")
        return raw(self._method.decode(first.result() or b"")[1])

    async def _frames(
        self, first: asyncio.Task[bytes | None], framing: Framing
    ) -> AsyncGenerator[bytes, None]:
        is_first = True
        try:
            message = await first
            while message is not None:
                document, _ = await coded(self._method.thread, self._method.decode, message)
                yield framing.message(document, is_first=is_first)
                is_first = False
                message = await self._stream.receive()
        except TranscodeError as error:
            refusal = self._method.refuse(self._cause(error), self._ctx.request_id)
            if self._reply is not None:
                self._reply.code, self._reply.reason = refusal.code, refusal.reason
                self._reply.grpc_code = refusal.grpc_code
            if framing.error_prefix is None:
                raise
            yield framing.error(self._method.as_record(refusal.body), is_first=is_first)
        else:
            yield framing.end(is_empty=is_first)

    def _cause(self, error: TranscodeError) -> TranscodeError:
        """Why a call ended: what was wrong with its requests, if that is what ended it."""
        feeder = self._feeder
        if feeder is not None and feeder.done() and not feeder.cancelled():
            cause = feeder.exception()
            if isinstance(cause, TranscodeError):
                return cause
        return error


async def send_all(stream: Stream, requests: AsyncIterator[bytes]) -> None:
    """Send requests as far as the call takes them; a request that cannot be sent ends the call."""
    try:
        async for wire in requests:
            if not await stream.send(wire):
                return
        await stream.close_send()
    except TranscodeError:
        stream.cancel()
        raise


async def _requests(
    method: StreamMethod, ctx: RequestContext, captures: Sequence[str]
) -> AsyncIterator[bytes]:
    """The request messages of a body, as it arrives; path and query are bound to the first."""
    content_type, is_first = _media_type(ctx), True
    async for part in _parts(method, ctx):
        if is_first:
            yield await coded(method.thread, method.first, part, content_type, captures, ctx.query)
        else:
            yield await coded(method.thread, method.later, part, "", (), "")
        is_first = False
    if is_first:
        wire = method.first(b"", "", captures, ctx.query)
        if wire or not method.has_body:
            yield wire


def _media_type(ctx: RequestContext) -> str:
    content_type = ctx.header("content-type") or ""
    name = content_type.partition(";")[0].strip().lower()
    return "" if name in _MANY_DOCUMENTS else content_type


async def _parts(method: StreamMethod, ctx: RequestContext) -> AsyncIterator[bytes]:
    if not method.has_body:
        return
    if method.is_raw_request:
        async for chunk in ctx.body.chunks():
            yield chunk
        return
    splitter = DocumentSplitter(method.max_size)
    async for chunk in ctx.body.chunks():
        for start in range(0, len(chunk), _LOOKED_THROUGH):
            for document in splitter.feed(chunk[start : start + _LOOKED_THROUGH]):
                yield document
            await asyncio.sleep(0)  # chunks may be there already, and documents without an end: others wait
    for document in splitter.finish():
        yield document
