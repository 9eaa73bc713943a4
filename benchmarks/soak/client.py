"""One connection of a client: requests as bytes, answers read strictly and held against what was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit

import orjson

from benchmarks.soak.ledger import UnavailableError, WrongAnswerError
from benchmarks.soak.notes import Side
from tests.support.raw import RawAnswer, connect, read_answer, request

PATIENCE: Final = 45.0
_CRLF: Final = b"\r\n"
_EXCUSABLE_STATUSES: Final = {503, 504}
_EXCUSABLE: Final = {"SERVICE_UNAVAILABLE", "TIMEOUT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks. host: of the gateway; user: what the token says."""

    url: str
    user: str
    authorization: str

    def request(self, method: str, target: str, body: bytes = b"") -> bytes:
        headers = [f"Authorization: {self.authorization}", f"X-Forwarded-Host: {urlsplit(self.url).netloc}"]
        return request(method, target, *headers, body=body)

    def check(self, side: Side, got: Any, **fields: Any) -> None:
        """Raises WrongAnswerError unless the note is this caller's and has these fields; 0 is left out."""
        wanted = {"user": self.user, "side": side, **{name: value for name, value in fields.items() if value}}
        if got != wanted:
            raise WrongAnswerError(f"asked {wanted!s:.300}, got {got!s:.300}")


class Connection:
    """Kept open for request after request, and opened again where the gateway has said it would close it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, url: str) -> Self:
        async with asyncio.timeout(PATIENCE):
            return cls(*await connect(url))

    async def ask(self, request: bytes) -> RawAnswer:
        """Raises TimeoutError, OSError or IncompleteReadError when there is no whole answer."""
        async with asyncio.timeout(PATIENCE):
            self._writer.write(request)
            await self._writer.drain()
            return await read_answer(self._reader)

    async def stream(self, request: bytes) -> AsyncGenerator[Any, None]:
        """The records of NDJSON in chunks. Raises as `ask` does, and what `raise_for_status` does."""
        self._writer.write(request)
        async with asyncio.timeout(PATIENCE):
            answer = await read_answer(self._reader)
        if answer.status != 200:
            raise_for_status(answer, 200)
        pending = b""
        while chunk := await self._chunk():
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                yield _record(line)

    async def _chunk(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            size = int((await self._reader.readuntil(_CRLF))[:-2], 16)
            return (await self._reader.readexactly(size + 2))[:-2]

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    def leave(self) -> None:
        """Gone at once, whatever is on its way."""
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


def raise_for_status(answer: RawAnswer, wanted: int) -> None:
    """Raises UnavailableError, or WrongAnswerError for any other status than the one that is wanted."""
    if answer.status in _EXCUSABLE_STATUSES and wanted == 200:
        raise UnavailableError(f"{answer.status} {answer.body[:200]!r}")
    if answer.status != wanted:
        raise WrongAnswerError(f"{answer.status} instead of {wanted}: {answer.body[:200]!r}")


def _record(line: bytes) -> Any:
    record = orjson.loads(line)
    if "error" not in record:
        return record
    if record["error"]["code"] in _EXCUSABLE:
        raise UnavailableError(f"the stream ended with {record['error']}")
    raise WrongAnswerError(f"the stream ended with {record['error']}")
