"""Exchanges of streams without a network: silence, formats, and who is told what when they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import pytest

from tests.plan.requests import request
from transcoder.codec.parsing.invalid import Invalid
from transcoder.context import Metadata, Reply, Stream, StreamReply
from transcoder.errors import INTERNAL_ERROR, INVALID_ARGUMENT, NOT_FOUND, TranscodeError, gateway_shape
from transcoder.plan import stream as subject
from transcoder.plan.framing import ARRAY, EVENTS, NDJSON, choose_framing
from transcoder.plan.reply import compile_refuse, compile_respond
from transcoder.plan.stream import StreamMethod, compile_stream

GONE = TranscodeError(NOT_FOUND, "gone")


class Script:
    """A call whose responses are written down: bytes, an error, or an event to wait for."""

    def __init__(self, *steps: bytes | TranscodeError | asyncio.Event, metadata: Metadata = ()) -> None:
        self.sent: list[bytes] = []
        self.is_cancelled = False
        self.half_closed = asyncio.Event()
        self._steps = list(steps)
        self._metadata = metadata

    async def send(self, wire: bytes) -> bool:
        self.sent.append(wire)
        return not self.is_cancelled

    async def close_send(self) -> None:
        self.half_closed.set()

    async def receive(self) -> bytes | None:
        while self._steps:
            step = self._steps.pop(0)
            if isinstance(step, bytes):
                return step
            if isinstance(step, TranscodeError):
                raise step
            await step.wait()
        return None

    def after_all_requests(self) -> Script:
        self._steps.insert(0, self.half_closed)
        return self

    async def headers(self) -> Metadata:
        return self._metadata

    async def trailers(self) -> Metadata:
        return (("x-trailer", "t"),)

    def cancel(self) -> None:
        self.is_cancelled = True


def encode(body: bytes, content_type: str, values: Sequence[str], query: str) -> bytes:
    if body == b'"bad"':
        raise TranscodeError(INVALID_ARGUMENT, Invalid("bad").problem)
    return b"|".join((body, content_type.encode(), *map(str.encode, values), query.encode()))


def decode(wire: bytes) -> tuple[bytes, str]:
    if wire == b"unprintable":
        raise TranscodeError(INTERNAL_ERROR, "", reason="unprintable")
    return b'"' + wire + b'"', "text/csv"


async def answer(
    script: Script,
    *,
    body: bytes = b"",
    headers: Sequence[tuple[str, str]] = (),
    left: float = 5.0,
    **kinds: Any,
) -> Reply | StreamReply:
    asked: list[float | None] = []

    def open_stream(metadata: Metadata, timeout: float | None, only: bytes | None = None) -> Stream:
        asked.append(timeout)
        if only is not None:
            script.sent.append(only)
        return script

    keys: dict[str, Any] = {
        "client_streaming": False,
        "server_streaming": True,
        "has_body": True,
        "is_raw_request": False,
        "is_raw_response": False,
        "max_size": 100,
        **kinds,
    }
    exchange = compile_stream(
        StreamMethod(
            first=encode,
            later=encode,
            decode=decode,
            open_stream=open_stream,
            respond=compile_respond(decode),
            refuse=compile_refuse(gateway_shape),
            as_record=bytes,
            **keys,
        )
    )
    reply = await exchange(request("POST", "/?q=1", body, headers=headers), ("p",), (), lambda: left)
    assert asked == [None if left == float("inf") else left]
    return reply


async def text(reply: Reply | StreamReply) -> bytes:
    assert isinstance(reply, StreamReply)
    async with aclosing(reply.frames) as frames:
        body = b"".join([frame async for frame in frames])
    await reply.close()
    return body


@pytest.mark.parametrize(
    ("accept", "framing"),
    [
        ("", NDJSON),
        ("*/*", NDJSON),
        ("text/event-stream", EVENTS),
        ("application/json", ARRAY),
        ("application/jsonl", NDJSON),
        ("Application/JSON; charset=utf-8", ARRAY),
        ("text/event-stream;q=0.1, application/json;q=0.9", ARRAY),
        ("text/event-stream, application/json", EVENTS),
        ("application/json;q=0", NDJSON),
        ("application/json;q=x, text/event-stream;q=0.1", EVENTS),
        (",;q=,;;", NDJSON),
    ],
)
def test_format_is_the_one_the_client_prefers(accept: str, framing: Any) -> None:
    assert choose_framing(accept) is framing


async def test_one_request_goes_out_with_the_call() -> None:
    script = Script(b"a")
    assert await text(await answer(script, body=b"{}", left=float("inf"))) == b'"a"\n'
    assert script.sent == [b"{}||p|q=1"]


async def test_metadata_that_comes_first_are_headers_and_status() -> None:
    reply = await answer(Script(b"a", metadata=(("x-http-code", "206"), ("x-a", "1"), ("grpc-x", "2"))))
    assert isinstance(reply, StreamReply)
    assert (reply.status, ("x-a", "1") in reply.headers, reply.content_type) == (
        206,
        True,
        NDJSON.content_type,
    )
    assert ("x-accel-buffering", "no") in reply.headers
    await text(reply)


@pytest.mark.parametrize(
    ("accept", "body"),
    [
        ("", b'"a"\n{"error":ERROR}\n'),
        ("application/json", b'["a",{"error":ERROR}]'),
        ("text/event-stream", b'data: "a"\n\nevent: error\ndata: {"error":ERROR}\n\n'),
    ],
)
async def test_the_error_that_ends_a_stream_is_its_last_record(accept: str, body: bytes) -> None:
    reply = await answer(Script(b"a", GONE), headers=[("accept", accept)])
    error = b'{"code":"NOT_FOUND","message":"gone","request_id":"id-1"}'
    assert await text(reply) == body.replace(b"ERROR", error)
    assert isinstance(reply, StreamReply)
    assert (reply.code, reply.reason) == ("NOT_FOUND", "gone")


async def test_a_response_that_cannot_be_printed_ends_the_stream() -> None:
    reply = await answer(Script(b"a", b"unprintable", b"b"))
    assert b"internal error" in await text(reply)
    assert isinstance(reply, StreamReply)
    assert reply.reason == "unprintable"


async def test_a_stream_of_bytes_that_fails_is_cut() -> None:
    reply = await answer(Script(b"a", GONE), is_raw_response=True)
    assert isinstance(reply, StreamReply)
    assert reply.content_type == "text/csv"
    with pytest.raises(TranscodeError, match="gone"):
        await text(reply)
    assert reply.code == "NOT_FOUND"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "KEEP_ALIVE_SECONDS", 0.01)


@pytest.mark.usefixtures("impatient")
async def test_silence_is_answered() -> None:
    speaks = asyncio.Event()
    reply = await answer(Script(speaks, b"a"), headers=[("accept", "text/event-stream")])
    assert isinstance(reply, StreamReply)
    assert reply.keep_alive == b": keep-alive\n\n"
    speaks.set()
    assert await text(reply) == b'data: "a"\n\n'


@pytest.mark.usefixtures("impatient")
async def test_an_error_after_silence_is_the_only_record() -> None:
    speaks = asyncio.Event()
    reply = await answer(Script(speaks, GONE), headers=[("accept", "application/json")])
    speaks.set()
    assert (await text(reply)).startswith(b'[{"error":{"code":"NOT_FOUND"')


async def test_a_client_that_goes_ends_the_call() -> None:
    never = asyncio.Event()
    script = Script(b"a", never)
    reply = await answer(script, headers=[("accept", "text/event-stream")])
    assert isinstance(reply, StreamReply)
    assert await anext(reply.frames) == b'data: "a"\n\n'
    waiting = asyncio.ensure_future(anext(reply.frames))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await reply.close()
    assert script.is_cancelled


async def test_a_reply_that_is_never_sent_ends_the_call() -> None:
    script = Script(b"a", asyncio.Event())
    reply = await answer(script)
    assert isinstance(reply, StreamReply)
    await reply.close()
    assert script.is_cancelled


async def test_a_client_that_goes_before_the_first_message_ends_the_call() -> None:
    script = Script(asyncio.Event())
    waiting = asyncio.ensure_future(answer(script))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert script.is_cancelled


CLIENT: dict[str, Any] = {"client_streaming": True, "server_streaming": False}


@pytest.mark.parametrize(
    ("body", "content_type", "sent"),
    [
        (b'[1, {"a": 2}]', "application/json", [b"1|application/json|p|q=1", b'{"a": 2}||']),
        (b"1\n2\n", "application/x-ndjson; charset=utf-8", [b"1||p|q=1", b"2||"]),
        (b"", "", [b"||p|q=1"]),
    ],
)
async def test_requests_are_fed_one_by_one(body: bytes, content_type: str, sent: list[bytes]) -> None:
    script = Script(b"a").after_all_requests()
    reply = await answer(script, body=body, headers=[("content-type", content_type)], **CLIENT)
    assert isinstance(reply, Reply)
    assert (reply.body, dict(reply.headers)) == (b'"a"', {"x-trailer": "t"})
    assert script.sent == sent
    assert script.half_closed.is_set()


async def test_a_rule_without_body_sends_one_request() -> None:
    script = Script(b"a").after_all_requests()
    await answer(script, body=b"ignored", has_body=False, **CLIENT)
    assert script.sent == [b"||p|q=1"]


async def test_bytes_are_sent_as_they_come() -> None:
    script = Script(b"a").after_all_requests()
    await answer(script, body=b"\xff", headers=[("content-type", "x/y")], is_raw_request=True, **CLIENT)
    assert script.sent == [b"\xff|x/y|p|q=1"]


@pytest.mark.parametrize("steps", [(), (b"a", b"b")])
async def test_a_backend_that_does_not_send_one_response_is_an_error(steps: Sequence[bytes]) -> None:
    reply = await answer(Script(*steps), **CLIENT)
    assert isinstance(reply, Reply)
    assert (reply.status, reply.reason) == (500, "the backend did not send exactly one response")


@pytest.mark.parametrize("server_streaming", [False, True])
async def test_what_was_wrong_with_a_request_is_the_answer(server_streaming: bool) -> None:
    ended = asyncio.Event()

    class Cancellable(Script):
        def cancel(self) -> None:
            super().cancel()
            ended.set()

    script = Cancellable(ended, TranscodeError(INTERNAL_ERROR, "", reason="cancelled"))
    reply = await answer(script, body=b'1 "bad"', client_streaming=True, server_streaming=server_streaming)
    assert isinstance(reply, Reply)
    assert (reply.status, reply.reason) == (400, "bad")
    assert script.is_cancelled


async def test_a_call_that_is_over_is_fed_no_more() -> None:
    class Over(Script):
        async def send(self, wire: bytes) -> bool:
            await super().send(wire)
            return False

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"1"

    script = Over()
    await subject.send_all(script, endless())
    assert script.sent == [b"1"]
    assert not script.half_closed.is_set()
