"""WebSockets on a connection of the public port."""

from __future__ import annotations

import asyncio
import base64

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.server.public_port import serving
from tests.support.raw import request
from transcoder.context import Reply, RequestContext
from transcoder.errors import TranscodeError

KEY = base64.b64encode(b"0123456789abcdef").decode()
HANDSHAKE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")


async def echo(ctx: RequestContext) -> Reply:
    """Sends back what it gets, texts as texts in upper case, until an empty message comes."""
    assert ctx.accept is not None
    try:
        socket = await ctx.accept()
    except TranscodeError as error:
        return Reply(status=error.kind.http, code=error.message)
    while message := await socket.receive():
        if not await socket.send(message.upper(), is_text=not message.startswith(b"\xff")):
            break
    await socket.close(1000, "é" * 100)
    return Reply(status=101, code="gone" if message is None else "OK")


async def test_messages_both_ways_and_goodbye() -> None:
    async with serving(echo) as port, connect(f"ws://127.0.0.1:{port.number}/a") as socket:
        await socket.send("text")
        assert await socket.recv() == "TEXT"
        await socket.send(b"\xffbytes")
        assert await socket.recv() == b"\xffBYTES"
        await socket.send("")
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1000, "é" * 61)


async def test_frames_right_behind_the_handshake_are_heard() -> None:
    frame = b"\x81\x82\x00\x00\x00\x00ab"
    async with serving(echo) as port, port.client() as client:
        client.send(request("GET", "/a", *HANDSHAKE, f"Sec-WebSocket-Key: {KEY}"), frame)
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert await client.reader.readexactly(4) == b"\x81\x02AB"


@pytest.mark.parametrize("key", [(), ("Sec-WebSocket-Key: short",)])
async def test_bad_handshake_is_an_http_answer(key: tuple[str, ...]) -> None:
    async with serving(echo) as port, port.client() as client:
        assert (await client.ask(request("GET", "/a", *HANDSHAKE, *key))).status == 400
        assert (await client.ask(request("GET", "/a", *HANDSHAKE, *key))).status == 400


async def test_message_that_is_too_large() -> None:
    async with serving(echo) as port, connect(f"ws://127.0.0.1:{port.number}/a") as socket:
        await socket.send("x" * (1024 * 1024 + 1))
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


async def test_client_that_goes_is_missed() -> None:
    outcomes: asyncio.Queue[str] = asyncio.Queue()

    async def reporting(ctx: RequestContext) -> Reply:
        try:
            reply = await echo(ctx)
        except asyncio.CancelledError:
            outcomes.put_nowait("gone")
            raise
        outcomes.put_nowait(reply.code)
        return reply

    async with serving(reporting) as port:
        async with connect(f"ws://127.0.0.1:{port.number}/a"):
            pass
        assert await asyncio.wait_for(outcomes.get(), 5) == "gone"
        async with connect(f"ws://127.0.0.1:{port.number}/a") as socket:
            await socket.send("a")
            await socket.recv()
            socket.transport.abort()
            assert await asyncio.wait_for(outcomes.get(), 5) == "gone"


async def test_drain_says_goodbye() -> None:
    async with serving(echo) as port, connect(f"ws://127.0.0.1:{port.number}/a") as socket:
        await socket.send("a")
        await socket.recv()
        stopping = asyncio.create_task(port.listener.stop(5, asyncio.Event()))
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        assert await stopping
