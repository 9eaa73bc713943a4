"""HTTP as bytes on a socket: for requests that no client library would send."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_PATIENCE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnswer:
    """headers: names in lower case, in the order they came."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:
        return json.loads(self.body)


async def exchange(url: str, request: bytes) -> RawAnswer:
    """Send bytes to the server of a URL and read its first answer; raises TimeoutError, or EOFError."""
    reader, writer = await connect(url)
    try:
        writer.write(request)
        async with asyncio.timeout(_PATIENCE):
            return await read_answer(reader, has_body=not request.startswith(b"HEAD "))
    finally:
        writer.close()


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the server of a URL."""
    parts = urlsplit(url)
    return await asyncio.open_connection(parts.hostname, parts.port)


async def read_answer(reader: asyncio.StreamReader, *, has_body: bool = True) -> RawAnswer:
    """One answer, as long as its Content-Length says. Raises asyncio.IncompleteReadError at an early end."""
    head = await reader.readuntil(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").rstrip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = tuple((name.lower(), value.strip()) for name, _, value in pairs)
    length = int(dict(headers).get("content-length", "0")) if has_body else 0
    body = await reader.readexactly(length)
    return RawAnswer(status=int(status_line.split()[1]), headers=headers, body=body)


def request(method: str, target: str, *headers: str, body: bytes = b"") -> bytes:
    """A request as it is written here; Host and, for a body, Content-Length are added."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
