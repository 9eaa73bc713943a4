"""One request message for one response message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor

from transcoder.codec import RequestEncoder
from transcoder.context import Metadata, Reply, RequestContext, StreamReply, UnaryCall
from transcoder.errors import TranscodeError
from transcoder.plan.offload import BIG_MESSAGE, coded, in_thread
from transcoder.plan.reply import Refuse, Respond

TimeLeft = Callable[[], float]
"""Seconds until the deadline of a request; infinity without one."""

Exchange = Callable[[RequestContext, Sequence[str], Metadata, TimeLeft], Awaitable[Reply | StreamReply]]
"""`(request, captured path values, metadata, time left)` -> the answer.

Raises TranscodeError for a request that never reached the backend.
"""


def compile_unary(
    *,
    encode: RequestEncoder,
    has_body: bool,
    call: UnaryCall,
    respond: Respond,
    refuse: Refuse,
    thread: Executor | None,
) -> Exchange:
    """The exchange of a unary method.

    has_body: whether the HTTP body is any part of the request message; thread: where big ones are coded.
    """

    async def exchange(
        ctx: RequestContext, captures: Sequence[str], metadata: Metadata, time_left: TimeLeft
    ) -> Reply:
        if has_body:
            body, content_type = await ctx.body.read(), ctx.header("content-type") or ""
            wire = await coded(thread, encode, body, content_type, captures, ctx.query)
        else:
            wire = encode(b"", "", captures, ctx.query)
        try:
            result = await call(wire, metadata, time_left())
        except TranscodeError as error:
            return refuse(error, ctx.request_id)
        if len(result.wire) > BIG_MESSAGE:
            return await in_thread(thread, respond, result)
        return respond(result)

    return exchange
