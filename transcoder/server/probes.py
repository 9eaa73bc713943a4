"""What orchestrators and load balancers ask on the public port: does it live, may it have traffic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from transcoder.context import Handler, Reply, RequestContext, StreamReply
from transcoder.errors import METHOD_NOT_ALLOWED, NOT_FOUND, SERVICE_UNAVAILABLE, TranscodeError
from transcoder.plan.reply import refuse

RESERVED: Final = "/-/"
"""Paths below it are the gateway's own; nothing but the probes is served there."""

HEALTH: Final = "/-/health"
READY: Final = "/-/ready"

_OK: Final = Reply(body=b'{"status":"ok"}')


def with_probes(handler: Handler, is_ready: Callable[[], bool]) -> Handler:
    """A handler that answers the probes and leaves the rest to the one inside."""

    def handle(ctx: RequestContext) -> Awaitable[Reply | StreamReply]:
        return handler(ctx) if ctx.path[: len(RESERVED)] != RESERVED else _answer(ctx, is_ready)

    return handle


async def _answer(ctx: RequestContext, is_ready: Callable[[], bool]) -> Reply:
    try:
        return _probe(ctx, is_ready)
    except TranscodeError as error:
        return refuse(error, ctx.request_id)


def _probe(ctx: RequestContext, is_ready: Callable[[], bool]) -> Reply:
    if ctx.path not in (HEALTH, READY):
        raise TranscodeError(NOT_FOUND, "no such path")
    if ctx.http_method not in ("GET", "HEAD"):
        raise TranscodeError(METHOD_NOT_ALLOWED, "method not allowed", headers=[("allow", "GET, HEAD")])
    if ctx.path == READY and not is_ready():
        raise TranscodeError(SERVICE_UNAVAILABLE, "", reason="starting or draining")
    return _OK
