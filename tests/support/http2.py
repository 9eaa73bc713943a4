"""gRPC servers that send frames as they are told, however illegal: hostile backends do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeAlias

Fields: TypeAlias = Sequence[tuple[str | bytes, str | bytes]]
Frame: TypeAlias = tuple[int, int, bytes]
"""Type, flags and payload (RFC 9113, section 4.1)."""

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7
ACK = END_STREAM = 0x1
CONTINUATION = 0x9
END_HEADERS = 0x4

_HIGHEST_STREAM: Final = 2**31 - 1

_MAX_FRAME: Final = 16_384
"""Bytes of a payload that every peer takes (RFC 9113, section 4.2)."""


@asynccontextmanager
async def hostile_server(headers: Fields, trailers: Fields, wire: bytes = b"") -> AsyncIterator[str]:
    """Answers every call with these headers, one message and these trailers; yields its address."""
    opening = ((":status", "200"), ("content-type", "application/grpc"), *headers)
    data = ((DATA, 0, part) for part in _split(_message(wire)))
    async with _answering(*_headers(opening), *data, *_headers(trailers, END_STREAM)) as address:
        yield address


@asynccontextmanager
async def resetting_server(error_code: int) -> AsyncIterator[str]:
    """Resets every call (RFC 9113, section 6.4) without any status; yields its address."""
    async with _answering((RST_STREAM, 0, error_code.to_bytes(4))) as address:
        yield address


@asynccontextmanager
async def leaving_server(calls: int, wire: bytes = b"") -> AsyncIterator[str]:
    """Answers so many calls of each connection, then says GOAWAY (RFC 9113, section 6.8); yields its address.

    What else comes on that connection gets no answer: the client is told that nothing was done about it.
    """
    opening = _headers(((":status", "200"), ("content-type", "application/grpc")))
    trailers = _headers((("grpc-status", "0"),), END_STREAM)
    async with _answering(*opening, (DATA, 0, _message(wire)), *trailers, calls=calls) as address:
        yield address


@asynccontextmanager
async def mute_server(arrived: asyncio.Event) -> AsyncIterator[str]:
    """Takes connections and says nothing, so that no call ever starts; yields its address.

    arrived: set when somebody has connected.
    """
    taken: list[asyncio.StreamWriter] = []

    def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(writer)
        arrived.set()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in taken:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def _answering(*parts: Frame, calls: int | None = None) -> AsyncIterator[str]:
    answer = _Answer(parts, calls)
    server = await asyncio.start_server(answer.serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await answer.hang_up()


class _Answer:
    """calls: answered on each connection before it is given up, None for no end."""

    def __init__(self, parts: Sequence[Frame], calls: int | None) -> None:
        self._parts = parts
        self._calls = calls
        self._connections: dict[asyncio.StreamWriter, asyncio.Event] = {}

    async def hang_up(self) -> None:
        for writer, is_over in tuple(self._connections.items()):
            writer.close()
            await is_over.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections[writer] = asyncio.Event()
        try:
            await reader.readexactly(len(PREFACE))
            _write(writer, SETTINGS, 0, 0, b"")
            await self._respond(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
        finally:
            self._connections[writer].set()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answered = highest = 0
        last = _HIGHEST_STREAM
        while True:
            stream = await _next_request(reader, writer)
            if not 0 < stream <= last:
                continue
            for kind, flags, content in self._parts:
                _write(writer, kind, flags, stream, content)
            answered, highest = answered + 1, max(highest, stream)
            if answered == self._calls:
                last = highest
                _write(writer, GOAWAY, 0, 0, last.to_bytes(4) + bytes(4))


async def _next_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """Read a frame, and do what it wants at once; the stream of a request that is whole now, else 0."""
    head = await reader.readexactly(9)
    kind, flags, stream = head[3], head[4], int.from_bytes(head[5:])
    payload = await reader.readexactly(int.from_bytes(head[:3]))
    if kind in (SETTINGS, PING) and not flags & ACK:
        _write(writer, kind, ACK, 0, payload if kind == PING else b"")
    return stream if kind in (HEADERS, DATA) and flags & END_STREAM else 0


def _write(writer: asyncio.StreamWriter, kind: int, flags: int, stream: int, payload: bytes) -> None:
    """A frame (RFC 9113, section 4.1)."""
    writer.write(len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload)


def _message(wire: bytes) -> bytes:
    return b"\0" + len(wire).to_bytes(4) + wire


def _headers(fields: Fields, flags: int = 0) -> list[Frame]:
    """A header block (RFC 9113, section 4.3), in as many frames as it needs."""
    first, *rest = _split(_block(fields))
    frames = [(HEADERS, flags, first), *((CONTINUATION, 0, part) for part in rest)]
    kind, last_flags, last = frames[-1]
    return [*frames[:-1], (kind, last_flags | END_HEADERS, last)]


def _split(data: bytes) -> list[bytes]:
    return [data[at : at + _MAX_FRAME] for at in range(0, len(data), _MAX_FRAME)] or [b""]


def _block(fields: Fields) -> bytes:
    """Literal fields without indexing (RFC 7541, section 6.2.2)."""
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)


def _text(value: str | bytes) -> bytes:
    data = value if isinstance(value, bytes) else value.encode()
    return _length(len(data)) + data


def _length(number: int) -> bytes:
    """An integer with a prefix of seven bits (RFC 7541, section 5.1)."""
    if number < 0x7F:
        return bytes([number])
    rest, encoded = number - 0x7F, bytearray([0x7F])
    while rest >= 0x80:
        encoded.append(rest % 0x80 + 0x80)
        rest //= 0x80
    return bytes(encoded) + bytes([rest])
