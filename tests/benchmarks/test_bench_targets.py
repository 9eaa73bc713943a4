"""All targets serve one and the same: what is compared is how, not what."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import orjson
import pytest

from benchmarks.cells import WORKLOADS, Workload
from benchmarks.direct import request_wire
from benchmarks.processes import running, wait_until_serving
from benchmarks.shop.build import PROTO
from benchmarks.targets import gateway_config
from benchmarks.tokens import bearer
from tests.support.backend import RecordingBackend
from tests.support.gateway import running_gateway
from tests.support.ports import free_port
from tests.support.protos import Schema

SHOP = "bench.shop.v1"
ITEM = {"sku": "SKU-1", "quantity": 2, "price": 19.5, "status": 2}
ORDER = {"id": "order-1", "customer": "c", "status": 1, "total_cents": 18550, "paid": True, "items": [ITEM]}


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema.from_protos({"shop.proto": PROTO.read_text()})


def backend_of(schema: Schema) -> RecordingBackend:
    order = schema.message(f"{SHOP}.Order", **ORDER)
    ticks = [schema.message(f"{SHOP}.Tick", sequence=n, symbol="A", price=n / 4) for n in range(1, 4)]
    replies = {
        "GetOrder": order,
        "CreateOrder": order,
        "ListItems": schema.message(f"{SHOP}.ItemList", items=[ITEM] * 3),
        "Watch": ticks,
    }
    return RecordingBackend(schema, {f"{SHOP}.Shop/{name}": reply for name, reply in replies.items()})


@asynccontextmanager
async def running_naive(backend: str, descriptors: Path, log: Path) -> AsyncIterator[httpx.AsyncClient]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.naive", str(port), backend, str(descriptors), "auth"]
    with running(command, log):
        await asyncio.to_thread(wait_until_serving, port, "/v1/orders/probe", bearer(), log)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            yield client


async def ask(client: httpx.AsyncClient, workload: Workload, headers: Mapping[str, str]) -> httpx.Response:
    return await client.request(
        workload.http_method,
        workload.target,
        content=workload.body,
        headers={"Content-Type": "application/json", **headers},
    )


async def test_all_workloads_mean_the_same_to_all_targets(schema: Schema, tmp_path: Path) -> None:
    descriptors = tmp_path / "shop.binpb"
    descriptors.write_bytes(schema.files.SerializeToString())
    async with backend_of(schema) as backend:
        config = gateway_config(free_port(), backend.address, has_auth=True)
        async with (
            running_naive(backend.address, descriptors, tmp_path / "naive.log") as naive,
            running_gateway(config, tmp_path) as gateway,
        ):
            for workload in WORKLOADS:
                await hold_against_each_other(workload, backend, gateway.client, naive)


async def hold_against_each_other(
    workload: Workload, backend: RecordingBackend, *clients: httpx.AsyncClient
) -> None:
    """Both ask the backend for the same, which is what the direct client asks for, and answer the same."""
    backend.calls.clear()
    documents = []
    for client in clients:
        assert (await ask(client, workload, {})).status_code == 401
        answer = await ask(client, workload, bearer())
        assert answer.status_code == 200, answer.text
        documents.append([orjson.loads(line) for line in answer.text.splitlines()])
    assert documents[0] == documents[1] != []
    wire = request_wire(backend.schema.files.SerializeToString(), workload)
    assert [call.wire for call in backend.calls] == [[wire], [wire]]
