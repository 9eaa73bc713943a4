"""Several addresses behind one name: shared, left out when they fail, followed when they change."""

from __future__ import annotations

import asyncio
import collections
import signal
from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio

from tests.e2e.asking import asking
from tests.faults.replica_server import running_replica
from tests.faults.replicas import gateway_to, replica, until, who
from tests.support.backend import failure
from tests.support.dns import name_server
from tests.support.gateway import running_gateway
from tests.support.orders import GET, ROUTE
from tests.support.ports import free_port

SERVING: Final = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING


async def test_calls_are_shared_and_a_dead_address_costs_none(tmp_path: Path) -> None:
    async with replica("a") as one, replica("b") as two:
        address = f"ipv4:{one.address},{two.address}"
        async with gateway_to(address, tmp_path, load_balancing="round_robin") as gateway:
            await until(gateway, {"a", "b"})
            shares = collections.Counter([await who(gateway) for _ in range(100)])
            assert min(shares.values()) >= 30
            await two.stop()
            assert {await who(gateway) for _ in range(50)} == {"a"}, "not one request is lost"
            await two.start()
            await until(gateway, {"a", "b"})


async def test_an_address_that_only_fails_is_left_out(tmp_path: Path) -> None:
    async with replica("a") as good, replica("b") as bad:
        bad.replies[GET] = failure(grpc.StatusCode.INTERNAL, "broken")
        address = f"ipv4:{good.address},{bad.address}"
        async with gateway_to(address, tmp_path, load_balancing="round_robin") as gateway:
            await until(gateway, {"a", "500"})
            await until(gateway, {"a"}, within=20, sample=20)


async def test_an_address_that_freezes_is_left_out(tmp_path: Path) -> None:
    ports = {name: free_port() for name in "ab"}
    address = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports.values())
    async with (
        running_replica("a", ports["a"]),
        running_replica("b", ports["b"]) as frozen,
        gateway_to(address, tmp_path, load_balancing="round_robin", timeout="1500ms") as gateway,
    ):
        await until(gateway, {"a", "b"})
        async with asking(gateway, "/orders/1", clients=8) as answers:
            frozen.send_signal(signal.SIGSTOP)
            await until(gateway, {"a"}, within=40)
            frozen.send_signal(signal.SIGCONT)
        assert {answer.status_code for answer in answers} == {200, 504}
        assert [line for line in gateway.lines if line["event"] == "circuit breaker"] == []


async def test_an_address_that_is_not_healthy_gets_no_calls(tmp_path: Path) -> None:
    good, changing = health_aio.HealthServicer(), health_aio.HealthServicer()
    for health in (good, changing):
        await health.set("", SERVING)
    async with replica("a", health=good) as one, replica("b", health=changing) as two:
        address = f"ipv4:{one.address},{two.address}"
        async with gateway_to(address, tmp_path, health_check=True) as gateway:
            await until(gateway, {"a", "b"})
            await changing.set("", NOT_SERVING)
            await until(gateway, {"a"})
            await changing.set("", SERVING)
            await until(gateway, {"a", "b"})


async def test_a_name_that_appears_is_seen_within_seconds(tmp_path: Path) -> None:
    async with replica("a") as backend, name_server() as (names, dns_port):
        address = f"dns://127.0.0.1:{dns_port}/orders.test:{backend.port}"
        async with gateway_to(address, tmp_path, circuit_breaker={"failures": 0}) as gateway:
            assert await who(gateway) == "503"
            names.addresses = ["127.0.0.1"]
            await until(gateway, {"a"}, within=5, sample=1)


async def test_a_unix_socket(tmp_path: Path) -> None:
    backend = replica("a", socket=tmp_path / "b.sock")
    async with backend, gateway_to(backend.address, tmp_path) as gateway:
        assert await who(gateway) == "a"


async def test_xds_without_its_bootstrap_costs_only_its_service(tmp_path: Path) -> None:
    async with replica("a") as good:
        config = {
            "services": {"shop": {"address": "xds:///orders"}, "good": {"address": good.address}},
            "routes": [ROUTE, {**ROUTE, "name": "good", "path": "/good/{id}", "service": "good"}],
        }
        async with running_gateway(config, tmp_path) as gateway:
            async with asyncio.timeout(10):
                answer = await gateway.client.get("/orders/1", headers={"x-request-timeout": "2"})
            assert answer.status_code in (503, 504)
            assert (await gateway.client.get("/good/1")).json() == {"id": "a"}
