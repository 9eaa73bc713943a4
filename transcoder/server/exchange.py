"""One request and its answer: between a connection and the handler."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from transcoder.context import Handler, Headers, Reply, StreamReply
from transcoder.errors import INTERNAL_ERROR, TranscodeError
from transcoder.events import EventLog
from transcoder.plan.conversation import SWITCHING_PROTOCOLS
from transcoder.plan.reply import Refuse
from transcoder.server.answer import END_OF_CHUNKS, chunk, stream_head, whole
from transcoder.server.body import NoBody, ReadableBody, RequestBody
from transcoder.server.connection import Connection
from transcoder.server.head import Head
from transcoder.server.http import context_of, sane_request_id
from transcoder.server.websocket import accept_socket

_NO_BODY: Final = NoBody()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanges:
    """A `transcoder.server.connection.Service` in front of a handler.

    on_refusal: the headers of an answer to a head that is refused, by what has come of it.
    settings: KEEP_ALIVE and REQUEST_MAX_SIZE (bytes), as they are in effect (Sanic's configuration).
    """

    handler: Handler
    refusal: Refuse
    on_refusal: Callable[[bytes], Headers]
    log: EventLog
    settings: dict[str, Any]

    def body(self, client: Connection, head: Head) -> ReadableBody:
        """The body of a request, which nobody has read."""
        if head.length == 0:
            return _NO_BODY
        limit: int = self.settings["REQUEST_MAX_SIZE"]
        return RequestBody(client, head, limit=limit, patience=client.patience.body)

    async def serve(self, client: Connection, head: Head, body: ReadableBody) -> bool:
        """Answer a request; returns whether the connection is good for another."""
        info = client.conn_info
        ctx = context_of(head, body, info.client_ip, "https" if info.ssl else "http")
        if head.wants_socket:
            ctx.accept = partial(accept_socket, client, ctx)
        try:
            reply = await self.handler(ctx)
        except Exception as error:
            reply = self._bug(error, ctx.request_id)
        if reply.status == SWITCHING_PROTOCOLS:
            return False
        is_kept = self._is_kept(client, head, body)
        if isinstance(reply, Reply):
            is_head = head.method == "HEAD"
            await client.write(whole(reply, ctx.request_id, keeps_alive=is_kept, is_head=is_head))
        else:
            is_kept = await _send_stream(client, head, reply, ctx.request_id, is_kept=is_kept)
        return is_kept and await body.skip()

    def refuse(self, error: TranscodeError, head: bytes) -> bytes:
        """The answer to what is no request."""
        request_id = sane_request_id(None)
        kind = error.kind
        self.log.info(
            "request refused", status=kind.http, code=kind.name, request_id=request_id, reason=error.reason
        )
        reply = self.refusal(error, request_id)
        reply.headers = (*reply.headers, *self.on_refusal(head))
        return whole(reply, request_id, keeps_alive=False, is_head=False)

    def _is_kept(self, client: Connection, head: Head, body: ReadableBody) -> bool:
        if not head.keeps_alive or body.is_broken or not self.settings["KEEP_ALIVE"]:
            return False
        # a client that was not told to send its body may do so or not: nobody knows what comes next
        return body.is_done or not client.expects_continue

    def _bug(self, error: Exception, request_id: str) -> Reply:
        self.log.error("unexpected error", request_id=request_id, exc_info=error)
        return self.refusal(TranscodeError(INTERNAL_ERROR, "", reason=repr(error)), request_id)


async def _send_stream(
    client: Connection, head: Head, reply: StreamReply, request_id: str, *, is_kept: bool
) -> bool:
    """Send the frames of a reply as they come, each when the client has room for it."""
    is_chunked = not head.is_http_10
    is_kept = is_kept and is_chunked
    try:
        await client.write(stream_head(reply, request_id, keeps_alive=is_kept, is_chunked=is_chunked))
        if head.method == "HEAD":
            return is_kept
        async with aclosing(reply.frames) as frames:
            async for frame in frames:
                await client.write(chunk(frame) if is_chunked else frame)
        if is_chunked:
            await client.write(END_OF_CHUNKS)
    except TranscodeError:
        # without its end, no client takes the body for complete
        client.abort()
        return False
    else:
        return is_kept
    finally:
        await reply.close()
