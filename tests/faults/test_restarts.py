"""Backends that are restarted, or end their connections, one after the other and under load."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.asking import asking
from tests.faults.replica_server import running_replica
from tests.faults.replicas import gateway_to, replica, until
from tests.support.http2 import leaving_server
from tests.support.orders import PROTO
from tests.support.ports import free_port
from tests.support.protos import Schema

CLIENTS: Final = 16


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_rolling_restart_of_two_backends(tmp_path: Path, number: signal.Signals) -> None:
    """No idempotent request fails, and others fail only as they must."""
    ports = {name: free_port() for name in "ab"}
    address = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports.values())
    async with AsyncExitStack() as stack:
        replicas = {
            name: await stack.enter_async_context(running_replica(name, port)) for name, port in ports.items()
        }
        gateway = await stack.enter_async_context(gateway_to(address, tmp_path, load_balancing="round_robin"))
        await until(gateway, {"a", "b"})
        async with (
            asking(gateway, "/orders/1", clients=CLIENTS) as answers,
            asking(gateway, "/orders/1", http_method="POST") as posts,
        ):
            for name, other in ("ab", "ba"):
                replicas[name].send_signal(number)
                await replicas[name].wait()
                await until(gateway, {other})
                replicas[name] = await stack.enter_async_context(running_replica(name, ports[name]))
                await until(gateway, {"a", "b"})
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.status_code for answer in posts} <= {200, 503}


async def test_connections_that_are_ended_all_the_time(tmp_path: Path) -> None:
    """Calls the backend has not taken are made again on the next connection, whatever they may do: once."""
    schema = Schema.from_protos(PROTO)
    (tmp_path / "shop.binpb").write_bytes(schema.files.SerializeToString())
    order = schema.message("shop.v1.Order", id="a")
    async with (
        leaving_server(calls=CLIENTS, wire=order.SerializeToString()) as address,
        gateway_to(address, tmp_path, descriptor_set="shop.binpb") as gateway,
        asking(gateway, "/orders/1", clients=CLIENTS // 2) as answers,
        asking(gateway, "/orders/1", http_method="POST", clients=CLIENTS // 2) as posts,
    ):
        while len(answers) + len(posts) < 500:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert {(answer.status_code, answer.text) for answer in [*answers, *posts]} == {(200, '{"id":"a"}')}


async def test_connections_of_a_certain_age(tmp_path: Path) -> None:
    """So servers spread their clients over replicas; grpc's own says GOAWAY twice, with a ping between."""
    age = [("grpc.max_connection_age_ms", 100), ("grpc.max_connection_age_grace_ms", 5_000)]
    async with (
        replica("a", 0.005, options=age) as backend,
        gateway_to(backend.address, tmp_path) as gateway,
        asking(gateway, "/orders/1", clients=CLIENTS) as answers,
        asking(gateway, "/orders/1", http_method="POST") as posts,
    ):
        while len(backend.peers) < 10:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert {answer.status_code for answer in [*answers, *posts]} == {200}
