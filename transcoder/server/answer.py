"""Answers as bytes (RFC 9112, sections 4 and 6)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from transcoder.context import Headers, Reply, StreamReply
from transcoder.server.http import REQUEST_ID

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
END_OF_CHUNKS: Final = b"0\r\n\r\n"

_KEPT: Final = "\r\nconnection: keep-alive\r\n\r\n"
_CLOSED: Final = "\r\nconnection: close\r\n\r\n"
_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_WITHOUT_BODY: Final = (204, 304)

_NO_STORE: Final = "cache-control: no-store\r\n"
"""Said where the backend says nothing about caching: some caches keep such an answer on their own terms, and
know of one caller's answers only those to `Authorization` (RFC 9111, sections 3.5 and 4.2.2)."""

# no answer is taken for another type than it says, whatever bytes a backend sends (Fetch Standard)
_ON_EVERY_ANSWER: Final = f"x-content-type-options: nosniff\r\n{REQUEST_ID}: "

_CACHING: Final = frozenset({"cache-control", "expires", "etag", "last-modified"})


def whole(reply: Reply, request_id: str, *, keeps_alive: bool, is_head: bool) -> bytes:
    """A reply with its body, unless it answers HEAD or its status has none."""
    if reply.status in _WITHOUT_BODY:
        return _head(reply, request_id, "", keeps_alive=keeps_alive)
    body = reply.body
    content = f"content-type: {reply.content_type}\r\ncontent-length: {len(body)}\r\n"
    head = _head(reply, request_id, content, keeps_alive=keeps_alive)
    return head if is_head else head + body


def stream_head(reply: StreamReply, request_id: str, *, keeps_alive: bool, is_chunked: bool) -> bytes:
    """The head of a stream; without chunks, it ends with the connection."""
    content = f"content-type: {reply.content_type}\r\n"
    if is_chunked:
        content += "transfer-encoding: chunked\r\n"
    return _head(reply, request_id, content, keeps_alive=keeps_alive)


def chunk(frame: bytes) -> bytes:
    """A part of a stream; empty if it is, since an empty chunk is the end."""
    return b"%x\r\n%b\r\n" % (len(frame), frame) if frame else b""


def _head(reply: Reply | StreamReply, request_id: str, content: str, *, keeps_alive: bool) -> bytes:
    status = reply.status
    line = _STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"
    more = _more(reply.headers) if reply.headers else _NO_STORE
    end = _KEPT if keeps_alive else _CLOSED
    return f"{line}{content}{more}{_ON_EVERY_ANSWER}{request_id}{end}".encode("latin-1", "replace")


def _more(headers: Headers) -> str:
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    return lines if any(name in _CACHING for name, _ in headers) else lines + _NO_STORE
