"""A listening port, from its start to the last answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from sanic import Sanic
from sanic.response import HTTPResponse, text

from tests.support.raw import connect, exchange, read_answer, request
from transcoder.server import protocol
from transcoder.server.listener import Listener


class Held:
    """An endpoint that answers when it may."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.go = asyncio.Event()

    async def answer(self, _request: Any) -> HTTPResponse:
        self.arrived.set()
        await self.go.wait()
        return text("done")


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "QUIET", 0.05)


@asynccontextmanager
async def listening(answer: Callable[[Any], Awaitable[HTTPResponse]]) -> AsyncIterator[tuple[Listener, str]]:
    app: Sanic[Any, Any] = Sanic("test-listener", configure_logging=False)
    app.config.update(ACCESS_LOG=False, MOTD=False, TOUCHUP=False)
    app.add_route(answer, "/", methods=["GET"])
    sock = socket.create_server(("127.0.0.1", 0))
    listener = await Listener.start(app, sock)
    try:
        yield listener, f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        if "test-listener" in Sanic._app_registry:
            await listener.stop(0, asyncio.Event())


@pytest_asyncio.fixture
async def held() -> Held:
    return Held()


async def test_request_in_flight_is_answered_before_the_end(held: Held) -> None:
    async with listening(held.answer) as (listener, url):
        waiting = asyncio.create_task(exchange(url, request("GET", "/")))
        await asyncio.wait_for(held.arrived.wait(), 5)
        stopping = asyncio.create_task(listener.stop(10, asyncio.Event()))
        done, _ = await asyncio.wait([stopping], timeout=0.2)
        assert not done
        held.go.set()
        assert (await waiting).body == b"done"
        assert await stopping
        with pytest.raises(ConnectionError):
            await connect(url)


@pytest.mark.parametrize("is_hurried", [True, False])
async def test_request_that_takes_too_long_is_cut(held: Held, is_hurried: bool) -> None:
    async with listening(held.answer) as (listener, url):
        waiting = asyncio.create_task(exchange(url, request("GET", "/")))
        await asyncio.wait_for(held.arrived.wait(), 5)
        hurry = asyncio.Event()
        stopping = asyncio.create_task(listener.stop(60 if is_hurried else 0.1, hurry))
        if is_hurried:
            hurry.set()
        assert not await asyncio.wait_for(stopping, 10)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await waiting


async def test_idle_connection_does_not_hold_up_the_end(held: Held) -> None:
    held.go.set()
    async with listening(held.answer) as (listener, url):
        reader, writer = await connect(url)
        writer.write(request("GET", "/"))
        assert (await read_answer(reader)).header("connection") == "keep-alive"
        assert await asyncio.wait_for(listener.stop(10, asyncio.Event()), 5)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_clients_are_told_to_go_elsewhere(held: Held) -> None:
    held.go.set()
    async with listening(held.answer) as (listener, url):
        assert (await exchange(url, request("GET", "/"))).header("connection") == "keep-alive"
        listener.stop_keeping_alive()
        assert (await exchange(url, request("GET", "/"))).header("connection") == "close"
