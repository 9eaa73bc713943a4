"""Several worker processes behind one port."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.asking import asking
from tests.e2e.shop import PROTO, route, schema
from tests.support.backend import REFLECTION_V1, RecordingBackend, reflect
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.protos import Schema
from tests.support.raw import exchange, request

COUNT: Final = 2


@asynccontextmanager
async def _workers(directory: Path) -> AsyncIterator[tuple[RunningGateway, RecordingBackend]]:
    async with RecordingBackend(schema()) as backend:
        config = {
            "server": {"workers": COUNT},
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
