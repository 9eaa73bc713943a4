"""The access log: one line per request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from transcoder.context import Handler, Reply, RequestContext, StreamReply
from transcoder.events import EventLog


def log_access(handler: Handler, log: EventLog, clock: Callable[[], float]) -> Handler:
    """A handler that logs what the one inside answered. clock: monotonic seconds."""

    def write(ctx: RequestContext, started: float, status: int, code: str, reason: str | None) -> None:
        route = ctx.route
        log.info(
            "request",
            method=ctx.http_method,
            route=route.template if route else None,
            status=status,
            code=code,
            backend=route.backend if route else None,
            rpc=route.method if route else None,
            duration_ms=round((clock() - started) * 1000, 3),
            request_id=ctx.request_id,
            trace_id=ctx.trace_id,
            user_id=ctx.principal.user_id if ctx.principal else None,
            reason=reason,
        )

    async def handle(ctx: RequestContext) -> Reply | StreamReply:
        started = clock()
        try:
            reply = await handler(ctx)
        except asyncio.CancelledError:
            write(ctx, started, 499, "CANCELLED", "the client went away")
            raise
        if isinstance(reply, StreamReply):
            return _logged_at_end(reply, partial(write, ctx, started))
        write(ctx, started, reply.status, reply.code, reply.reason)
        return reply

    return handle


def _logged_at_end(reply: StreamReply, write: Callable[[int, str, str | None], None]) -> StreamReply:
    """The same stream, which is logged when it is over."""
    is_complete = False

    async def frames() -> AsyncGenerator[bytes, None]:
        nonlocal is_complete
        async with aclosing(reply.frames) as inner:
            async for frame in inner:
                yield frame
        is_complete = True

    async def close() -> None:
        await reply.close()
        if is_complete or reply.code != "OK":
            write(reply.status, reply.code, reply.reason)
        else:
            write(499, "CANCELLED", "the client went away")

    return replace(reply, frames=frames(), close=close)
