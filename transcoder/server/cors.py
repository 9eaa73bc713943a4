"""Cross-origin requests: preflights are answered here, and every other answer says who may read it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from transcoder.context import Handler, Headers, Reply, RequestContext, StreamReply
from transcoder.errors import PERMISSION_DENIED, TranscodeError
from transcoder.plan.plan import Route, Snapshot
from transcoder.routing.table import ANY_METHOD, RouteTable
from transcoder.security.cors import CorsPolicy, is_same_origin

_REQUESTED_METHOD: Final = "access-control-request-method"
_ORIGIN: Final = re.compile(rb"\r\norigin:([^\r\n]*)", re.IGNORECASE)
_ANY: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


def with_cors(handler: Handler, snapshot: Callable[[], Snapshot]) -> Handler:
    """A handler that follows the policy of the snapshot in effect, if it has one."""

    def handle(ctx: RequestContext) -> Awaitable[Reply | StreamReply]:
        current = snapshot()
        if current.cors is None:
            return handler(ctx)
        return _answer(handler, current, current.cors, ctx)

    return handle


def cors_of_refusals(snapshot: Callable[[], Snapshot]) -> Callable[[bytes], Headers]:
    """The headers of an answer to a head that is refused, by what has come of it: it may name its page."""

    def headers(head: bytes) -> Headers:
        cors = snapshot().cors
        return () if cors is None else cors.headers(_origin_line(head))

    return headers


async def _answer(
    handler: Handler, snapshot: Snapshot, cors: CorsPolicy, ctx: RequestContext
) -> Reply | StreamReply:
    origin = _origin(ctx)
    reply: Reply | StreamReply | None = None
    if origin is not None:
        reply = _refusal(snapshot, cors, ctx, origin) or _preflight(snapshot, cors, ctx, origin)
    if reply is None:
        reply = await handler(ctx)
    headers = (*reply.headers, *cors.headers(origin))
    if isinstance(reply, Reply):
        return replace(reply, headers=headers)
    reply.headers = headers  # its end is told through it, so there can be no other
    return reply


def _origin(ctx: RequestContext) -> str | None:
    """The origin a browser names; several are not one that any policy knows."""
    values = [value for name, value in ctx.headers if name == "origin"]
    return ", ".join(values) if values else None


def _origin_line(head: bytes) -> str | None:
    """The same, of a head that nobody could read as a whole."""
    values = _ORIGIN.findall(head.partition(b"\r\n\r\n")[0])
    return b", ".join(value.strip(b" \t") for value in values).decode("ascii", "replace") if values else None


def _refusal(snapshot: Snapshot, cors: CorsPolicy, ctx: RequestContext, origin: str) -> Reply | None:
    """To the WebSocket of a page that may not open one: browsers let any page, and it reads what it gets."""
    if ctx.accept is None or cors.allows(origin):
        return None
    if is_same_origin(origin, ctx.header("host") or "", ctx.scheme):
        return None
    error = TranscodeError(PERMISSION_DENIED, "origin not allowed", reason=f"WebSocket from {origin}")
    return snapshot.refuse(error, ctx.request_id)


def _preflight(snapshot: Snapshot, cors: CorsPolicy, ctx: RequestContext, origin: str) -> Reply | None:
    """To a preflight about a path that has routes; it carries no credentials, so no guard is asked."""
    if ctx.http_method != "OPTIONS" or ctx.header(_REQUESTED_METHOD) is None or not cors.allows(origin):
        return None
    methods = _methods(snapshot.table, ctx.path)
    return Reply(status=204, headers=cors.preflight_headers(methods)) if methods else None


def _methods(table: RouteTable[Route], path: str) -> set[str]:
    """The methods of a path; none when it has no route, or is malformed."""
    try:
        methods = {route.info.http_method for route in table.candidates(path)}
    except TranscodeError:
        return set()
    if ANY_METHOD in methods:
        methods = (methods - {ANY_METHOD}) | _ANY
    return methods | {"HEAD"} if "GET" in methods else methods
