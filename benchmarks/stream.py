"""Load for HTTP servers: streams, read again and again over connections that are kept open.

Nothing is parsed but the status line: what is read must cost less than what it measures. A message of the
workload is one flat JSON object, so its opening bracket stands for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit

from benchmarks.load import Load

_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"
_OK: Final = b"HTTP/1.1 200"


def read_streams(url: str, target: str, connections: int, seconds: float, headers: Mapping[str, str]) -> Load:
    """Read one stream after the other over each connection for a while, and count messages."""
    address = urlsplit(url).netloc
    fields = {"Host": address, "Accept": "application/x-ndjson", **headers}
    lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    request = "\r\n".join([*lines, "", ""]).encode()
    return asyncio.run(_read_streams(address, request, connections, seconds))


async def _read_streams(address: str, request: bytes, connections: int, seconds: float) -> Load:
    host, _, port = address.partition(":")
    loop = asyncio.get_running_loop()
    readers = []
    for _ in range(connections):
        _, reader = await loop.create_connection(lambda: _Reader(request), host, int(port))
        readers.append(reader)
    started = perf_counter()
    for reader in readers:
        reader.ask()
    await asyncio.sleep(seconds)
    load = _sum(readers, started, perf_counter())
    for reader in readers:
        reader.close()
    return load


def _sum(readers: Sequence[_Reader], started: float, ended: float) -> Load:
    return Load.from_waits(
        [wait for reader in readers for wait in reader.waits_at(ended)],
        done=sum(reader.messages for reader in readers),
        seconds=ended - started,
        errors=sum(reader.is_broken for reader in readers),
    )


class _Reader(asyncio.Protocol):
    """One connection and what came over it."""

    def __init__(self, request: bytes) -> None:
        self.messages = 0
        self.is_broken = False
        self._request = request
        self._waits: list[float] = []
        self._asked_at: float | None = None
        self._tail = b""

    def waits_at(self, now: float) -> list[float]:
        """Seconds to the first message of each stream; of one that still has none, those so far."""
        return self._waits if self._asked_at is None else [*self._waits, now - self._asked_at]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self) -> None:
        self._asked_at = perf_counter()
        self._transport.write(self._request)

    def close(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        is_head = not self._tail
        self._tail = (self._tail + data)[-len(_LAST_CHUNK) :]
        if is_head and not data.startswith(_OK):
            self._break()
            return
        count = data.count(b"{")
        if count and self._asked_at is not None:
            self._waits.append(perf_counter() - self._asked_at)
            self._asked_at = None
        self.messages += count
        if self._tail == _LAST_CHUNK:
            self._tail = b""
            self.ask()

    def eof_received(self) -> None:
        self._break()

    def _break(self) -> None:
        self.is_broken = True
        self._transport.abort()
