"""Answers as bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from transcoder.context import Reply, StreamReply
from transcoder.server.answer import chunk, stream_head, whole

NO_STORE = "cache-control: no-store"


def lines_of(answer: bytes) -> tuple[str, list[str], bytes]:
    """Status line, headers, body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    return status, lines, body


def of(reply: Reply, *, keeps_alive: bool = True, is_head: bool = False) -> tuple[str, list[str], bytes]:
    return lines_of(whole(reply, "id-1", keeps_alive=keeps_alive, is_head=is_head))


def test_reply() -> None:
    reply = Reply(status=201, body=b"x", content_type="image/png", headers=(("x-a", "1"), ("x-a", "2")))
    status, lines, body = of(reply)
    assert (status, body) == ("HTTP/1.1 201 Created", b"x")
    assert lines == [
        "content-type: image/png",
        "content-length: 1",
        "x-a: 1",
        "x-a: 2",
        NO_STORE,
        "x-content-type-options: nosniff",
        "x-request-id: id-1",
        "connection: keep-alive",
    ]


def test_reply_before_the_connection_closes() -> None:
    assert of(Reply(), keeps_alive=False)[1][-1] == "connection: close"


def test_reply_to_head_has_the_length_but_no_body() -> None:
    _, lines, body = of(Reply(body=b"abc"), is_head=True)
    assert "content-length: 3" in lines
    assert body == b""


@pytest.mark.parametrize("status", [204, 304])
def test_status_without_a_body(status: int) -> None:
    _, lines, body = of(Reply(status=status, body=b"x"))
    assert not [line for line in lines if line.startswith("content-")]
    assert body == b""


def test_status_without_a_name() -> None:
    assert of(Reply(status=299))[0] == "HTTP/1.1 299 "


@pytest.mark.parametrize("said", ["cache-control", "expires", "etag", "last-modified"])
def test_caching_is_forbidden_unless_the_backend_says_something_about_it(said: str) -> None:
    assert NO_STORE not in of(Reply(headers=(("x-a", "1"), (said, "0"))))[1]
    assert NO_STORE in of(Reply(headers=(("x-a", "1"),)))[1]
    assert NO_STORE in of(Reply())[1]


@pytest.mark.parametrize("is_chunked", [True, False])
async def test_head_of_a_stream(is_chunked: bool) -> None:
    async def frames() -> AsyncGenerator[bytes, None]:
        yield b""

    async def close() -> None: ...

    reply = StreamReply(content_type="a/b", headers=(("etag", "1"),), frames=frames(), close=close)
    head = stream_head(reply, "id-1", keeps_alive=is_chunked, is_chunked=is_chunked)
    status, lines, body = lines_of(head)
    assert (status, body) == ("HTTP/1.1 200 OK", b"")
    assert ("transfer-encoding: chunked" in lines) is is_chunked
    assert lines[0] == "content-type: a/b"
    assert lines[-1] == f"connection: {'keep-alive' if is_chunked else 'close'}"


def test_chunks() -> None:
    assert chunk(b"0123456789abcdef") == b"10\r\n0123456789abcdef\r\n"
    assert chunk(b"") == b""
