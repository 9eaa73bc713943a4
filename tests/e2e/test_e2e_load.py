"""Many clients at once, and what a worker that has nothing to do costs."""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path
from typing import Final

from tests.e2e.shop import GET_ORDER, route, schema
from tests.support.backend import Answer, Call, RecordingBackend
from tests.support.gateway import running_gateway
from tests.support.raw import exchange, request

CLIENTS: Final = 1000
IDLE_MEMORY: Final = 110
"""MB of memory that a worker with nothing to do may have resident."""


def _allow_files(count: int) -> None:
    """Let this process and those it starts open so many files, if the system lets them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def _resident(pid: int) -> float:
    """MB of memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


async def test_1000_clients_at_once_get_their_own_answers(tmp_path: Path) -> None:
    _allow_files(4 * CLIENTS)
    all_are_here = asyncio.Event()

    async def echo(call: Call) -> Answer:
        if len(backend.calls) == CLIENTS:
            all_are_here.set()
        await all_are_here.wait()
        (asked,) = [message async for message in call.requests()]
        return Answer(messages=[schema().message("shop.v1.Order", id=asked.order_id)])

    async with RecordingBackend(schema(), {GET_ORDER: echo}) as backend:
        config = {
            "services": {"shop": {"address": backend.address, "expose": ["methods"]}},
            "routes": [route("get-order", "GET", "/orders/{order_id}")],
        }
        async with running_gateway(config, tmp_path) as gateway:
            assert _resident(gateway.process.pid) < IDLE_MEMORY
            asks = (exchange(gateway.url, request("GET", f"/orders/{n}")) for n in range(CLIENTS))
            answers = await asyncio.gather(*asks)
    assert [(answer.status, answer.json()) for answer in answers] == [
        (200, {"id": str(number)}) for number in range(CLIENTS)
    ]
