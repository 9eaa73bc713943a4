"""A cap on how much goes on at once; what is above it is refused at once instead of queued."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from transcoder.calls import Begin, End
from transcoder.context import Handler, Metadata, Reply, RequestContext, StreamReply
from transcoder.errors import SERVICE_UNAVAILABLE, Code, TranscodeError

RETRY_AFTER: Final = (("retry-after", "1"),)
"""Seconds: a request that did not fit now may well fit soon."""

Refuse = Callable[[TranscodeError, str], Reply]
"""`(error, request id)`: the answer to a request that is not served."""


class InFlight:
    """Counts what is going on.

    cap: asked each time, 0 is none; what: named in the log when it is reached; count_refusal: counts what is
    above it.
    """

    def __init__(self, cap: Callable[[], int], what: str, count_refusal: Callable[[], None]) -> None:
        self.count = 0
        self._cap = cap
        self._what = what
        self._count_refusal = count_refusal

    def enter(self) -> None:
        """Raises TranscodeError (SERVICE_UNAVAILABLE) when there is no room."""
        cap = self._cap()
        if cap and self.count >= cap:
            self._count_refusal()
            reason = f"{self._what}: {cap} in flight"
            raise TranscodeError(SERVICE_UNAVAILABLE, "", reason=reason, headers=RETRY_AFTER)
        self.count += 1

    def leave(self) -> None:
        """Make room."""
        self.count -= 1

    def calls(self, _path: str) -> Begin:
        """To be put around calls."""
        return self._begin

    def _begin(self, metadata: Metadata, _timeout: float | None) -> tuple[Metadata, End]:
        self.enter()
        return metadata, self._end

    def _end(self, _code: Code) -> None:
        self.leave()


def cap_requests(handler: Handler, in_flight: InFlight, refuse: Refuse) -> Handler:
    """A handler that refuses requests above the cap; a stream counts until it is over."""

    async def handle(ctx: RequestContext) -> Reply | StreamReply:
        try:
            in_flight.enter()
        except TranscodeError as error:
            return refuse(error, ctx.request_id)
        is_over = True
        try:
            reply = await handler(ctx)
            if isinstance(reply, StreamReply):
                reply.close = partial(_close, reply.close, in_flight)
                is_over = False
        finally:
            if is_over:
                in_flight.leave()
        return reply

    return handle


async def _close(close: Callable[[], Awaitable[None]], in_flight: InFlight) -> None:
    try:
        await close()
    finally:
        in_flight.leave()
