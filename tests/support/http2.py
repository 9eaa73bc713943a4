"""gRPC servers that send frames as they are told, however illegal: hostile backends do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

Fields: TypeAlias = Sequence[tuple[str | bytes, str | bytes]]
Frame: TypeAlias = tuple[int, int, bytes]
"""Type, flags and payload (RFC 9113, section 4.1)."""

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING = 0x0, 0x1, 0x3, 0x4, 0x6
ACK = END_STREAM = 0x1
CONTINUATION = 0x9
END_HEADERS = 0x4

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
async def _answering(*parts: Frame) -> AsyncIterator[str]:
    answer = _Answer(parts)
    server = await asyncio.start_server(answer.serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await answer.hang_up()


class _Answer:
    def __init__(self, parts: Sequence[Frame]) -> None:
        self._parts = parts
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
            while True:
                await self._respond(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
        finally:
            self._connections[writer].set()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(9)
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:])
        payload = await reader.readexactly(int.from_bytes(head[:3]))
        if kind in (SETTINGS, PING) and not flags & ACK:
            _write(writer, kind, ACK, 0, payload if kind == PING else b"")
        elif kind in (HEADERS, DATA) and flags & END_STREAM:
            for part, part_flags, content in self._parts:
                _write(writer, part, part_flags, stream, content)


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
