"""A backend at several addresses, each of which says who it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.backend import Call, RecordingBackend
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.metrics import read_metrics
from tests.support.orders import GET, PROTO, ROUTE
from tests.support.protos import Schema


def replica(name: str, seconds: float = 0, **options: Any) -> RecordingBackend:
    """One that answers its name, after so many seconds."""
    schema = Schema.from_protos(PROTO)

    async def get(call: Call) -> Any:
        async for _ in call.requests():
            pass
        await asyncio.sleep(seconds)
        return schema.message("shop.v1.Order", id=name)

    return RecordingBackend(schema, {GET: get}, **options)


@asynccontextmanager
async def gateway_to(address: str, folder: Path, **service: Any) -> AsyncIterator[RunningGateway]:
    shop = {"address": address, **service}
    watch = {**ROUTE, "name": "watch", "path": "/watch/{id}", "grpc_method": "Watch"}
    tell = {**watch, "name": "tell", "path": "/watch", "method": "POST"}
    talk = {**ROUTE, "name": "talk", "path": "/talk", "method": "POST", "grpc_method": "Talk"}
    routes = [ROUTE, {**ROUTE, "name": "post", "method": "POST"}, watch, tell, talk]
    async with running_gateway({"services": {"shop": shop}, "routes": routes}, folder) as gateway:
        yield gateway


async def memory(gateway: RunningGateway) -> float:
    """MB that it holds."""
    return (await read_metrics(gateway.admin)).sum("transcoder_process_resident_memory_bytes") / 1e6


async def who(gateway: RunningGateway) -> str:
    answer = await gateway.client.get("/orders/1")
    return str(answer.json().get("id", answer.status_code))


async def until(gateway: RunningGateway, wanted: set[str], within: float = 15.0, sample: int = 12) -> None:
    """Ask until the answers come from just those that are wanted; raises TimeoutError."""
    async with asyncio.timeout(within):
        while {await who(gateway) for _ in range(sample)} != wanted:
            pass
