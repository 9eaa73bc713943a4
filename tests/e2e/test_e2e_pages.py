"""Streams as a web page reads them: EventSource and WebSocket after the standard of browsers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import grpc
import pytest_asyncio

from tests.support.backend import Answer, Call, RecordingBackend
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.node import running_page
from tests.support.protos import Schema

SCHEMA: Final = Schema.from_protos("""
syntax = "proto3";
package feed.v1;
import "google/api/annotations.proto";
service Feed {
  rpc Watch(Tick) returns (stream Tick) { option (google.api.http) = { get: "/v1/{topic}:watch" }; }
  rpc Chat(stream Tick) returns (stream Tick) {
    option (google.api.http) = { post: "/v1/{topic}:chat" body: "*" };
  }
}
message Tick { string topic = 1; int32 number = 2; }
""")
WATCH, CHAT = "feed.v1.Feed/Watch", "feed.v1.Feed/Chat"


@pytest_asyncio.fixture(loop_scope="package")
async def backend() -> AsyncIterator[RecordingBackend]:
    async with RecordingBackend(SCHEMA) as backend:
        yield backend


@pytest_asyncio.fixture(loop_scope="package")
async def gateway(backend: RecordingBackend, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    service = {"address": backend.address, "expose": ["annotations"]}
    async with running_gateway({"services": {"feed": service}}, tmp_path) as gateway:
        yield gateway


def tick(number: int) -> Any:
    return SCHEMA.message("feed.v1.Tick", number=number)


async def test_event_source(gateway: RunningGateway, backend: RecordingBackend) -> None:
    goes_on = asyncio.Event()

    async def ticks(call: Call) -> AsyncIterator[Any]:
        yield tick(1)
        await goes_on.wait()
        yield tick(2)
        await asyncio.Event().wait()

    backend.replies[WATCH] = ticks
    async with running_page("events", f"{gateway.url}/v1/gold:watch") as page:
        await page.wait_for_line('message {"number":1}')
        goes_on.set()
        await page.wait_for_line('message {"number":2}')
        assert page.stdout == ["open", 'message {"number":1}', 'message {"number":2}']
    await asyncio.wait_for(backend.calls[0].done.wait(), 5)
    assert backend.calls[0].cancelled, "the page is gone"


async def test_event_source_is_told_of_an_error(gateway: RunningGateway, backend: RecordingBackend) -> None:
    backend.replies[WATCH] = Answer(
        messages=[tick(1)], code=grpc.StatusCode.RESOURCE_EXHAUSTED, text="enough"
    )
    async with running_page("events", f"{gateway.url}/v1/gold:watch") as page:
        await page.wait_for_line("error {")
    assert page.stdout[:2] == ["open", 'message {"number":1}']
    assert '"code":"RESOURCE_EXHAUSTED","message":"enough"' in page.stdout[2]


async def test_websocket(gateway: RunningGateway, backend: RecordingBackend) -> None:
    async def echo(call: Call) -> AsyncIterator[Any]:
        async for message in call.requests():
            yield message

    backend.replies[CHAT] = echo
    url = gateway.url.replace("http", "ws", 1)
    async with running_page("socket", f"{url}/v1/gold:chat", '{"number": 1}', '{"number": 2}', "") as page:
        await page.wait_for_line("closed")
    assert page.stdout == [
        'message {"topic":"gold","number":1}',
        'message {"number":2}',
        "closed 1000 ",
    ]
