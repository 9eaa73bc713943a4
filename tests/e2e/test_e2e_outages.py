"""Backends that are down, die, freeze and come back, with nobody touching the gateway."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from time import monotonic
from typing import Any, Final

import httpx

from tests.e2e.shop import GET_ORDER, eventually, route, schema
from tests.support.backend import RecordingBackend
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.node import NodeBackend, running_node
from tests.support.ports import free_port

GET_BOOK: Final = {
    "name": "get-book",
    "path": "/books/{id}",
    "method": "GET",
    "service": "library",
    "grpc_service": "Library",
    "grpc_method": "GetBook",
}


def _config(*, library: str, shop: str = "127.0.0.1:1") -> dict[str, Any]:
    return {
        "services": {
            "shop": {"address": shop, "expose": ["methods"]},
            "library": {"address": library, "expose": ["methods"]},
        },
        "routes": [route("get-order", "GET", "/orders/{order_id}"), GET_BOOK],
    }


def _assert_tells_nothing(answer: httpx.Response) -> None:
    request_id = answer.headers["x-request-id"]
    error = {"code": "SERVICE_UNAVAILABLE", "message": "service unavailable", "request_id": request_id}
    assert (answer.status_code, answer.json()) == (503, {"error": error})


async def test_backend_down_at_start_costs_only_its_own_routes_and_heals(
    node_backend: NodeBackend, tmp_path: Path
) -> None:
    shop = RecordingBackend(schema(), port=free_port())
    config = _config(shop=shop.address, library=node_backend.address)
    async with running_gateway(config, tmp_path) as gateway:
        client = gateway.client
        assert (await client.get("/books/b-1")).json()["title"] == "The Origin"
        _assert_tells_nothing(await client.get("/orders/7"))
        assert (await client.post(f"/{GET_ORDER}")).status_code == 404
        described = (await gateway.admin.get("/services/shop")).json()
        assert described["reflection"] is None
        assert described["last_error"]
        async with shop:
            await eventually(200, lambda: client.get("/orders/7"), within=2)
            await eventually(200, lambda: client.post(f"/{GET_ORDER}"), within=3)
            described = (await gateway.admin.get("/services/shop")).json()
            assert (described["state"], described["last_error"]) == ("ready", None)


async def _in_flight(gateway: RunningGateway, backend: NodeBackend) -> asyncio.Task[httpx.Response]:
    """A request whose call a frozen backend has got and cannot answer."""
    assert (await gateway.client.get("/books/b-1")).status_code == 200
    backend.process.send_signal(signal.SIGSTOP)
    task = asyncio.create_task(gateway.client.get("/books/b-1"))
    await asyncio.wait([task], timeout=0.2)
    assert not task.done()
    return task


async def test_backend_killed_during_a_call_and_started_again(tmp_path: Path) -> None:
    port = free_port()
    async with running_gateway(_config(library=f"127.0.0.1:{port}"), tmp_path) as gateway:
        for _ in range(2):
            async with running_node(port) as backend:
                await eventually(200, lambda: gateway.client.get("/books/b-1"), within=2)
                task = await _in_flight(gateway, backend)
                killed = monotonic()
                backend.process.kill()
                _assert_tells_nothing(await task)
                assert monotonic() - killed < 1
            _assert_tells_nothing(await gateway.client.get("/books/b-1"))


async def test_backend_that_was_gone_for_long_is_reached_soon(tmp_path: Path) -> None:
    port = free_port()
    async with running_gateway(_config(library=f"127.0.0.1:{port}"), tmp_path) as gateway:
        gone = asyncio.create_task(asyncio.sleep(4))
        while not gone.done():
            _assert_tells_nothing(await gateway.client.get("/books/b-1"))
            await asyncio.sleep(0.05)
        async with running_node(port):
            await eventually(200, lambda: gateway.client.get("/books/b-1"), within=2)


async def test_frozen_backend_is_given_up_at_the_deadline_and_thaws(tmp_path: Path) -> None:
    async with (
        running_node() as backend,
        running_gateway(_config(library=backend.address), tmp_path) as gateway,
    ):
        task = await _in_flight(gateway, backend)
        answer = await gateway.client.get("/books/b-1", headers={"X-Request-Timeout": "0.3"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "TIMEOUT")
        backend.process.send_signal(signal.SIGCONT)
        assert (await task).status_code == 200
        assert (await gateway.client.get("/books/b-1")).status_code == 200
