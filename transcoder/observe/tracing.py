"""OpenTelemetry traces: a server span for each request, a client span for each call made for it.

Names and attributes are those of OpenTelemetry's semantic conventions for HTTP and RPC spans. Needs the extra
`tracing`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, format_trace_id, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from transcoder import __version__
from transcoder.calls import Begin, End, WatchedCalls
from transcoder.context import Calls, Handler, Metadata, Reply, RequestContext, StreamReply
from transcoder.errors import Code

EXPORT_TIMEOUT: Final = 3.0
"""Seconds an export may take, attempts again included: the end of the process waits for the last one."""

_TRACES_PATH: Final = "/v1/traces"
_TRACEPARENT: Final = "traceparent"
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class Tracing:
    """Records what passes through handlers and calls, and sends it to a collector in the background."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("transcoder", __version__)

    @classmethod
    def to_collector(cls, endpoint: str, sample_ratio: float) -> Tracing:
        """Sends to the URL of a collector that speaks OTLP over HTTP; without a path, to its `/v1/traces`.

        sample_ratio: the share of traces started here that is recorded; others follow their caller. What
        the SDK reads from the environment (OTEL_SERVICE_NAME, OTEL_BSP_*, OTEL_EXPORTER_OTLP_HEADERS, ...)
        counts.
        """
        own = Resource({"service.name": "transcoder", "service.version": __version__})
        provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(sample_ratio)),
            resource=own.merge(OTELResourceDetector().detect()),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(_traces_url(endpoint), timeout=EXPORT_TIMEOUT)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        return cls(provider)

    def handler(self, handler: Handler) -> Handler:
        """A handler with a span for each request the one inside answers."""

        async def handle(ctx: RequestContext) -> Reply | StreamReply:
            span = self._tracer.start_span(
                ctx.http_method,
                context=_PROPAGATOR.extract(_carrier(ctx)),
                kind=SpanKind.SERVER,
                attributes=_request_attributes(ctx),
            )
            ctx.trace_id = format_trace_id(span.get_span_context().trace_id)
            with use_span(span, record_exception=False, set_status_on_exception=False):
                return await _answered(handler, ctx, span)

        return handle

    def calls(self, calls: Calls) -> Calls:
        """Calls with a span each, the one the backend is told to be its parent."""
        return WatchedCalls(calls, partial(_begin_of, self._tracer))

    def close(self) -> None:
        """Send what is left, for as long as an export may take; blocks."""
        self._provider.shutdown()


def _traces_url(endpoint: str) -> str:
    return endpoint if urlsplit(endpoint).path.strip("/") else endpoint.rstrip("/") + _TRACES_PATH


def _carrier(ctx: RequestContext) -> Mapping[str, list[str]]:
    """The W3C trace context the caller sent; an ambiguous one counts as none."""
    parents = [value for name, value in ctx.headers if name == _TRACEPARENT]
    if len(parents) != 1:
        return {}
    return {
        _TRACEPARENT: parents,
        "tracestate": [value for name, value in ctx.headers if name == "tracestate"],
    }


def _request_attributes(ctx: RequestContext) -> Mapping[str, str]:
    return {
        "http.request.method": ctx.http_method,
        "url.scheme": ctx.scheme,
        "url.path": ctx.path,
        "client.address": ctx.peer,
        "transcoder.request_id": ctx.request_id,
    }


async def _answered(handler: Handler, ctx: RequestContext, span: Span) -> Reply | StreamReply:
    """The answer of a handler; its span ends with it, the one of a stream with the stream."""
    try:
        reply = await handler(ctx)
    except BaseException:
        _end_request(span, ctx, 499, Code.CANCELLED.name)
        raise
    if isinstance(reply, StreamReply):
        reply.close = partial(_close_stream, reply.close, reply, ctx, span)
    else:
        _end_request(span, ctx, reply.status, reply.code)
    return reply


async def _close_stream(
    close: Callable[[], Awaitable[None]], reply: StreamReply, ctx: RequestContext, span: Span
) -> None:
    try:
        await close()
    finally:
        _end_request(span, ctx, reply.status, reply.code)


def _end_request(span: Span, ctx: RequestContext, status: int, code: str) -> None:
    if ctx.route is not None:
        span.update_name(f"{ctx.http_method} {ctx.route.template}")
        span.set_attribute("http.route", ctx.route.template)
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_attribute("error.type", code)
        span.set_status(Status(StatusCode.ERROR))
    span.end()


def _begin_of(tracer: Tracer, path: str) -> Begin:
    full_name = path.removeprefix("/")
    service, _, method = full_name.partition("/")
    attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}

    def begin(metadata: Metadata, _timeout: float | None) -> tuple[Metadata, End]:
        span = tracer.start_span(full_name, kind=SpanKind.CLIENT, attributes=attributes)
        return _under(span, metadata), partial(_end_call, span)

    return begin


def _under(span: Span, metadata: Metadata) -> Metadata:
    """Metadata that makes the span the parent of what the backend does."""
    context = span.get_span_context()
    parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    return [*(pair for pair in metadata if pair[0] != _TRACEPARENT), (_TRACEPARENT, parent)]


def _end_call(span: Span, code: Code) -> None:
    span.set_attribute("rpc.grpc.status_code", int(code))
    if code is not Code.OK:
        span.set_status(Status(StatusCode.ERROR, code.name))
    span.end()
