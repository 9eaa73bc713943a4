"""Heads of requests, in whatever pieces they come."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcoder.errors import TranscodeError
from transcoder.server.framing import Chunked
from transcoder.server.head import Head, HeadParser

GET = b"GET /a?b HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a: \xff\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
CHUNKED = b"PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
SOCKET = b"GET /s HTTP/1.1\r\nHost: a\r\nConnection: x, Upgrade\r\nUpgrade: WebSocket\r\n\r\n"
OTHER = b"FETCH /a HTTP/1.0\r\n\r\n"
HEADS = (GET, POST, CHUNKED, SOCKET, OTHER)


def head_of(data: bytes) -> Head:
    found = HeadParser().parse(data)
    assert found is not None
    return found[0]


def test_what_a_head_says() -> None:
    head = head_of(GET + b"more")
    assert (head.method, head.target, head.length) == ("GET", "/a?b", 0)
    assert head.headers == [("host", "a"), ("x-a", "1"), ("x-a", "\udcff")]
    assert (head.is_http_10, head.keeps_alive, head.wants_socket) == (False, True, False)
    assert head_of(POST).length == 3
    assert head_of(CHUNKED).length is None
    assert head_of(SOCKET).wants_socket
    other = head_of(OTHER)
    assert (other.method, other.is_http_10, other.keeps_alive) == ("FETCH", True, False)


@pytest.mark.parametrize(
    "changes",
    [
        (b"GET", b"POST"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"x, Upgrade", b"x"),
        (b"x, Upgrade", b"close, Upgrade"),
        (b"WebSocket", b"h2c"),
        (b"Host: a", b"Host: a\r\nContent-Length: 1"),
    ],
)
def test_other_upgrades_are_ignored(changes: tuple[bytes, bytes]) -> None:
    assert not head_of(SOCKET.replace(*changes)).wants_socket


def test_one_parser_reads_one_head_after_the_other() -> None:
    parser = HeadParser()
    data = b"".join(HEADS[:-1] * 2)
    seen = []
    while data:
        found = parser.parse(data)
        assert found is not None
        seen.append(found[0].method)
        data = found[1]
    assert seen == ["GET", "POST", "PUT", "GET"] * 2


@given(st.sampled_from(HEADS), st.data())
def test_a_head_in_pieces_is_the_same_head(head: bytes, data: st.DataObject) -> None:
    parser = HeadParser()
    for cut in sorted(data.draw(st.sets(st.integers(0, len(head) - 1), max_size=5))):
        assert parser.parse(head[:cut]) is None
    assert parser.parse(head) == HeadParser().parse(head)


mutations = st.builds(
    lambda head, at, cut, junk: head[: at % len(head)] + junk + head[at % len(head) + cut :],
    st.sampled_from(HEADS),
    st.integers(0, 200),
    st.integers(0, 5),
    st.one_of(
        st.binary(max_size=5), st.sampled_from([b"\r\n", b"\n", b"\r", b" ", b":", b"\x00", b"chunked"])
    ),
)


@given(st.one_of(st.binary(max_size=100), mutations))
def test_nothing_but_a_head_a_wait_or_a_refusal_comes_of_any_bytes(data: bytes) -> None:
    try:
        found = HeadParser().parse(data)
    except TranscodeError:
        return
    if found is None:
        assert b"\r\n\r\n" not in data[2:]
        return
    head, rest = found
    raw = data.removesuffix(rest)
    assert raw.endswith(b"\r\n\r\n")
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
    assert raw.removeprefix(b"\r\n").count(b"\r\n") == len(head.headers) + 2
    names = [name for name, _ in head.headers]
    framing = names.count("content-length") + names.count("transfer-encoding")
    assert framing == (0 if head.length == 0 and "content-length" not in names else 1)
    assert names.count("host") == 1 or (head.is_http_10 and "host" not in names)


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=5), st.binary(max_size=20), st.data())
def test_chunks_in_pieces_are_the_same_body(chunks: list[bytes], behind: bytes, data: st.DataObject) -> None:
    wire = (
        b"".join(b"%X;x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nT: x\r\n\r\n" + behind
    )
    cuts = [0, *sorted(data.draw(st.sets(st.integers(0, len(wire)), max_size=8))), len(wire)]
    framing = Chunked()
    body = b""
    for start, end in pairwise(cuts):
        if framing.is_done:
            framing.rest += wire[start:end]
        else:
            body += framing.feed(wire[start:end])
    assert (body, framing.is_done, framing.rest) == (b"".join(chunks), True, behind)
