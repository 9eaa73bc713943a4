"""Several worker processes behind one port."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import httpx
import pytest
from google.protobuf.message import Message

from tests.e2e.asking import asking
from tests.e2e.shop import PROTO, route, schema
from tests.support.backend import REFLECTION_V1, Call, RecordingBackend, reflect
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.metrics import read_metrics
from tests.support.protos import Schema
from tests.support.raw import exchange, request

COUNT: Final = 2
CLIENTS: Final = 8


@asynccontextmanager
async def _workers(directory: Path) -> AsyncIterator[tuple[RunningGateway, RecordingBackend]]:
    async with RecordingBackend(schema()) as backend:
        config = {
            "server": {"workers": COUNT},
            # every line is looked at again and again by who waits for one
            "observability": {"access_log": False},
            "services": {"shop": {"address": backend.address, "expose": ["methods"]}},
            "routes": [route("get-order", "GET", "/orders/{order_id}")],
        }
        async with running_gateway(config, directory) as gateway:
            await _wait_for_ready(gateway, COUNT)
            yield gateway, backend


async def _wait_for_ready(gateway: RunningGateway, count: int) -> None:
    """Until so many workers have become ready since the start."""
    await gateway.process.wait_for_line(
        lambda _: len([line for line in gateway.lines if line["event"] == "ready"]) >= count
    )


def _pids(gateway: RunningGateway) -> list[int]:
    """The workers that have not been killed, oldest first."""
    started = [line["worker"] for line in gateway.lines if line["event"] == "worker started"]
    died = [line["worker"] for line in gateway.lines if line["event"] == "worker died"]
    return [pid for pid in started if pid not in died]


async def _kill(gateway: RunningGateway, pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    await gateway.process.wait_for_line(lambda line: "worker died" in line and str(pid) in line)


async def _ask(gateway: RunningGateway) -> int:
    """Over a connection of its own."""
    return (await exchange(gateway.url, request("GET", "/orders/7"))).status


async def test_each_worker_serves_and_is_replaced(tmp_path: Path) -> None:
    async with _workers(tmp_path) as (gateway, _):
        assert len(_pids(gateway)) == COUNT
        assert [os.sched_getscheduler(pid) for pid in _pids(gateway)] == [os.SCHED_BATCH] * COUNT
        for killed in range(1, COUNT + 1):
            await _kill(gateway, _pids(gateway)[0])
            # the other one serves alone, and the last time it is one that replaced another
            assert [await _ask(gateway) for _ in range(5)] == [200] * 5
            await _wait_for_ready(gateway, COUNT + killed)
        assert len(_pids(gateway)) == COUNT
        gateway.process.terminate()
        assert await gateway.process.wait() == 0
        (died, *_) = [line for line in gateway.lines if line["event"] == "worker died"]
        assert died["exit_code"] == -signal.SIGKILL


@dataclass(slots=True, kw_only=True)
class _Load:
    """Clients that keep their connections as long as they can.

    answers: how many each has had; lost: requests without an answer.
    """

    url: str
    answers: list[int] = field(default_factory=lambda: [0] * CLIENTS)
    statuses: set[int] = field(default_factory=set)
    lost: int = 0
    is_over: bool = False

    async def ask(self, number: int) -> None:
        while not self.is_over:
            try:
                async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
                    while not self.is_over:
                        self.statuses.add((await client.get("/orders/7")).status_code)
                        self.answers[number] += 1
            except httpx.TransportError:
                self.lost += 1

    async def wait_for_more(self) -> None:
        """Until each client has had ten more answers."""
        wanted = [count + 10 for count in self.answers]
        while any(count < enough for count, enough in zip(self.answers, wanted, strict=True)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_worker_is_killed_under_load(tmp_path: Path) -> None:
    """Only what it was answering is lost, the other one stays ready, and no counter goes back."""
    async with _workers(tmp_path) as (gateway, _), asyncio.timeout(60):
        load = _Load(url=gateway.url)
        clients = [asyncio.create_task(load.ask(number)) for number in range(CLIENTS)]
        await load.wait_for_more()
        before = await read_metrics(gateway.admin)
        await _kill(gateway, _pids(gateway)[0])
        alone = await read_metrics(gateway.admin)
        assert (await exchange(gateway.url, request("GET", "/-/ready"))).status == 200
        await load.wait_for_more()
        lost = load.lost
        await _wait_for_ready(gateway, COUNT + 1)
        await load.wait_for_more()
        load.is_over = True
        await asyncio.gather(*clients)
        after = await read_metrics(gateway.admin)
    assert load.statuses == {200}
    # nothing after those who were connected to it, or just connecting, have noticed
    assert load.lost == lost
    counted = after.sum("transcoder_requests_total")
    assert sum(load.answers) <= counted <= sum(load.answers) + load.lost
    counters = [key for key in before.samples if key[0].endswith(("_total", "_bucket", "_count", "_sum"))]
    for earlier, later in ((before, alone), (alone, after)):
        assert [key for key in counters if later.samples[key] < earlier.samples[key]] == []
    starts = [after.sum("transcoder_worker_starts_total", worker=worker) for worker in "01"]
    assert sorted(starts) == [1, 2]
    ready = [page.sum("transcoder_worker_ready") for page in (before, alone, after)]
    assert ready == [COUNT, COUNT - 1, COUNT]


async def test_none_is_ready_before_all_are(tmp_path: Path) -> None:
    """One worker has read the schema of its backend, the other waits for it."""
    release = asyncio.Event()
    honest = reflect(schema())
    peers: set[str] = set()

    async def reflection(call: Call) -> AsyncGenerator[Message, None]:
        peers.add(call.context.peer())
        if len(peers) > 1:
            await release.wait()
        async for response in cast(AsyncGenerator[Message, None], honest(call)):
            yield response

    async with RecordingBackend(schema(), {REFLECTION_V1: reflection}) as backend:
        config = {
            "server": {"workers": COUNT},
            "services": {"shop": {"address": backend.address, "expose": ["methods"]}},
        }
        async with running_gateway(config, tmp_path, is_awaited=False) as gateway:
            await _wait_for_ready(gateway, 1)
            asked = [await exchange(gateway.url, request("GET", "/-/ready")) for _ in range(20)]
            assert {answer.status for answer in asked} == {503}
            assert (await exchange(gateway.url, request("GET", "/-/health"))).status == 200
            release.set()
            await _wait_for_ready(gateway, COUNT)
            asked = [await exchange(gateway.url, request("GET", "/-/ready")) for _ in range(20)]
            assert {answer.status for answer in asked} == {200}


async def test_a_worker_is_replaced_while_the_configuration_is_bad(tmp_path: Path) -> None:
    """By one with the last good configuration, which is not the one the gateway was started with."""
    async with _workers(tmp_path) as (gateway, _):
        good = gateway.config_file.read_text().replace("/orders/", "/new/")
        gateway.config_file.write_text(good)
        assert (await gateway.admin.post("/reload")).status_code == 200
        gateway.config_file.write_text("services: [")
        for killed in range(1, COUNT + 1):
            await _kill(gateway, _pids(gateway)[0])
            assert (await exchange(gateway.url, request("GET", "/new/7"))).status == 200
            await _wait_for_ready(gateway, COUNT + killed)
        told = [line for line in gateway.lines if line["event"] == "the last good configuration is used"]
        assert len(told) == COUNT
        assert "config.yaml" in told[0]["problems"][0]
        assert {(await exchange(gateway.url, request("GET", "/new/7"))).status for _ in range(10)} == {200}
        # and they look at the files like the others
        gateway.config_file.write_text(good.replace("/new/", "/newer/"))
        await gateway.process.wait_for_line(lambda _: len(_events(gateway, "reload")) >= 2 * COUNT)
        assert {(await exchange(gateway.url, request("GET", "/newer/7"))).status for _ in range(10)} == {200}


def _events(gateway: RunningGateway, event: str) -> list[dict[str, Any]]:
    return [line for line in gateway.lines if line["event"] == event]


async def test_all_end_with_the_supervisor(tmp_path: Path) -> None:
    async with _workers(tmp_path) as (gateway, _):
        gateway.process.kill()
        # it returns when the workers, too, have closed their output
        assert await gateway.process.wait() == -signal.SIGKILL
        with pytest.raises(ConnectionRefusedError):
            await _ask(gateway)


async def test_all_end_with_sigterm(tmp_path: Path) -> None:
    async with _workers(tmp_path) as (gateway, _):
        gateway.process.terminate()
        assert await gateway.process.wait() == 0
        assert [line["event"] for line in gateway.lines].count("stopped") == COUNT


async def test_every_worker_refreshes(tmp_path: Path) -> None:
    async with _workers(tmp_path) as (gateway, backend):
        answer = await gateway.admin.post("/services/shop/refresh")
        assert [outcome["changed"] for outcome in answer.json()["workers"]] == [False] * COUNT
        backend.replies[REFLECTION_V1] = reflect(Schema.from_protos(f"{PROTO} message Another {{}}"))
        async with asking(gateway, "/orders/7") as answers:
            answer = await gateway.admin.post("/services/shop/refresh")
        assert [outcome["changed"] for outcome in answer.json()["workers"]] == [True] * COUNT
        assert len({outcome["worker"] for outcome in answer.json()["workers"]}) == COUNT
        assert {answer.status_code for answer in answers} == {200}
