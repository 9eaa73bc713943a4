"""The end of a gateway: nothing that was begun is lost."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Final

import httpx
import pytest

from tests.e2e.shop import GET_ORDER, eventually, route, schema
from tests.support.backend import Answer, Call, RecordingBackend
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.raw import connect, read_answer, request

CLIENTS: Final = 10


@dataclass(slots=True, kw_only=True)
class Slow:
    """A reply that comes when it is let go."""

    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, call: Call) -> Answer:
        await self.go.wait()
        return Answer(messages=[schema().message("shop.v1.Order", id="slow")])


@asynccontextmanager
async def _shop(directory: Path, **server: Any) -> AsyncIterator[tuple[RunningGateway, RecordingBackend]]:
    async with RecordingBackend(schema()) as backend:
        config = {
            "server": {"request_timeout": "20s", **server},
            "services": {"shop": {"address": backend.address}},
            "routes": [route("get-order", "GET", "/orders/{order_id}")],
        }
        async with running_gateway(config, directory) as gateway:
            assert (await gateway.client.get("/orders/7")).status_code == 200
            backend.calls.clear()
            yield gateway, backend


async def _ask_until_refused(url: str, answers: list[httpx.Response]) -> None:
    """A client that keeps its connection while it may. Raises httpx errors for anything that got lost."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        try:
            while True:
                answers.append(await client.get("/orders/7"))
        except httpx.ConnectError:
            return


@pytest.mark.parametrize(
    ("workers", "number"), [(1, signal.SIGTERM), (1, signal.SIGINT), (2, signal.SIGTERM)]
)
async def test_nothing_is_lost_under_keep_alive_load(
    tmp_path: Path, workers: int, number: signal.Signals
) -> None:
    answers: list[httpx.Response] = []
    async with _shop(tmp_path, workers=workers, drain_delay="500ms") as (gateway, _):
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(_ask_until_refused(gateway.url, answers))
            while len(answers) < 5 * CLIENTS:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            gateway.process.send_signal(number)
        assert await gateway.process.wait() == 0
    assert {answer.status_code for answer in answers} == {200}
    assert answers[-1].headers["connection"] == "close"
    assert [line["event"] for line in gateway.lines][-1] == "stopped"


async def test_readiness_ends_before_the_listener_closes(tmp_path: Path) -> None:
    async with _shop(tmp_path, drain_delay="600ms") as (gateway, _):
        started = monotonic()
        gateway.process.terminate()
        refused = await eventually(503, lambda: gateway.client.get("/-/ready"), within=0.3)
        assert refused.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
        assert (await gateway.client.get("/-/health")).status_code == 200
        assert (await gateway.client.get("/orders/7")).status_code == 200
        assert await gateway.process.wait() == 0
        assert 0.6 <= monotonic() - started < 3


async def test_slow_request_is_answered_before_the_end(tmp_path: Path) -> None:
    async with _shop(tmp_path) as (gateway, backend):
        slow = Slow()
        backend.replies[GET_ORDER] = slow
        task = asyncio.create_task(gateway.client.get("/orders/7"))
        await backend.wait_for_calls()
        gateway.process.terminate()
        await _until_closed(gateway)
        slow.go.set()
        answer = await task
        assert (answer.status_code, answer.json()) == (200, {"id": "slow"})
        assert await gateway.process.wait() == 0


async def _until_closed(gateway: RunningGateway) -> None:
    """Until nobody listens any more."""
    async with asyncio.timeout(5):
        while True:
            try:
                _, writer = await connect(gateway.url)
            except ConnectionRefusedError:
                return
            writer.close()
            await asyncio.sleep(0.02)


async def test_request_that_is_still_being_sent_is_answered(tmp_path: Path) -> None:
    async with _shop(tmp_path) as (gateway, _):
        reader, writer = await connect(gateway.url)
        whole = request("GET", "/orders/7")
        writer.write(whole[:20])
        assert (await gateway.client.get("/-/health")).status_code == 200  # by now it has been read
        gateway.process.terminate()
        await _until_closed(gateway)
        writer.write(whole[20:])
        answer = await read_answer(reader)
        writer.close()
        assert (answer.status, answer.header("connection")) == (200, "close")
        assert await gateway.process.wait() == 0


async def test_request_that_never_ends_is_cut_at_the_timeout(tmp_path: Path) -> None:
    async with _shop(tmp_path, drain_timeout="500ms") as (gateway, backend):
        backend.replies[GET_ORDER] = Slow()
        task = asyncio.create_task(gateway.client.get("/orders/7"))
        (call,) = await backend.wait_for_calls()
        started = monotonic()
        gateway.process.terminate()
        with pytest.raises(httpx.TransportError):
            await task
        assert await gateway.process.wait() == 0
        assert 0.5 <= monotonic() - started < 3
        async with asyncio.timeout(1):
            await call.done.wait()
        assert call.cancelled


async def test_idle_connections_do_not_hold_it_up(tmp_path: Path) -> None:
    async with _shop(tmp_path) as (gateway, _):
        _, unused = await connect(gateway.url)
        started = monotonic()
        gateway.process.terminate()
        assert await gateway.process.wait() == 0
        assert monotonic() - started < 3
        unused.close()


@pytest.mark.parametrize("workers", [1, 2])
async def test_second_signal_does_not_wait(tmp_path: Path, workers: int) -> None:
    async with _shop(tmp_path, workers=workers) as (gateway, backend):
        backend.replies[GET_ORDER] = Slow()
        task = asyncio.create_task(gateway.client.get("/orders/7"))
        await backend.wait_for_calls()
        gateway.process.terminate()
        await _until_closed(gateway)
        assert gateway.process.returncode is None
        started = monotonic()
        gateway.process.terminate()
        with pytest.raises(httpx.TransportError):
            await task
        await gateway.process.wait()
        assert monotonic() - started < 2
