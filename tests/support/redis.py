"""A Redis server of the tests' own, which keeps nothing."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support.ports import free_port
from tests.support.process import Process, running


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisServer:
    """A server on 127.0.0.1."""

    port: int
    process: Process

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"


@asynccontextmanager
async def running_redis(port: int | None = None, *arguments: str) -> AsyncIterator[RedisServer]:
    """Starts one; None takes a free port. Raises AssertionError when redis-server is missing."""
    program = shutil.which("redis-server")
    assert program, "the tests need redis-server: run ./scripts/test"
    port = port or free_port()
    settings = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", "/")
    async with running(program, *settings, *arguments) as process:
        await process.wait_for_line("Ready to accept connections")
        yield RedisServer(port=port, process=process)
