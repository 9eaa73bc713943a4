"""Paths that nobody has routes for: they leave nothing behind, however many they are."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Final

from tests.e2e.shop import Site, route, schema
from tests.support.backend import RecordingBackend
from tests.support.gateway import running_gateway
from tests.support.raw import connect, request

BATCH: Final = 500
FIRST: Final = 10_000
ALL: Final = 100_000
ROOM: Final = 8
"""MiB that the memory of any process may grow by while it works."""

ANSWER: Final = b"HTTP/1.1 40"
HEADS: Final = ("", "orders/a/", "orders/", "-/", "%6d/", "me/")


def random_paths(count: int) -> list[str]:
    """No two are the same; most have no route."""
    random = Random(count)
    return [f"/{HEADS[n % len(HEADS)]}evil-{random.randbytes(12).hex()}-{n}" for n in range(count)]


async def ask_for(site: Site, paths: list[str]) -> None:
    """Send requests for all paths, some hundred at once, and read that many answers."""
    reader, writer = await connect(site.gateway.url)
    for start in range(0, len(paths), BATCH):
        batch = paths[start : start + BATCH]
        writer.write(b"".join(request("DELETE", path) for path in batch))
        received = b""
        async with asyncio.timeout(30):
            while received.count(ANSWER) < len(batch) or not received.endswith(b"}}"):
                received += await reader.read(1 << 20)
        assert received.count(b"HTTP/1.1 ") == len(batch)
    writer.close()


def resident(pid: int) -> float:
    """MiB of memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


async def page(site: Site) -> set[str]:
    """Every time series there is, without its value."""
    text = (await site.gateway.admin.get("/metrics")).text
    return {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}


async def test_a_hundred_thousand_paths_leave_nothing(tmp_path: Path) -> None:
    async with RecordingBackend(schema()) as backend:
        config = {
            "services": {"shop": {"address": backend.address}},
            "observability": {"access_log": False},
            "routes": [route("get-order", "GET", "/orders/{order_id}")],
        }
        async with running_gateway(config, tmp_path) as gateway:
            site = Site(gateway=gateway, backend=backend)
            paths = random_paths(ALL)
            await ask_for(site, paths[:FIRST])
            series, memory = await page(site), resident(gateway.process.pid)
            await ask_for(site, paths[FIRST:])
            assert await page(site) == series
            assert not [name for name in series if "evil" in name]
            assert resident(gateway.process.pid) < memory + ROOM
            assert len(gateway.process.stderr) < FIRST
