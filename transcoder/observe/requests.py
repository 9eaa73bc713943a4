"""Requests as metrics: how many, how long, how many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from transcoder.context import Handler, Reply, RequestContext, StreamReply
from transcoder.errors import CANCELLED, Code, TranscodeError
from transcoder.observe.ending import GONE, tell_at_end
from transcoder.observe.metrics import Metrics

UNMATCHED: Final = "unmatched"
"""The route of requests that no route answers; every template begins with a slash."""

_HTTP_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER: Final = "other"
_SWITCHING_PROTOCOLS: Final = 101

Refuse = Callable[[TranscodeError, str], Reply]


class RequestMeter:
    """Counts requests. in_flight: how many are being answered, streams included."""

    def __init__(self, metrics: Metrics) -> None:
        self.in_flight = 0
        self._metrics = metrics
        self._routes: dict[tuple[str, str, str], _RouteMeter] = {}

    def of(self, ctx: RequestContext) -> _RouteMeter:
        """The meter of the route of a request, none of whose labels is of the client's choice."""
        route = ctx.route
        if route is None:
            method = ctx.http_method if ctx.http_method in _HTTP_METHODS else _OTHER
            return self.at(UNMATCHED, method, "")
        key = (route.template, route.http_method, route.backend)
        return self._routes.get(key) or self.at(*key)

    def at(self, route: str, http_method: str, backend: str) -> _RouteMeter:
        """The meter of a route."""
        key = (route, http_method, backend)
        meter = self._routes.get(key)
        if meter is None:
            meter = self._routes[key] = _RouteMeter(self._metrics, *key)
        return meter


class _RouteMeter:
    """Counts the requests of one route."""

    def __init__(self, metrics: Metrics, route: str, http_method: str, backend: str) -> None:
        self._metrics = metrics
        self._labels = {"route": route, "http_method": http_method, "backend": backend}
        self._answers: dict[tuple[int, Code], Callable[[], None]] = {}
        self._duration: Callable[[float], None] | None = None
        self._stream_duration: Callable[[float], None] | None = None

    def count(self, status: int, code: Code) -> None:
        """One more request was answered."""
        answer = self._answers.get((status, code))
        if answer is None:
            answer = self._answers[status, code] = self._metrics.counter(
                "transcoder_requests_total", **self._labels, status=str(status), grpc_code=code.name
            )
        answer()

    def took(self, seconds: float) -> None:
        """The last one had one answer."""
        if self._duration is None:
            self._duration = self._metrics.histogram("transcoder_request_duration_seconds", **self._labels)
        self._duration(seconds)

    def lasted(self, seconds: float) -> None:
        """The last one was a stream."""
        if self._stream_duration is None:
            self._stream_duration = self._metrics.histogram(
                "transcoder_stream_duration_seconds", **self._labels
            )
        self._stream_duration(seconds)


def measure_requests(handler: Handler, meter: RequestMeter, clock: Callable[[], float]) -> Handler:
    """A handler that measures the one inside. clock: monotonic seconds."""

    def end(ctx: RequestContext, started: float, reply: Reply) -> None:
        meter.in_flight -= 1
        route = meter.of(ctx)
        route.count(reply.status, reply.grpc_code)
        if reply.status == _SWITCHING_PROTOCOLS:
            route.lasted(clock() - started)
        else:
            route.took(clock() - started)

    def end_stream(ctx: RequestContext, started: float, reply: Reply | StreamReply) -> None:
        meter.in_flight -= 1
        route = meter.of(ctx)
        route.count(reply.status, reply.grpc_code)
        route.lasted(clock() - started)

    async def handle(ctx: RequestContext) -> Reply | StreamReply:
        started = clock()
        meter.in_flight += 1
        try:
            reply = await handler(ctx)
        except asyncio.CancelledError:
            end(ctx, started, GONE)
            raise
        if isinstance(reply, StreamReply):
            return tell_at_end(reply, partial(end_stream, ctx, started))
        end(ctx, started, reply)
        return reply

    return handle


def measure_refusals(refuse: Refuse, meter: RequestMeter) -> Refuse:
    """Answers what no handler ever saw, and counts it, too."""

    def answer(error: TranscodeError, request_id: str) -> Reply:
        reply = refuse(error, request_id)
        # a client that has gone was counted where it was missed
        if error.kind is not CANCELLED:
            meter.at(UNMATCHED, _OTHER, "").count(reply.status, reply.grpc_code)
        return reply

    return answer
