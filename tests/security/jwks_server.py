"""An HTTP server for JWK sets that can be told to misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> Answer:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()

    return write


async def hang_up(_writer: asyncio.StreamWriter) -> None:
    """Closes the connection without a word."""


async def endless(writer: asyncio.StreamWriter) -> None:
    """A body without length that goes on until the client has had enough."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" " * 65536)
        await writer.drain()


class JwksServer:
    """answer: what every request gets, once `hold` is set; requests: the request lines that came."""

    def __init__(self) -> None:
        self.answer: Answer = answer()
        self.requests: list[str] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.asked = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/jwks"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head.split(b"\r\n")[0].decode())
            self.asked.set()
            await self.hold.wait()
            await self.answer(writer)
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def running_jwks_server() -> AsyncIterator[JwksServer]:
    subject = JwksServer()
    server = await asyncio.start_server(subject.handle, "127.0.0.1", 0)
    subject.port = server.sockets[0].getsockname()[1]
    try:
        yield subject
    finally:
        subject.hold.set()
        server.close()
        await server.wait_closed()
