"""Bodies: found among what arrives, bounded in size and time, read once."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable

import pytest

from transcoder.errors import (
    INVALID_ARGUMENT,
    PAYLOAD_TOO_LARGE,
    REQUEST_TIMEOUT,
    UNSUPPORTED_MEDIA_TYPE,
    TranscodeError,
)
from transcoder.server.body import NoBody, RequestBody
from transcoder.server.head import Head


class Wire:
    """A client that sends these parts, and then nothing for ever."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = list(parts)
        self._here = self._parts.pop(0) if parts else b""

    def take(self) -> bytes:
        data, self._here = self._here, b""
        return data

    def give_back(self, data: bytes) -> None:
        self._here = data

    async def more(self) -> None:
        if self._here:
            return
        if not self._parts:
            raise TimeoutError
        self._here = self._parts.pop(0)


def body_of(wire: Wire, length: int | None, *, limit: int = 1000, coding: str = "") -> RequestBody:
    head = Head("POST", "/", [], False, True, length, content_encoding=coding)
    return RequestBody(wire, head, limit=limit, patience=5)


def in_bytes(data: bytes) -> Iterable[bytes]:
    return (data[i : i + 1] for i in range(len(data)))


async def failure(body: RequestBody, *, whole: bool = True) -> TranscodeError:
    async def in_parts() -> bytes:
        return b"".join([part async for part in body.chunks()])

    with pytest.raises(TranscodeError) as caught:
        await (body.read() if whole else in_parts())
    return caught.value


async def test_body_of_a_length() -> None:
    wire = Wire(b"ab", b"", b"cdNEXT")
    body = body_of(wire, 4)
    assert not body.is_done
    assert await body.read() == b"abcd"
    assert (body.is_done, body.is_broken, wire.take()) == (True, False, b"NEXT")


async def test_a_body_is_read_once_and_what_follows_is_left_alone() -> None:
    wire = Wire(b"abNEXT")
    body = body_of(wire, 2)
    assert await body.read() == b"ab"
    assert await body.read() == b""
    assert [part async for part in body.chunks()] == []
    assert await body.skip()
    assert wire.take() == b"NEXT"


async def test_parts_of_a_body_of_any_size() -> None:
    wire = Wire(b"ab", b"c", b"dNEXT")
    assert [part async for part in body_of(wire, 4, limit=1).chunks()] == [b"ab", b"c", b"d"]
    assert wire.take() == b"NEXT"


async def test_parts_are_of_bounded_size() -> None:
    data = bytes(range(256)) * 600
    parts = [part async for part in body_of(Wire(data), len(data), limit=1).chunks()]
    assert [len(part) for part in parts] == [64 * 1024, 64 * 1024, len(data) - 128 * 1024]
    assert b"".join(parts) == data


CHUNKS = b"2\r\nab\r\n00A;x=y;z\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"


@pytest.mark.parametrize(
    "parts", [[CHUNKS + b"NEXT"], [*in_bytes(CHUNKS), b"NEXT"]], ids=["at once", "bytes"]
)
async def test_body_in_chunks(parts: list[bytes]) -> None:
    wire = Wire(*parts)
    body = body_of(wire, None)
    assert await body.read() == b"ab0123456789"
    assert body.is_done
    assert wire.take() in (b"NEXT", b"")


@pytest.mark.parametrize(
    "chunks",
    [
        b"0x1\r\na\r\n0\r\n\r\n",
        b"+1\r\na\r\n0\r\n\r\n",
        b"-1\r\na\r\n0\r\n\r\n",
        b"1_0\r\na\r\n0\r\n\r\n",
        b" 1\r\na\r\n0\r\n\r\n",
        "\u0661\r\na\r\n0\r\n\r\n".encode(),
        b"1 \r\na\r\n0\r\n\r\n",
        b"\r\na\r\n0\r\n\r\n",
        b"1" * 16 + b"\r\na",
        b"1\na\n0\n\n",
        b"1\r\na0\r\n\r\n",
        b"1\r\nabc\r\n0\r\n\r\n",
        b"1\r\na\n0\r\n\r\n",
        b"1\r\na\rX",
        b"1\r\na\r\n0\r\nno colon\r\n\r\n",
        b"1\r\na\r\n0\r\n: x\r\n\r\n",
        b"1\r\na\r\n0\r\nX: \x00\r\n\r\n",
        b"1\r\na\r\n0\r\nGET / HTTP/1.1\r\n\r\n",
        b"1;\x00\r\na\r\n0\r\n\r\n",
        b"1;x\ny\r\na\r\n0\r\n\r\n",
        b"1;" + b"x" * 5000 + b"\r\na\r\n0\r\n\r\n",
        b"1;" + b"x" * 5000,
        b"1;" + b"x" * 4000 + b"\r\na\r\n" + (b"1;" + b"x" * 4000 + b"\r\na\r\n") * 5 + b"0\r\n\r\n",
        b"0\r\n" + (b"X: " + b"y" * 1000 + b"\r\n") * 20 + b"\r\n",
    ],
)
async def test_malformed_chunks(chunks: bytes) -> None:
    for whole in (True, False):
        body = body_of(Wire(chunks), None, limit=10**6)
        error = await failure(body, whole=whole)
        assert (error.kind, error.message) == (INVALID_ARGUMENT, "malformed body")
        assert body.is_broken
        assert not await body.skip()


@pytest.mark.parametrize(
    ("length", "parts"), [(11, []), (None, [b"b\r\n", b"0123456789a"]), (None, [b"6\r\n123456\r\n" * 2])]
)
async def test_body_over_the_limit(length: int | None, parts: list[bytes]) -> None:
    body = body_of(Wire(*parts), length, limit=10)
    assert (await failure(body)).kind is PAYLOAD_TOO_LARGE
    assert body.is_broken
    assert not await body.skip()


async def test_body_of_exactly_the_limit() -> None:
    assert await body_of(Wire(b"0123456789"), 10, limit=10).read() == b"0123456789"


@pytest.mark.parametrize("whole", [True, False])
async def test_body_that_does_not_arrive(whole: bool) -> None:
    body = body_of(Wire(b"a"), 2)
    assert (await failure(body, whole=whole)).kind is REQUEST_TIMEOUT
    assert body.is_broken


async def test_request_without_a_body() -> None:
    body = NoBody()
    assert await body.read() == b""
    assert [part async for part in body.chunks()] == []
    assert await body.skip()


async def test_what_nobody_wanted_is_skipped() -> None:
    wire = Wire(b"a", b"bNEXT")
    assert await body_of(wire, 2).skip()
    assert wire.take() == b"NEXT"
    assert not await body_of(Wire(b"a"), 2000).skip()


PLAIN = b"0123456789" * 5
BY_CODING = {"gzip": gzip.compress(PLAIN), "x-gzip": gzip.compress(PLAIN), "deflate": zlib.compress(PLAIN)}


@pytest.mark.parametrize("coding", BY_CODING)
@pytest.mark.parametrize("is_slow", [True, False])
async def test_compressed_body(coding: str, is_slow: bool) -> None:
    data = BY_CODING[coding]
    parts = [*in_bytes(data)] if is_slow else [data]
    assert await body_of(Wire(*parts), len(data), coding=coding).read() == PLAIN
    streamed = body_of(Wire(*parts), len(data), coding=coding).chunks()
    assert b"".join([part async for part in streamed]) == PLAIN


@pytest.mark.parametrize("coding", ["", "identity"])
async def test_body_that_is_not_compressed(coding: str) -> None:
    assert await body_of(Wire(b"ab"), 2, coding=coding).read() == b"ab"


@pytest.mark.parametrize("size", [64 * 1024, 64 * 1024 + 1, 10**6])
async def test_large_compressed_body_comes_in_pieces(size: int) -> None:
    data = gzip.compress(b"x" * size)
    body = body_of(Wire(data), len(data), limit=size, coding="gzip")
    parts = [part async for part in body.chunks()]
    assert sum(map(len, parts)) == size
    assert max(map(len, parts)) <= 64 * 1024


async def test_inflated_size_counts_and_no_more_is_inflated() -> None:
    bomb = gzip.compress(b"\x00" * 10**7)
    body = body_of(Wire(bomb), len(bomb), limit=10**5, coding="gzip")
    assert (await failure(body)).kind is PAYLOAD_TOO_LARGE
    assert not await body.skip()


@pytest.mark.parametrize("coding", ["br", "gzip, gzip", "chunked", "x"])
async def test_unknown_coding(coding: str) -> None:
    wire = Wire(b"abNEXT")
    for whole in (True, False):
        body = body_of(wire, 2, coding=coding)
        error = await failure(body, whole=whole)
        assert error.kind is UNSUPPORTED_MEDIA_TYPE
        assert dict(error.headers) == {"accept-encoding": "gzip, deflate"}
    assert await body.skip()
    assert wire.take() == b"NEXT"


@pytest.mark.parametrize(
    "data",
    [
        b"no gzip",
        BY_CODING["gzip"][:-1],
        BY_CODING["gzip"] + b"x",
        BY_CODING["gzip"] * 2,
        BY_CODING["deflate"],
    ],
)
async def test_what_cannot_be_inflated(data: bytes) -> None:
    for parts in ([data], [*in_bytes(data)]):
        error = await failure(body_of(Wire(*parts), len(data), coding="gzip"))
        assert (error.kind, error.message) == (INVALID_ARGUMENT, "malformed body")


async def test_nothing_is_no_broken_gzip() -> None:
    assert await body_of(Wire(b"0\r\n\r\n"), None, coding="gzip").read() == b""
