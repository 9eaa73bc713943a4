"""Connections of the public port: one request after another, each with its own time."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.server.public_port import Client, echo, serving
from tests.support.certs import Authority
from tests.support.raw import request
from transcoder.context import Reply, RequestContext, StreamReply
from transcoder.errors import NOT_FOUND, TranscodeError
from transcoder.server.connection import MAX_BUFFERED, Patience
from transcoder.server.exchange import with_keep_alive

SHORT = 0.2
NEVER = 60.0
GET = request("GET", "/a")
MEGABYTE = 1024 * 1024


async def post(client: Client, body: bytes, *headers: str) -> Any:
    return await client.ask(request("POST", "/a", *headers, body=body))


async def test_requests_follow_each_other_on_one_connection() -> None:
    async with serving() as port, port.client() as client:
        assert (await client.ask(GET)).body == b"GET /a "
        assert (await post(client, b"xyz")).body == b"POST /a xyz"
        answer = await client.ask(request("PUT", "/b"))
        assert (answer.body, answer.header("connection")) == (b"PUT /b ", "keep-alive")


async def test_request_byte_by_byte() -> None:
    async with serving() as port, port.client() as client:
        for byte in b"\r\n" + request("POST", "/a", body=b"xyz"):
            client.send(bytes([byte]))
            await client.writer.drain()
            await asyncio.sleep(0)
        assert (await client.answer()).body == b"POST /a xyz"


async def test_pipelined_requests_are_answered_in_their_order() -> None:
    async def slow_at_first(ctx: RequestContext) -> Reply:
        await asyncio.sleep(0.05 if ctx.path == "/0" else 0)
        return await echo(ctx)

    async with serving(slow_at_first) as port, port.client() as client:
        client.send(*(request("POST", f"/{n}", body=b"x" * n) for n in range(50)))
        for n in range(50):
            assert (await client.answer()).body == f"POST /{n} ".encode() + b"x" * n


async def send_much(client: Client) -> None:
    for _ in range(64 * MEGABYTE // len(GET * 1000)):
        client.send(GET * 1000)
        await client.writer.drain()


async def send_on(client: Client) -> None:
    while True:
        client.send(GET)
        await client.writer.drain()
        await asyncio.sleep(SHORT / 10)


async def test_a_flood_of_pipelined_requests_waits_outside() -> None:
    """What is not answered yet is not read either."""
    go = asyncio.Event()

    async def held(ctx: RequestContext) -> Reply:
        await go.wait()
        return await echo(ctx)

    async with serving(held) as port, port.client() as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(send_much(client), 10 * SHORT)
        go.set()
        for _ in range(1000):
            assert (await client.answer()).status == 200


async def test_body_nobody_reads_is_no_request() -> None:
    async def ignorant(_: RequestContext) -> Reply:
        return Reply(status=404)

    async with serving(ignorant) as port, port.client() as client:
        client.send(request("POST", "/a", "Content-Length: 40"))
        answer = await client.answer()
        assert (answer.status, answer.header("connection")) == (404, "keep-alive")
        client.send(GET.ljust(40), GET)
        assert (await client.answer()).status == 404
        client.send(request("POST", "/a", "Transfer-Encoding: chunked"), b"2\r\nab\r\n0\r\n\r\n", GET)
        assert [(await client.answer()).status for _ in range(2)] == [404, 404]


async def test_body_nobody_reads_that_never_ends_costs_the_connection() -> None:
    async def ignorant(_: RequestContext) -> Reply:
        return Reply(status=404)

    patience = Patience(body=SHORT, linger=SHORT)
    async with serving(ignorant, patience=patience) as port, port.client() as client:
        client.send(request("POST", "/a", "Content-Length: 40"), b"x")
        assert (await client.answer()).status == 404
        assert await client.rest() == b""


async def test_client_that_waits_is_told_to_send_its_body() -> None:
    async with serving() as port, port.client() as client:
        client.send(request("POST", "/a", "Expect: 100-continue", "Content-Length: 3"))
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"xyz", GET)
        assert (await client.answer()).body == b"POST /a xyz"
        assert (await client.answer()).body == b"GET /a "


async def test_client_that_does_not_wait_is_not_told() -> None:
    async with serving() as port, port.client() as client:
        answer = await client.ask(request("POST", "/a", "Expect: 100-Continue", "Content-Length: 3"), b"xyz")
        assert (answer.status, answer.header("connection")) == (200, "keep-alive")


async def test_client_that_waits_for_a_refusal_is_not_asked_for_its_body() -> None:
    async def refusing(_: RequestContext) -> Reply:
        return Reply(status=401)

    async with serving(refusing) as port, port.client() as client:
        client.send(request("POST", "/a", "Expect: 100-continue", "Content-Length: 3"))
        answer = await client.answer()
        assert (answer.status, answer.header("connection")) == (401, "close")
        client.send(GET)
        assert await client.rest() == b""


async def test_head_has_no_body() -> None:
    async with serving() as port, port.client() as client:
        client.send(request("HEAD", "/a"))
        assert (await client.answer(has_body=False)).header("content-length") == "8"
        assert (await client.ask(GET)).body == b"GET /a "


@pytest.mark.parametrize(
    ("version", "option", "is_kept"),
    [
        ("1.1", "close", False),
        ("1.1", "Keep-Alive, CLOSE", False),
        ("1.1", "keep-alive", True),
        ("1.1", "x-y", True),
        ("1.0", "x-y", False),
        ("1.0", "Keep-Alive", True),
    ],
)
async def test_connection_is_kept_or_not(version: str, option: str, is_kept: bool) -> None:
    async with serving() as port, port.client() as client:
        client.send(f"GET / HTTP/{version}\r\nHost: a\r\nConnection: {option}\r\n\r\n".encode())
        assert (await client.answer()).header("connection") == ("keep-alive" if is_kept else "close")
        if is_kept:
            assert (await client.ask(GET)).status == 200
        else:
            assert await client.rest() == b""


def streaming(
    frames: Callable[[], AsyncGenerator[bytes, None]], closed: list[bool], keep_alive: bytes = b""
) -> Callable[[RequestContext], Awaitable[StreamReply]]:
    """closed: gets whether the stream was complete when it was closed."""

    async def handler(_: RequestContext) -> StreamReply:
        async def close() -> None:
            closed.append(reply.is_complete)

        reply = StreamReply(
            content_type="text/plain", headers=(), frames=frames(), close=close, keep_alive=keep_alive
        )
        return reply

    return handler


async def two_frames() -> AsyncGenerator[bytes, None]:
    yield b"1"
    yield b""
    yield b"23"


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_stream(version: str, method: str) -> None:
    closed: list[bool] = []
    async with serving(streaming(two_frames, closed)) as port, port.client() as client:
        client.send(f"{method} / HTTP/{version}\r\nHost: a\r\nConnection: keep-alive\r\n\r\n".encode())
        head = await client.answer(has_body=False)
        is_kept = version == "1.1"
        assert head.header("connection") == ("keep-alive" if is_kept else "close")
        if is_kept:
            client.send(request("HEAD", "/", "Connection: close"))
        body, _, _ = (await client.rest()).partition(b"HTTP/1.1")
        expected = b"1\r\n1\r\n2\r\n23\r\n0\r\n\r\n" if is_kept else b"123"
        assert body == (expected if method == "GET" else b"")
    assert set(closed) == {True}


async def test_stream_that_breaks_is_cut() -> None:
    """Without its end no client takes it for complete."""

    async def broken() -> AsyncGenerator[bytes, None]:
        yield b"1"
        await asyncio.sleep(0.05)
        raise TranscodeError(NOT_FOUND, "no way to say it")

    closed: list[bool] = []
    async with serving(streaming(broken, closed)) as port, port.client() as client:
        client.send(GET)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await client.reader.readuntil(b"0\r\n\r\n")
    assert closed == [False]


async def test_stream_waits_for_its_reader_and_is_cut_when_nobody_reads() -> None:
    made = 0
    closed: list[bool] = []

    async def endless() -> AsyncGenerator[bytes, None]:
        nonlocal made
        while True:
            made += 1
            yield b"x" * MEGABYTE

    patience = Patience(send=SHORT)
    async with serving(streaming(endless, closed), patience=patience) as port, port.client() as client:
        client.send(GET)
        async with asyncio.timeout(10):
            while not closed:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
    assert made < 20


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transcoder.server.exchange.KEEP_ALIVE_SECONDS", 0.001)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("version", "blank"), [("1.0", b"~"), ("1.1", b"1\r\n~\r\n")])
async def test_silent_stream_is_kept_alive(version: str, blank: bytes) -> None:
    speaks = asyncio.Event()

    async def frames() -> AsyncGenerator[bytes, None]:
        await speaks.wait()
        yield b"1"

    closed: list[bool] = []
    async with serving(streaming(frames, closed, b"~")) as port, port.client() as client:
        client.send(f"GET / HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        await client.answer(has_body=False)
        assert await client.reader.readexactly(len(blank) * 3) == blank * 3
        speaks.set()
        end = b"1" if version == "1.0" else b"1\r\n1\r\n0\r\n\r\n"
        assert (await client.rest()).removeprefix(blank).replace(blank, b"") == end
    assert closed == [True]


@pytest.mark.usefixtures("impatient")
async def test_frame_that_is_being_sent_is_not_broken_by_a_sign_of_life() -> None:
    blanks: list[bytes] = []
    client: Any = SimpleNamespace(loop=asyncio.get_running_loop(), write_if_room=blanks.append)
    frames = with_keep_alive(client, two_frames(), b"~")
    async with aclosing(frames):
        assert await anext(frames) == b"1"
        await asyncio.sleep(0.02)  # the client takes its time
        assert blanks == []


@pytest.mark.usefixtures("impatient")
async def test_client_that_does_not_even_read_signs_of_life_is_cut() -> None:
    closed: list[bool] = []

    async def silent() -> AsyncGenerator[bytes, None]:
        await asyncio.Event().wait()
        yield b""

    patience = Patience(send=SHORT)
    blank = b"~" * MAX_BUFFERED
    async with serving(streaming(silent, closed, blank), patience=patience) as port, port.client() as client:
        client.send(GET)
        async with asyncio.timeout(10):
            while not closed:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
    assert closed == [False]


async def large(_: RequestContext) -> Reply:
    return Reply(body=b"x" * (16 * MEGABYTE))


async def test_slow_reader_of_a_large_answer_gets_all_of_it() -> None:
    async with serving(large, patience=Patience(send=4 * SHORT)) as port, port.client() as client:
        client.send(GET)
        await client.reader.readuntil(b"\r\n\r\n")
        size = 0
        async with asyncio.timeout(20):
            while size < 16 * MEGABYTE:  # it takes about twice as long as may pass without progress
                part = await client.reader.read(64 * 1024)
                assert part
                size += len(part)
                await asyncio.sleep(SHORT / 40)


async def test_reader_that_stops_is_cut() -> None:
    async with serving(large, patience=Patience(send=SHORT)) as port:
        with socket.create_connection(("127.0.0.1", port.number)) as idle:
            idle.sendall(GET * 2)
            async with port.client() as other:
                other.send(request("HEAD", "/"))
                assert (await other.answer(has_body=False)).status == 200
            await asyncio.sleep(3 * SHORT)
            idle.settimeout(5)
            received = 0
            with suppress(ConnectionResetError):
                while part := idle.recv(MEGABYTE):
                    received += len(part)
            assert received < 16 * MEGABYTE


async def test_answer_reaches_a_client_that_still_sends() -> None:
    """Its body is too large; it hears so, rather than of a reset."""
    async with serving(refuse_large, limit=1000) as port, port.client() as client:
        client.send(request("POST", "/a", f"Content-Length: {8 * MEGABYTE}"), b"x" * (8 * MEGABYTE), GET)
        answer = await client.answer()
        assert (answer.status, answer.header("connection")) == (413, "close")
        await client.writer.drain()
        assert await client.rest() == b""


async def refuse_large(ctx: RequestContext) -> Reply:
    try:
        return await echo(ctx)
    except TranscodeError as error:
        return Reply(status=error.kind.http)


async def test_client_that_goes_away_cancels_its_request() -> None:
    outcomes: list[str] = []
    arrived = asyncio.Event()
    done = asyncio.Event()

    async def held(_: RequestContext) -> Reply:
        arrived.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            outcomes.append("cancelled")
            raise
        finally:
            done.set()
        return Reply()

    async with serving(held) as port:
        for ending in ("abort", "eof"):
            arrived.clear()
            done.clear()
            async with port.client() as client:
                client.send(GET)
                await asyncio.wait_for(arrived.wait(), 5)
                if ending == "eof":
                    client.writer.write_eof()
                    await asyncio.wait_for(done.wait(), 5)
            await asyncio.wait_for(done.wait(), 5)
    assert outcomes == ["cancelled", "cancelled"]


async def test_client_that_goes_after_a_body_that_came_all_at_once_is_missed() -> None:
    """More of it than is kept had come before anybody took it, and nothing was read meanwhile."""
    arrived, taken, is_read, done = (asyncio.Event() for _ in range(4))

    async def held(ctx: RequestContext) -> Reply:
        if ctx.http_method == "GET":
            return Reply()
        arrived.set()
        await taken.wait()
        assert len(await ctx.body.read()) == MAX_BUFFERED + 1
        is_read.set()
        try:
            await asyncio.Event().wait()
        finally:
            done.set()
        return Reply()

    async with serving(held) as port, port.client() as client:
        body = b"x" * (MAX_BUFFERED + 1)
        client.send(request("POST", "/a", f"Content-Length: {len(body)}"))
        await asyncio.wait_for(arrived.wait(), 5)
        client.send(body)
        async with port.client() as other:
            await other.ask(GET)  # by now it has come
        taken.set()
        await asyncio.wait_for(is_read.wait(), 5)
        client.writer.close()
        await asyncio.wait_for(done.wait(), 1)


async def test_bug_is_logged_and_told_as_one() -> None:
    async def broken(_: RequestContext) -> Reply:
        raise ZeroDivisionError("secret")

    async with serving(broken) as port, port.client() as client:
        answer = await client.ask(request("GET", "/", "X-Request-Id: r1"))
        assert (answer.status, answer.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
        assert b"secret" not in answer.body
        (line,) = port.log.all
        assert (line.level, line.event, line.fields["request_id"]) == ("error", "unexpected error", "r1")
        assert (await client.ask(GET)).status == 500


async def test_what_one_request_knows_the_next_does_not() -> None:
    secret: ContextVar[str] = ContextVar("secret", default="")
    seen: list[str] = []

    async def remembering(_: RequestContext) -> Reply:
        seen.append(secret.get())
        secret.set("x")
        return Reply()

    async with serving(remembering) as port, port.client() as client:
        client.send(GET, GET)
        await client.answer()
        await client.answer()
    assert seen == ["", ""]


async def test_idle_connection_is_closed() -> None:
    async with serving(patience=Patience(idle=SHORT)) as port, port.client() as client:
        for _ in range(3):
            assert (await client.ask(GET)).status == 200
            await asyncio.sleep(SHORT / 2)
        assert await client.rest() == b""


@pytest.mark.parametrize("beginning", [GET[:10], GET[:-2], b"\r"])
async def test_head_that_does_not_come_is_given_up(beginning: bytes) -> None:
    patience = Patience(head=SHORT, idle=NEVER, linger=SHORT)
    async with serving(patience=patience) as port, port.client() as client, port.client() as other:
        for byte in beginning:
            client.send(bytes([byte]))
            await asyncio.sleep(SHORT / 40)  # every byte in time, but not all of them
        answer = await client.answer()
        assert (answer.status, answer.json()["error"]["code"]) == (408, "REQUEST_TIMEOUT")
        assert answer.header("connection") == "close"
        assert await client.rest() == b""
        assert (await other.ask(GET)).status == 200


@pytest.mark.parametrize("framing", ["Content-Length: 10", "Transfer-Encoding: chunked"])
async def test_body_that_does_not_come_is_given_up(framing: str) -> None:
    patience = Patience(body=SHORT, linger=SHORT)
    async with serving(refuse_large, patience=patience) as port, port.client() as client:
        client.send(request("POST", "/", framing))
        for _ in range(3):
            client.send(b"1")
            await asyncio.sleep(SHORT / 4)
        answer = await client.answer()
        assert (answer.status, answer.header("connection")) == (408, "close")
        assert await client.rest() == b""


async def test_refused_client_that_goes_on_sending_is_left() -> None:
    async with serving(patience=Patience(linger=SHORT)) as port, port.client() as client:
        assert (await client.ask(b"nonsense\r\n\r\n")).status == 400
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(send_on(client), 5)


async def test_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    identity = authority.issue("gateway")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.cert, identity.key)
    trusting = ssl.create_default_context(cafile=str(authority.cert))

    async def scheme(ctx: RequestContext) -> Reply:
        await ctx.body.read()
        return Reply(body=ctx.scheme.encode() * MEGABYTE)

    async with serving(scheme, tls=context, patience=Patience(linger=SHORT)) as port:
        async with port.client(trusting) as client:
            assert (await post(client, b"x" * 500_000)).body == b"https" * MEGABYTE
            assert (await client.ask(request("GET", "/", "Connection: close"))).status == 200
            assert await client.rest() == b""
        async with port.client(trusting) as client:
            assert (await client.ask(b"nonsense\r\n\r\n")).status == 400
            assert await client.rest() == b""


async def test_connection_of_a_request_that_cannot_be_answered_is_closed() -> None:
    """A bug of the server itself, behind the last handler."""

    async def broken(_: RequestContext) -> Any:
        return None

    unheard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    async with serving(broken, patience=Patience(linger=SHORT)) as port, port.client() as client:
        client.send(GET)
        assert await client.rest() == b""
    gc.collect()
    assert [type(context["exception"]) for context in unheard] == [AttributeError]
