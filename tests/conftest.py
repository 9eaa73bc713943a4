"""Fixtures and settings that every test shares."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator

import hypothesis
import pytest_asyncio

from tests.support.node import NodeBackend, running_node
from tests.support.redis import RedisServer, running_redis

# How fast an example runs says more about the machine than about the code.
hypothesis.settings.register_profile("transcoder", deadline=None)
hypothesis.settings.load_profile("transcoder")

# A shell starts what runs in its background with Ctrl-C ignored, and programs under test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def node_backend() -> AsyncIterator[NodeBackend]:
    """The Node.js backend, started once for all tests; one that kills or freezes it starts its own."""
    async with running_node() as backend:
        yield backend


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def redis_server() -> AsyncIterator[RedisServer]:
    """A Redis server, started once for all tests; one that kills or freezes it starts its own."""
    async with running_redis() as server:
        yield server
