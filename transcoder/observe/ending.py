"""How a request ended, for whoever keeps account of it: streams end long after they were answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from transcoder.context import Reply, StreamReply
from transcoder.errors import CANCELLED

GONE: Final = Reply(
    status=CANCELLED.http, code=CANCELLED.name, grpc_code=CANCELLED.grpc, reason="the client went away"
)
"""How a request ends whose client did not wait for the answer."""


def tell_at_end(reply: StreamReply, tell: Callable[[Reply | StreamReply], None]) -> StreamReply:
    """The same stream, which is told of when it is over: as itself, or as GONE if it was given up."""
    close = reply.close

    async def close_and_tell() -> None:
        try:
            await close()
        finally:  # a client that goes now cancels this, too
            tell(reply if reply.is_complete or reply.code != "OK" else GONE)

    reply.close = close_and_tell  # in place: its end is written into this very object
    return reply
