"""More than fits, and backends that keep failing: refused at once, visibly, and only where it must be."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any, Final

import grpc

from tests.support.backend import Call, RecordingBackend, failure
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.metrics import read_metrics
from tests.support.protos import Schema

PROTO: Final = """
syntax = "proto3";
package shop.v1;
service Orders { rpc Get(Order) returns (Order); }
message Order { string id = 1; }
"""
GET: Final = "shop.v1.Orders/Get"
REFUSED: Final = "transcoder_calls_refused_total"
SHORT: Final = {"failures": 3, "window": "10s", "open_for": "300ms"}


def route(service: str) -> dict[str, Any]:
    return {
        "name": service,
        "path": f"/{service}/{{id}}",
        "method": "POST",
        "service": service,
        "grpc_service": "Orders",
        "grpc_method": "Get",
    }


class Slow:
    """Answers when it is let go."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def __call__(self, call: Call) -> Any:
        (message,) = [request async for request in call.requests()]
        await self.go_on.wait()
        return message


@asynccontextmanager
async def site(
    folder: Path, server: dict[str, Any] | None = None, **shop: Any
) -> AsyncIterator[tuple[RunningGateway, RecordingBackend]]:
    async with RecordingBackend(Schema.from_protos(PROTO)) as backend:
        services = {"shop": {"address": backend.address, **shop}, "other": {"address": backend.address}}
        config = {
            "server": server or {},
            "services": services,
            "routes": [route("shop"), route("other")],
        }
        async with running_gateway(config, folder) as gateway:
            assert await status(gateway) == 200
            yield gateway, backend


async def status(gateway: RunningGateway, path: str = "/shop/1") -> int:
    return (await gateway.client.post(path)).status_code


async def breaker(gateway: RunningGateway, state: str) -> bool:
    wanted = f'transcoder_circuit_breaker_state{{backend="shop",state="{state}"}} 1.0'
    return wanted in (await gateway.admin.get("/metrics")).text


async def test_excess_requests_are_refused_at_once_and_the_rest_is_served(tmp_path: Path) -> None:
    async with site(tmp_path, {"max_in_flight": 5}) as (gateway, backend):
        slow = backend.replies[GET] = Slow()
        admitted = [asyncio.create_task(status(gateway)) for _ in range(5)]
        await backend.wait_for_calls(6)
        started = monotonic()
        refused = [await gateway.client.post("/shop/1") for _ in range(50)]
        assert monotonic() - started < 5, "nobody waits for a place"
        assert {answer.status_code for answer in refused} == {503}
        assert {answer.headers["retry-after"] for answer in refused} == {"1"}
        assert (await gateway.client.get("/-/ready")).status_code == 200
        page = await read_metrics(gateway.admin)
        assert page.sum("transcoder_requests_over_capacity_total") == 50
        slow.go_on.set()
        assert await asyncio.gather(*admitted) == [200] * 5
        assert await status(gateway) == 200


class OneAtATime:
    """A backend that can do so much and no more. waiting: who is there; most: who has been there at once."""

    def __init__(self) -> None:
        self.waiting = self.most = 0
        self._turn = asyncio.Lock()

    async def __call__(self, call: Call) -> Any:
        (message,) = [request async for request in call.requests()]
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        async with self._turn:
            await asyncio.sleep(0.02)
        self.waiting -= 1
        return message


async def test_admitted_requests_do_not_wait_for_those_that_are_too_many(tmp_path: Path) -> None:
    places, clients = 4, 40
    async with site(tmp_path, {"max_in_flight": places}) as (gateway, backend):
        busy = backend.replies[GET] = OneAtATime()
        statuses: Counter[int] = Counter()

        async def insist() -> None:
            while statuses[200] < 100:
                answer = await status(gateway)
                statuses[answer] += 1
                await asyncio.sleep(0 if answer == 200 else 0.1)

        before = await memory(gateway)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(insist())
        assert statuses.keys() == {200, 503}
        assert busy.most <= places, "and so nobody waits for more turns than these"
        assert await memory(gateway) - before < 10


async def memory(gateway: RunningGateway) -> float:
    """MB."""
    return (await read_metrics(gateway.admin)).sum("transcoder_process_resident_memory_bytes") / 1e6


async def test_a_slow_backend_takes_no_more_than_its_share(tmp_path: Path) -> None:
    async with site(tmp_path, max_in_flight=3) as (gateway, backend):
        slow = backend.replies[GET] = Slow()
        admitted = [asyncio.create_task(status(gateway)) for _ in range(3)]
        await backend.wait_for_calls(4)
        assert await status(gateway) == 503
        page = await read_metrics(gateway.admin)
        assert page.sum(REFUSED, backend="shop", reason="max_in_flight") == page.sum(REFUSED) == 1
        other = asyncio.create_task(status(gateway, "/other/1"))
        await backend.wait_for_calls(5)
        slow.go_on.set()
        assert await asyncio.gather(*admitted, other) == [200] * 4


async def test_a_breaker_opens_is_tried_and_closes(tmp_path: Path) -> None:
    async with site(tmp_path, circuit_breaker=SHORT) as (gateway, backend):
        assert await breaker(gateway, "closed")
        backend.replies[GET] = failure(grpc.StatusCode.UNAVAILABLE)
        assert [await status(gateway) for _ in range(3)] == [503] * 3
        assert await breaker(gateway, "open")
        made = len(backend.calls)
        answer = await gateway.client.post("/shop/1")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert len(backend.calls) == made, "the backend is left alone"
        page = await read_metrics(gateway.admin)
        assert page.sum(REFUSED, backend="shop", reason="circuit_breaker") == page.sum(REFUSED) == 1
        assert await status(gateway, "/other/1") == 503, "that one is asked still"
        assert len(backend.calls) == made + 1
        del backend.replies[GET]
        async with asyncio.timeout(10):
            while await status(gateway) != 200:
                pass
        assert await breaker(gateway, "closed")
        states = [line["state"] for line in gateway.lines if line["event"] == "circuit breaker"]
        assert states[0] == "open"
        assert states[-2:] == ["half-open", "closed"]


async def test_a_backend_that_comes_back_is_served_at_once(tmp_path: Path) -> None:
    long = {**SHORT, "open_for": "5m"}
    async with site(tmp_path, circuit_breaker=long) as (gateway, backend):
        await backend.stop()
        while not await breaker(gateway, "open"):
            assert await status(gateway) == 503
        await backend.start()
        async with asyncio.timeout(5):
            while await status(gateway) != 200:
                pass
