"""SIGTERM to a gateway with two workers that is busy with everything at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any, Final

import httpx
from google.protobuf.message import Message

from tests.support.backend import Call, RecordingBackend
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.protos import Schema
from tests.support.raw import exchange, request

PROTO: Final = """
syntax = "proto3";
package shop.v1;
service Orders {
  rpc Get(Order) returns (Order);
  rpc Hold(Order) returns (Order);
  rpc Watch(Order) returns (stream Order);
}
message Order { string id = 1; }
"""
WORKERS: Final = 2
CLIENTS: Final = 8
"""Of each kind: enough for both workers to have some."""

DRAIN_TIMEOUT: Final = 8


def _config(backend: RecordingBackend) -> dict[str, Any]:
    return {
        "server": {"workers": WORKERS, "drain_delay": "2s", "drain_timeout": f"{DRAIN_TIMEOUT}s"},
        "services": {"shop": {"address": backend.address, "expose": ["methods"]}},
    }


class _Clients:
    """answers: of those that keep asking, and may be told that nobody listens any more, but nothing else."""

    def __init__(self, gateway: RunningGateway) -> None:
        self.answers: list[httpx.Response] = []
        self._gateway = gateway

    async def ask_until_refused(self) -> None:
        async with httpx.AsyncClient(base_url=self._gateway.url, trust_env=False, timeout=10) as client:
            with suppress(httpx.ConnectError):
                while True:
                    self.answers.append(await client.post("/shop.v1.Orders/Get"))

    async def hold(self) -> int:
        async with httpx.AsyncClient(base_url=self._gateway.url, trust_env=False, timeout=30) as client:
            return (await client.post("/shop.v1.Orders/Hold")).status_code

    async def watch(self) -> list[Any]:
        async with httpx.AsyncClient(base_url=self._gateway.url, trust_env=False, timeout=30) as client:
            answer = await client.post("/shop.v1.Orders/Watch")
            return [json.loads(line) for line in answer.text.splitlines()]


async def _is_ready(gateway: RunningGateway) -> bool | None:
    """What a probe sees, on a connection of its own; None when nobody listens."""
    try:
        return (await exchange(gateway.url, request("GET", "/-/ready"))).status == 200
    except OSError:
        return None


async def test_nothing_that_was_begun_is_lost(tmp_path: Path) -> None:
    schema = Schema.from_protos(PROTO)
    release = asyncio.Event()

    async def hold(call: Call) -> Message:
        await release.wait()
        return schema.message("shop.v1.Order", id="held")

    async def watch(call: Call) -> AsyncGenerator[Message, None]:
        yield schema.message("shop.v1.Order", id="first")
        await release.wait()
        yield schema.message("shop.v1.Order", id="last")

    replies = {"shop.v1.Orders/Hold": hold, "shop.v1.Orders/Watch": watch}
    async with (
        RecordingBackend(schema, replies) as backend,
        running_gateway(_config(backend), tmp_path) as gateway,
        asyncio.timeout(60),
    ):
        clients = _Clients(gateway)
        held = [asyncio.create_task(clients.hold()) for _ in range(CLIENTS)]
        watched = [asyncio.create_task(clients.watch()) for _ in range(CLIENTS)]
        await backend.wait_for_calls(2 * CLIENTS, within=30)
        asking = [asyncio.create_task(clients.ask_until_refused()) for _ in range(CLIENTS)]
        await backend.wait_for_calls(7 * CLIENTS, within=30)
        assert len(backend.peers) == WORKERS
        told = monotonic()
        gateway.process.terminate()
        while True in [await _is_ready(gateway) for _ in range(5)]:
            pass
        assert monotonic() - told < 1.5, "long before the listeners close"
        assert True not in [await _is_ready(gateway) for _ in range(20)]
        await asyncio.gather(*asking)
        assert monotonic() - told >= 2, "load balancers have had their time"
        release.set()
        assert await asyncio.gather(*held) == [200] * CLIENTS
        assert await asyncio.gather(*watched) == [[{"id": "first"}, {"id": "last"}]] * CLIENTS
        assert await gateway.process.wait() == 0
        assert monotonic() - told < DRAIN_TIMEOUT
    assert {answer.status_code for answer in clients.answers} == {200}
    assert [line["event"] for line in gateway.lines].count("stopped") == WORKERS
