"""`python -m transcoder.demo`, run as a user runs it."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from transcoder.demo.serving import Backend

FREE_PORTS = "--ports=0,0,0,0,0"


@asynccontextmanager
async def demo(*arguments: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "transcoder.demo", *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        async with asyncio.timeout(60):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def lines_until_ready(process: Process) -> list[str]:
    assert process.stdout is not None
    lines = []
    async for line in process.stdout:
        if line == b"ready\n":
            return lines
        lines.append(line.decode().rstrip("\n"))
    raise AssertionError(f"not ready: {lines}")


async def outcome(process: Process) -> tuple[int | None, str]:
    """The exit code and what stderr says, once the program ends by itself; its input stays open."""
    assert process.stderr is not None
    errors = await process.stderr.read()
    return await process.wait(), errors.decode()


async def test_each_backend_has_a_line_then_all_are_ready() -> None:
    async with demo(FREE_PORTS) as process:
        lines = await lines_until_ready(process)
        assert [line.split()[0] for line in lines] == [
            "user-service",
            "order-service",
            "position-service",
            "market-data-service",
            "wallet-service",
        ]
        for line in lines:
            async with grpc.aio.insecure_channel(line.split()[1]) as channel:
                await asyncio.wait_for(channel.channel_ready(), 10)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_it_cleanly(number: signal.Signals) -> None:
    async with demo(FREE_PORTS, "--until-eof") as process:
        await lines_until_ready(process)
        process.send_signal(number)
        assert await outcome(process) == (0, "")


async def test_it_stops_when_its_input_ends() -> None:
    async with demo(FREE_PORTS, "--until-eof") as process:
        await lines_until_ready(process)
        assert process.stdin is not None
        process.stdin.write(b"anything\n")
        process.stdin.close()
        assert await outcome(process) == (0, "")


async def test_without_until_eof_it_outlives_its_input() -> None:
    async with demo(FREE_PORTS) as process:
        assert process.stdin is not None
        process.stdin.close()
        order_service = (await lines_until_ready(process))[1]
        async with grpc.aio.insecure_channel(order_service.split()[1]) as channel:
            await asyncio.wait_for(channel.channel_ready(), 10)
        assert process.returncode is None


async def test_a_taken_port_is_one_line_and_exit_code_1(backends: list[Backend]) -> None:
    taken = backends[4].address
    async with demo(f"--ports=0,0,0,0,{taken.rpartition(':')[2]}") as process:
        code, errors = await outcome(process)
    assert code == 1
    assert errors.startswith(f"error: cannot listen on {taken} for wallet-service: ")
    assert errors.count("\n") == 1


@pytest.mark.parametrize("ports", ["1,2", "1,2,3,4,x", "1,2,3,4,65536", "1,2,3,4,-5", ""])
async def test_ports_that_are_not_five_numbers_are_refused(ports: str) -> None:
    async with demo(f"--ports={ports}") as process:
        code, errors = await outcome(process)
    assert code == 2
    assert errors.endswith("is not 5 port numbers separated by commas\n")
