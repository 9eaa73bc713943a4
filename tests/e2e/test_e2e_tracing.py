"""Traces as a collector receives them."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.backend import Call, RecordingBackend, failure
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.orders import GET, PROTO, ROUTE, WATCH
from tests.support.ports import free_port
from tests.support.protos import Schema

TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
CALLER: Final = "b7ad6b7169203331"


class Collector:
    """Takes OTLP over HTTP and keeps the spans."""

    def __init__(self) -> None:
        self.exports: list[ExportTraceServiceRequest] = []
        self.paths: set[str] = set()

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for export in self.exports
            for resource in export.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def only(self, kind: Span.SpanKind) -> Span:
        (span,) = (span for span in self.spans if span.kind == kind)
        return span

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
        body = await reader.readexactly(int(headers["content-length"]))
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.paths.add(head[0].split(" ")[1])
        self.exports.append(ExportTraceServiceRequest.FromString(body))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()


@asynccontextmanager
async def traced(
    backend: RecordingBackend, endpoint: str, folder: Path, ratio: float = 1.0
) -> AsyncIterator[RunningGateway]:
    config = {
        "services": {"shop": {"address": backend.address}},
        "routes": [ROUTE, {**ROUTE, "name": "watch", "path": "/orders/{id}/changes", "grpc_method": "Watch"}],
        "observability": {"tracing": {"otlp_endpoint": endpoint, "sample_ratio": ratio}},
    }
    async with running_gateway(config, folder) as gateway:
        yield gateway


@asynccontextmanager
async def site(
    folder: Path, **options: Any
) -> AsyncIterator[tuple[RunningGateway, RecordingBackend, Collector]]:
    """A gateway whose collector has every span as soon as the gateway has ended."""
    collector = Collector()
    server = await asyncio.start_server(collector.take, "127.0.0.1", 0)
    endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with (
        server,
        RecordingBackend(Schema.from_protos(PROTO)) as backend,
        traced(backend, endpoint, folder, **options) as gateway,
    ):
        yield gateway, backend, collector


async def end(gateway: RunningGateway) -> None:
    gateway.process.terminate()
    assert await gateway.process.wait() == 0


def attributes(span: Span) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in span.attributes}


def parents(call: Call) -> Sequence[str]:
    (value,) = call.values("traceparent")
    return str(value).split("-")


async def test_a_call_is_traced_from_the_caller_to_the_backend(tmp_path: Path) -> None:
    async with site(tmp_path) as (gateway, backend, collector):
        headers = {"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "vendor=1"}
        answer = await gateway.client.get("/orders/7?secret=1", headers=headers)
        await end(gateway)
    request, call = collector.only(Span.SPAN_KIND_SERVER), collector.only(Span.SPAN_KIND_CLIENT)
    assert collector.paths == {"/v1/traces"}
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, CALLER)
    assert (call.trace_id.hex(), call.parent_span_id) == (TRACE, request.span_id)
    assert parents(backend.calls[0]) == ["00", TRACE, call.span_id.hex(), "01"]
    assert backend.calls[0].values("tracestate") == ["vendor=1"]
    assert request.name == "GET /orders/{id}"
    assert attributes(request) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/orders/{id}",
        "url.scheme": "http",
        "url.path": "/orders/7",
        "client.address": "127.0.0.1",
        "transcoder.request_id": answer.headers["x-request-id"],
    }
    assert call.name == GET
    assert attributes(call) == {
        "rpc.system": "grpc",
        "rpc.service": "shop.v1.Orders",
        "rpc.method": "Get",
        "rpc.grpc.status_code": 0,
    }
    assert {line["trace_id"] for line in gateway.lines if line["event"] == "request"} >= {TRACE}
    resource = attributes(collector.exports[0].resource_spans[0].resource)
    assert resource["service.name"] == "transcoder"


async def test_errors_show_in_both_spans_but_a_refusal_is_no_failure_of_the_server(tmp_path: Path) -> None:
    async with site(tmp_path) as (gateway, backend, collector):
        backend.replies[GET] = failure(grpc.StatusCode.INTERNAL, "broken")
        assert (await gateway.client.get("/orders/7")).status_code == 500
        backend.replies[GET] = failure(grpc.StatusCode.NOT_FOUND)
        assert (await gateway.client.get("/orders/8")).status_code == 404
        assert (await gateway.client.get("/nothing/here")).status_code == 404
        await end(gateway)
    found = {
        (span.kind, attributes(span).get("url.path") or attributes(span)["rpc.grpc.status_code"]): span
        for span in collector.spans
    }
    error = Span.SPAN_KIND_SERVER, "/orders/7"
    assert found[error].status.code == 2
    assert attributes(found[error])["error.type"] == "INTERNAL_ERROR"
    assert found[Span.SPAN_KIND_SERVER, "/orders/8"].status.code == 0
    assert found[Span.SPAN_KIND_SERVER, "/nothing/here"].name == "GET"
    assert found[Span.SPAN_KIND_CLIENT, 13].status.code == 2
    assert found[Span.SPAN_KIND_CLIENT, 5].status.code == 2


async def test_a_stream_is_one_span_that_ends_with_it(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def watch(call: Call) -> AsyncGenerator[Message, None]:
        yield call.request_type(id="1")
        await go_on.wait()
        yield call.request_type(id="2")

    async with site(tmp_path) as (gateway, backend, collector):
        backend.replies[WATCH] = watch
        async with gateway.client.stream("GET", "/orders/7/changes") as answer:
            chunks = answer.aiter_raw()
            await anext(chunks)
            go_on.set()
            assert len([chunk async for chunk in chunks]) > 0
        await end(gateway)
    request, call = collector.only(Span.SPAN_KIND_SERVER), collector.only(Span.SPAN_KIND_CLIENT)
    assert call.parent_span_id == request.span_id
    assert attributes(call)["rpc.grpc.status_code"] == 0
    assert attributes(request)["http.response.status_code"] == 200
    assert request.end_time_unix_nano >= call.end_time_unix_nano


async def test_a_stream_whose_client_leaves_is_cancelled(tmp_path: Path) -> None:
    async def watch(call: Call) -> AsyncGenerator[Message, None]:
        yield call.request_type(id="1")
        await asyncio.Event().wait()

    async with site(tmp_path) as (gateway, backend, collector):
        backend.replies[WATCH] = watch
        async with gateway.client.stream("GET", "/orders/7/changes") as answer:
            await anext(answer.aiter_raw())
        async with asyncio.timeout(5):
            await backend.calls[0].done.wait()
        await end(gateway)
    assert attributes(collector.only(Span.SPAN_KIND_CLIENT))["rpc.grpc.status_code"] == 1


async def test_an_unsampled_trace_is_not_recorded_but_goes_on(tmp_path: Path) -> None:
    async with site(tmp_path, ratio=0.0) as (gateway, backend, collector):
        await gateway.client.get("/orders/1", headers={"traceparent": f"00-{TRACE}-{CALLER}-00"})
        await gateway.client.get("/orders/2")
        await gateway.client.get("/orders/3", headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})
        await end(gateway)
    first, second, third = map(parents, backend.calls)
    assert (first[1], first[3]) == (TRACE, "00")
    assert second[1] != TRACE
    assert not int(second[3], 16) & 1, "the recorded flag"
    assert (third[1], third[3]) == (TRACE, "01")
    assert {span.trace_id.hex() for span in collector.spans} == {TRACE}
    assert len(collector.spans) == 2


async def test_a_malformed_or_repeated_trace_context_starts_a_new_trace(tmp_path: Path) -> None:
    async with site(tmp_path) as (gateway, backend, collector):
        twice = [("traceparent", f"00-{TRACE}-{CALLER}-01")] * 2
        await gateway.client.get("/orders/1", headers=twice)
        await gateway.client.get("/orders/2", headers={"traceparent": "00-zz-zz-01"})
        await end(gateway)
    requests = [span for span in collector.spans if span.kind == Span.SPAN_KIND_SERVER]
    assert [span.parent_span_id for span in requests] == [b"", b""]
    assert all(parents(call)[1] != TRACE for call in backend.calls)


async def test_a_collector_that_is_down_delays_nobody(tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    async with (
        RecordingBackend(Schema.from_protos(PROTO)) as backend,
        traced(backend, endpoint, tmp_path) as gateway,
    ):
        assert (await gateway.client.get("/orders/1")).status_code == 200
        await end(gateway)
    assert sum("xport" in line for line in gateway.process.stderr) <= 3
