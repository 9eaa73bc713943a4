"""The access log: one line per request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from transcoder.context import Handler, Reply, RequestContext, StreamReply
from transcoder.events import EventLog
from transcoder.observe.ending import GONE, tell_at_end


def log_access(handler: Handler, log: EventLog, clock: Callable[[], float]) -> Handler:
    """A handler that logs what the one inside answered. clock: monotonic seconds."""

    def write(ctx: RequestContext, started: float, reply: Reply | StreamReply) -> None:
        route = ctx.route
        log.info(
            "request",
            method=ctx.http_method,
            route=route.template if route else None,
            status=reply.status,
            code=reply.code,
            backend=route.backend if route else None,
            rpc=route.method if route else None,
            duration_ms=round((clock() - started) * 1000, 3),
            request_id=ctx.request_id,
            trace_id=ctx.trace_id,
            user_id=ctx.principal.user_id if ctx.principal else None,
            reason=reply.reason,
        )

    async def handle(ctx: RequestContext) -> Reply | StreamReply:
        started = clock()
        try:
            reply = await handler(ctx)
        except asyncio.CancelledError:
            write(ctx, started, GONE)
            raise
        if isinstance(reply, StreamReply):
            return tell_at_end(reply, partial(write, ctx, started))
        write(ctx, started, reply)
        return reply

    return handle
