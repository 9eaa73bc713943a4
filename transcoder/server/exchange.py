"""One request and its answer: between a connection and the handler."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from transcoder.context import Handler, Headers, Reply, StreamReply
from transcoder.errors import INTERNAL_ERROR, TranscodeError
from transcoder.events import EventLog
from transcoder.plan.conversation import SWITCHING_PROTOCOLS
from transcoder.plan.framing import KEEP_ALIVE_SECONDS
from transcoder.plan.reply import Refuse
from transcoder.server.alarm import Alarm
from transcoder.server.answer import END_OF_CHUNKS, chunk, stream_head, whole
from transcoder.server.body import NoBody, ReadableBody, RequestBody
from transcoder.server.connection import Connection
from transcoder.server.head import Head
from transcoder.server.http import context_of, new_request_ids
from transcoder.server.websocket import accept_socket

_NO_BODY: Final = NoBody()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanges:
    """A `transcoder.server.connection.Service` in front of a handler.

    on_refusal: the headers of an answer to a head that is refused, by what has come of it.
    settings: KEEP_ALIVE and REQUEST_MAX_SIZE (bytes), as they are in effect (Sanic's configuration).
    new_id: makes request ids for those that bring none.
    """

    handler: Handler
    refusal: Refuse
    on_refusal: Callable[[bytes], Headers]
    log: EventLog
    settings: dict[str, Any]
    new_id: Callable[[], str] = field(default_factory=lambda: new_request_ids().__next__)

    async def serve(self, client: Connection, head: Head) -> None:
        """Answer a request; `Connection.answered` is called at its end, however it ends."""
        body = _NO_BODY if head.length == 0 else self._body(client, head)
        is_kept = False
        try:
            ctx = context_of(head, body, client.peer, client.scheme, self.new_id)
            if head.wants_socket:
                ctx.accept = partial(accept_socket, client, ctx)
            try:
                reply = await self.handler(ctx)
            except Exception as error:
                reply = self._bug(error, ctx.request_id)
            if reply.status == SWITCHING_PROTOCOLS:
                return
            keeps_alive = self._keeps_alive(client, head, body)
            if isinstance(reply, StreamReply):
                keeps_alive = await _send_stream(client, head, reply, ctx.request_id, keeps_alive=keeps_alive)
            else:
                answer = whole(reply, ctx.request_id, keeps_alive=keeps_alive, is_head=head.method == "HEAD")
                if (room := client.write(answer)) is not None:
                    await room
            is_kept = keeps_alive and (body is _NO_BODY or await body.skip())
        finally:
            client.answered(is_kept=is_kept, is_read=body.is_done)

    def _body(self, client: Connection, head: Head) -> ReadableBody:
        limit: int = self.settings["REQUEST_MAX_SIZE"]
        return RequestBody(client, head, limit=limit, patience=client.patience.body)

    def refuse(self, error: TranscodeError, head: bytes) -> bytes:
        """The answer to what is no request."""
        request_id = self.new_id()
        kind = error.kind
        self.log.info(
            "request refused", status=kind.http, code=kind.name, request_id=request_id, reason=error.reason
        )
        reply = self.refusal(error, request_id)
        reply.headers = (*reply.headers, *self.on_refusal(head))
        return whole(reply, request_id, keeps_alive=False, is_head=False)

    def _keeps_alive(self, client: Connection, head: Head, body: ReadableBody) -> bool:
        if not head.keeps_alive or body.is_broken or not self.settings["KEEP_ALIVE"]:
            return False
        # a client that was not told to send its body may do so or not: nobody knows what comes next
        return body.is_done or not client.expects_continue

    def _bug(self, error: Exception, request_id: str) -> Reply:
        self.log.error("unexpected error", request_id=request_id, exc_info=error)
        return self.refusal(TranscodeError(INTERNAL_ERROR, "", reason=repr(error)), request_id)


async def _send_stream(
    client: Connection, head: Head, reply: StreamReply, request_id: str, *, keeps_alive: bool
) -> bool:
    """Send the frames of a reply as they come, each when the client has room for it.

    Returns whether the connection is good for another request.
    """
    is_chunked = not head.is_http_10
    keeps_alive = keeps_alive and is_chunked
    try:
        begin = stream_head(reply, request_id, keeps_alive=keeps_alive, is_chunked=is_chunked)
        if (room := client.write(begin)) is not None:
            await room
        if head.method != "HEAD":
            await _send_frames(client, reply, is_chunked=is_chunked)
        reply.is_complete = True
    except TranscodeError:
        # without its end, no client takes the body for complete
        client.abort()
        return False
    else:
        return keeps_alive
    finally:
        await reply.close()


async def _send_frames(client: Connection, reply: StreamReply, *, is_chunked: bool) -> None:
    frames = reply.frames
    if reply.keep_alive:
        frames = with_keep_alive(client, frames, chunk(reply.keep_alive) if is_chunked else reply.keep_alive)
    async with aclosing(frames):
        async for frame in frames:
            if (room := client.write(chunk(frame) if is_chunked else frame)) is not None:
                await room
    if is_chunked and (room := client.write(END_OF_CHUNKS)) is not None:
        await room


async def with_keep_alive(
    client: Connection, frames: AsyncGenerator[bytes, None], blank: bytes
) -> AsyncGenerator[bytes, None]:
    """The frames; whenever none has come for a while, and none is being sent, the client is sent a blank."""

    def send_blank() -> None:
        client.write_if_room(blank)
        silence.set(KEEP_ALIVE_SECONDS)

    silence = Alarm(client.loop, send_blank)
    try:
        async with aclosing(frames):
            silence.set(KEEP_ALIVE_SECONDS)
            async for frame in frames:
                silence.clear()
                yield frame
                silence.set(KEEP_ALIVE_SECONDS)
    finally:
        silence.stop()
