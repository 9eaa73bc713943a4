"""Big messages are coded in a thread, and other requests go on meanwhile."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from threading import current_thread
from typing import Any, cast

import pytest

from tests.plan.requests import request
from tests.support.events import Events
from tests.support.holds import assert_not_held
from tests.support.protos import Schema as Compiled
from transcoder.config.model import Config
from transcoder.context import Body, CallResult, Metadata, Reply, RequestContext
from transcoder.errors import INTERNAL_ERROR, INVALID_ARGUMENT, TranscodeError, gateway_shape
from transcoder.gateway import Gateway
from transcoder.plan.conversation import compile_conversation
from transcoder.plan.offload import BIG_MESSAGE
from transcoder.plan.reply import compile_refuse, compile_respond
from transcoder.plan.stream import StreamMethod, compile_stream
from transcoder.plan.unary import Exchange, compile_unary
from transcoder.server.worker import SWITCH_INTERVAL

SMALL, BIG = b"s" * BIG_MESSAGE, b"b" * (BIG_MESSAGE + 1)


class Coder:
    """Notes for each message whether the event loop's thread coded it."""

    def __init__(self) -> None:
        self.on_loop: list[tuple[str, bool]] = []
        self._loop = current_thread()

    def encode(self, body: bytes, content_type: str, values: Sequence[str], query: str) -> bytes:
        self._note("encode")
        if body.endswith(b"?"):
            raise TranscodeError(INVALID_ARGUMENT, "odd")
        return body

    def decode(self, wire: bytes) -> tuple[bytes, str]:
        self._note("decode")
        if wire.endswith(b"!"):
            raise TranscodeError(INTERNAL_ERROR, "", reason="no JSON")
        return wire, "text/plain"

    def _note(self, what: str) -> None:
        self.on_loop.append((what, current_thread() is self._loop))


class Echo:
    """A stream that answers every request with itself."""

    def __init__(self, only: bytes | None) -> None:
        self._wires: asyncio.Queue[bytes | None] = asyncio.Queue()
        if only is not None:
            self._wires.put_nowait(only)
            self._wires.put_nowait(None)

    async def send(self, wire: bytes) -> bool:
        await self._wires.put(wire)
        return True

    async def close_send(self) -> None:
        await self._wires.put(None)

    async def receive(self) -> bytes | None:
        return await self._wires.get()

    async def headers(self) -> Metadata:
        return ()

    trailers = headers

    def cancel(self) -> None:
        self._wires.put_nowait(None)


async def echo(wire: bytes, metadata: Metadata, timeout: float) -> CallResult:  # noqa: ASYNC109
    return CallResult(wire=wire)


def unary(coder: Coder) -> Exchange:
    return compile_unary(
        encode=coder.encode,
        has_body=True,
        call=echo,
        respond=compile_respond(coder.decode),
        refuse=compile_refuse(gateway_shape),
        thread=None,
    )


def streams(coder: Coder, *, client_streaming: bool, server_streaming: bool = True) -> StreamMethod:
    return StreamMethod(
        client_streaming=client_streaming,
        server_streaming=server_streaming,
        first=coder.encode,
        later=coder.encode,
        decode=coder.decode,
        has_body=True,
        is_raw_request=True,
        is_raw_response=False,
        max_size=len(BIG),
        open_stream=lambda metadata, timeout, only=None: Echo(only),
        respond=compile_respond(coder.decode),
        refuse=compile_refuse(gateway_shape),
        as_record=bytes,
    )


async def run(exchange: Exchange, ctx: RequestContext) -> Any:
    return await exchange(ctx, (), (), lambda: 5.0)


@pytest.mark.parametrize(("body", "on_loop"), [(SMALL, True), (BIG, False)], ids=["small", "big"])
async def test_unary_messages(body: bytes, on_loop: bool) -> None:
    coder = Coder()
    reply = await run(unary(coder), request("POST", "/", body))
    assert (reply.body, reply.content_type) == (body, "text/plain")
    assert coder.on_loop == [("encode", on_loop), ("decode", on_loop)]


async def test_errors_of_big_messages() -> None:
    with pytest.raises(TranscodeError, match="odd"):
        await run(unary(Coder()), request("POST", "/", BIG + b"?"))
    with pytest.raises(TranscodeError, match="no JSON"):
        await run(unary(Coder()), request("POST", "/", BIG + b"!"))


@pytest.mark.parametrize("client_streaming", [True, False])
async def test_messages_of_streams(client_streaming: bool) -> None:
    for body, on_loop in ((SMALL, True), (BIG, False)):
        coder = Coder()
        exchange = compile_stream(streams(coder, client_streaming=client_streaming))
        reply = await run(exchange, request("POST", "/", body))
        assert b"".join([frame async for frame in reply.frames]) == body + b"\n"
        await reply.close()
        assert coder.on_loop == [("encode", on_loop), ("decode", on_loop)]


async def test_the_one_response_to_a_stream() -> None:
    coder = Coder()
    method = streams(coder, client_streaming=True, server_streaming=False)
    reply = await run(compile_stream(method), request("POST", "/", BIG))
    assert reply.body == BIG
    assert coder.on_loop == [("encode", False), ("decode", False)]


async def test_later_messages_of_a_stream() -> None:
    class Chunks:
        async def read(self) -> bytes:
            raise AssertionError("a stream is not read as a whole")

        async def chunks(self) -> AsyncIterator[bytes]:
            yield SMALL
            yield BIG

    coder, ctx = Coder(), request("POST", "/")
    ctx.body = Chunks()
    reply = await run(compile_stream(streams(coder, client_streaming=True)), ctx)
    assert len([frame async for frame in reply.frames]) == 3
    await reply.close()
    assert sorted(coder.on_loop) == [("decode", False), ("decode", True), ("encode", False), ("encode", True)]


async def test_messages_of_a_websocket() -> None:
    class Socket:
        def __init__(self) -> None:
            self.sent: list[bytes] = []
            self._messages = [BIG, SMALL, b""]

        async def receive(self) -> bytes | None:
            return self._messages.pop(0)

        async def send(self, message: bytes, *, is_text: bool) -> bool:
            self.sent.append(message)
            return True

        async def close(self, code: int, reason: str) -> None:
            assert code == 1000

    socket, coder = Socket(), Coder()

    async def accept() -> Socket:
        return socket

    await run(compile_conversation(streams(coder, client_streaming=True)), request(accept=accept))
    assert socket.sent == [BIG, SMALL]
    assert sorted(coder.on_loop) == [("decode", False), ("decode", True), ("encode", False), ("encode", True)]


PROTO = """
    syntax = "proto3"; package shop;
    service Orders { rpc Put(Order) returns (Order); }
    import "google/protobuf/struct.proto";
    message Order {
      string id = 1; repeated Order orders = 2; map<string, Order> by_name = 3; repeated int32 counts = 4;
      google.protobuf.Struct more = 5; map<string, int32> totals = 6;
    }
"""


@pytest.fixture
async def gateway(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    """With one route, whose backend echoes."""
    file = tmp_path / "shop.binpb"
    file.write_bytes(Compiled.from_protos(PROTO).files.SerializeToString())
    monkeypatch.setattr("transcoder.backend.connection.Connection.unary", lambda *_, **__: echo)
    route = {"name": "put", "path": "/o", "method": "POST", "body": "*", "service": "shop"}
    route |= {"grpc_service": "Orders", "grpc_method": "Put"}
    services = {"shop": {"address": "localhost:1", "descriptor_set": str(file)}}
    one = Gateway(log=Events())
    await one.apply(Config.model_validate({"services": services, "routes": [route]}))
    yield one
    await one.close(0)


async def put(gateway: Gateway, body: bytes, *, is_good: bool = True) -> None:
    reply = await gateway.handle(request("POST", "/o", body))
    assert isinstance(reply, Reply)
    assert reply.status == (200 if is_good else 400)


@pytest.fixture
def _switching() -> Iterator[None]:
    """As workers have it."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    yield
    sys.setswitchinterval(interval)


def full_of(begin: bytes, part: Callable[[int], bytes], end: bytes) -> bytes:
    """A body of 4 MiB. part: one of many, which are divided by commas."""
    parts, size, most = [], len(begin) + len(end), 4 * 1024 * 1024
    while size + len(one := part(len(parts))) < most:
        parts.append(one)
        size += len(one) + 1
    return begin + b",".join(parts) + end


BODIES = {
    "usual": lambda: full_of(b'{"orders":[', lambda n: b'{"id":"%040d"}' % n, b"]}"),
    "empty messages": lambda: full_of(b'{"orders":[', lambda _: b"{}", b"]}"),
    "nested messages": lambda: full_of(b'{"orders":[', lambda _: b'{"orders":[' * 40 + b"]}" * 40, b"]}"),
    "entries of a map": lambda: full_of(b'{"byName":{', lambda n: b'"%x":{}' % n, b"}}"),
    "numbers of a map": lambda: full_of(b'{"totals":{', lambda n: b'"%x":1' % n, b"}}"),
    "numbers": lambda: full_of(b'{"counts":[', lambda n: b"%d" % (n % 10), b"]}"),
    "lists of a struct": lambda: full_of(b'{"more":{"a":[', lambda _: b"[]", b"]}}"),
    "one string": lambda: b'{"id":"%b"}' % (b"x" * (4 * 1024 * 1024 - 10)),
    "bad at the end": lambda: full_of(b'{"orders":[', lambda _: b"{}", b",0]}"),
}


@pytest.mark.usefixtures("_switching")
@pytest.mark.parametrize("what", BODIES)
async def test_maximal_bodies_hold_nobody_up(gateway: Gateway, what: str) -> None:
    """Read or built in single calls, these hold the loop for 100 to 1000 ms at a time."""
    body = BODIES[what]()
    assert 0 <= 4 * 1024 * 1024 - len(body) < 1000
    await put(gateway, b"{}")
    await assert_not_held(lambda: put(gateway, body, is_good=what != "bad at the end"))


class AtOnce:
    """A body that is there at once: an array, and in it a document of 1 MiB without an end."""

    async def chunks(self) -> AsyncIterator[bytes]:
        yield b"["
        for _ in range(16):
            yield b"[[]," * (16 * 1024)


async def test_a_stream_that_is_there_at_once_holds_nobody_up() -> None:
    """Where its documents begin and end is looked for on the event loop, a little at a time."""
    ctx = request("POST", "/")
    ctx.body = cast("Body", AtOnce())
    method = replace(streams(Coder(), client_streaming=True), is_raw_request=False, max_size=1 << 21)

    async def read() -> None:
        reply = await run(compile_stream(method), ctx)
        assert [frame async for frame in reply.frames]
        await reply.close()

    await assert_not_held(read, at_least=0.1)
