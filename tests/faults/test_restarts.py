"""Backends that are restarted, or end their connections, one after the other and under load."""

from __future__ import annotations

import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.asking import asking
from tests.faults.replica_server import running_replica
from tests.faults.replicas import gateway_to, until
from tests.support.ports import free_port

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
            for name, other in ["ab", "ba"] * 2:
                replicas[name].send_signal(number)
                await replicas[name].wait()
                await until(gateway, {other})
                replicas[name] = await stack.enter_async_context(running_replica(name, ports[name]))
                await until(gateway, {"a", "b"})
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.status_code for answer in posts} <= {200, 503}
