"""Bodies as Sanic hands them over: bounded in size and time, read once."""

from __future__ import annotations

import asyncio

import pytest
from sanic.exceptions import BadRequest, PayloadTooLarge

from transcoder.errors import INVALID_ARGUMENT, PAYLOAD_TOO_LARGE, REQUEST_TIMEOUT, TranscodeError
from transcoder.server import body as subject
from transcoder.server.body import RequestBody


class Http:
    """What Sanic shows of a body that comes in parts; an exception is raised, None never comes."""

    def __init__(self, *parts: bytes | Exception | None) -> None:
        self.request_body: object = True
        self.request_max_size = float("inf")
        self.keep_alive = True
        self._parts = list(parts)

    async def read(self) -> bytes | None:
        if not self._parts:
            self.request_body = None
            return None
        part = self._parts.pop(0)
        if isinstance(part, Exception):
            raise part
        if part is None:
            await asyncio.Event().wait()
        return part


async def test_all_of_a_body_within_the_limit() -> None:
    http = Http(b"a", b"b")
    body = RequestBody(http, 10)
    assert await body.read() == b"ab"
    assert http.request_max_size == 10
    assert await body.read() == b""


async def test_parts_of_a_body_of_any_size() -> None:
    http = Http(b"a", b"b")
    assert [part async for part in RequestBody(http, 1).chunks()] == [b"a", b"b"]
    assert http.request_max_size == float("inf")


async def test_a_request_without_a_body() -> None:
    assert await RequestBody(None, 1).read() == b""
    assert [part async for part in RequestBody(None, 1).chunks()] == []


@pytest.mark.parametrize(
    ("failure", "kind"), [(PayloadTooLarge("x"), PAYLOAD_TOO_LARGE), (BadRequest("x"), INVALID_ARGUMENT)]
)
async def test_what_sanic_refuses(failure: Exception, kind: object) -> None:
    with pytest.raises(TranscodeError) as whole:
        await RequestBody(Http(b"a", failure), 1).read()
    with pytest.raises(TranscodeError) as parts:
        _ = [part async for part in RequestBody(Http(b"a", failure), 1).chunks()]
    assert whole.value.kind is parts.value.kind is kind


async def test_a_body_that_does_not_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "READ_TIMEOUT", 0.01)
    for read in (
        lambda body: body.read(),
        lambda body: anext(body.chunks()),
    ):
        http = Http(None)
        with pytest.raises(TranscodeError) as caught:
            await read(RequestBody(http, 1))
        assert caught.value.kind is REQUEST_TIMEOUT
        assert not http.keep_alive


async def test_a_body_nobody_wants_is_read_away() -> None:
    http = Http(b"a")
    await RequestBody(http, 10).skip()
    assert http.request_body is None
    assert http.keep_alive


async def test_a_body_nobody_wants_that_is_too_large_costs_the_connection() -> None:
    http = Http(PayloadTooLarge("x"))
    await RequestBody(http, 1).skip()
    assert http.request_body is None
    assert not http.keep_alive
