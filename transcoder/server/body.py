"""The body of a request, taken from the connection when it is wanted."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Final, Protocol

from transcoder.context import Body
from transcoder.errors import PAYLOAD_TOO_LARGE, REQUEST_TIMEOUT, TranscodeError
from transcoder.server.framing import Chunked, Framing, Sized
from transcoder.server.head import Head
from transcoder.server.inflate import Inflater

PART: Final = 64 * 1024
"""Bytes of a part at most, whatever comes at once: each may become a message of its own."""


AT_ONCE: Final = 8 * 1024
"""Bytes of chunks that are taken between two turns of the event loop: those of one byte cost 2 us each."""


class Wire(Protocol):
    """The connection, as a body sees it."""

    def take(self) -> bytes:
        """What has come and was not taken yet."""

    def give_back(self, data: bytes) -> None:
        """What was taken too much."""

    async def more(self) -> None:
        """Wait until there is something to take; if there is, others have their turn."""


class ReadableBody(Body, Protocol):
    """A body as the server sees it: what comes behind it is the next request.

    is_done: whether all of it was taken from the connection; is_broken: whether nobody knows where it ends.
    """

    @property
    def is_done(self) -> bool: ...

    @property
    def is_broken(self) -> bool: ...

    async def skip(self) -> bool:
        """Take what nobody wanted, so that the connection can go on; returns whether it can."""


class NoBody:
    """The body of a request that has none."""

    is_done: Final = True
    is_broken: Final = False

    async def read(self) -> bytes:
        """Nothing."""
        return b""

    async def chunks(self) -> AsyncIterator[bytes]:
        """Nothing."""
        nothing: tuple[bytes, ...] = ()
        for part in nothing:
            yield part

    async def skip(self) -> bool:
        """Nothing to skip."""
        return True


class RequestBody:
    """A body that comes over a wire.

    limit: bytes of it that are read as a whole, also when inflated; patience: seconds within which it must
    arrive when it is read as a whole, else its next part.
    """

    __slots__ = (
        "_at_once",
        "_coding",
        "_framing",
        "_inflater",
        "_length",
        "_limit",
        "_patience",
        "_size",
        "_wire",
        "is_broken",
    )

    def __init__(self, wire: Wire, head: Head, *, limit: int, patience: float) -> None:
        self._wire = wire
        self._framing: Framing = Chunked() if head.length is None else Sized(head.length)
        self._length = head.length or 0
        self._at_once = AT_ONCE if head.length is None else sys.maxsize
        self._coding = head.content_encoding
        self._inflater: Inflater | None = None
        self._limit = limit
        self._patience = patience
        self._size = 0
        self.is_broken = False

    @property
    def is_done(self) -> bool:
        """See ReadableBody."""
        return self._framing.is_done

    async def read(self) -> bytes:
        """All of it, up to the limit."""
        if self._framing.is_done:
            return b""
        self._inflate()
        parts = await self._rest()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Its parts as they arrive."""
        self._inflate()
        while not self._framing.is_done:
            for data in self._arrived():
                for start in range(0, len(data), PART):
                    yield data[start : start + PART]
            if not self._framing.is_done:
                await self._more()

    async def skip(self) -> bool:
        """See ReadableBody."""
        self._inflater = None
        try:
            if not self.is_done and not self.is_broken:
                await self._rest()
        except TranscodeError:
            return False
        return not self.is_broken

    def _inflate(self) -> None:
        if self._coding not in ("", "identity"):
            self._inflater = Inflater(self._coding)

    async def _rest(self) -> list[bytes]:
        if self._length > self._limit:
            raise self._too_large()
        parts = self._measured()
        if not self._framing.is_done:
            try:
                async with asyncio.timeout(self._patience):
                    while not self._framing.is_done:
                        await self._wire.more()
                        parts += self._measured()
            except TimeoutError as error:
                raise self._too_slow() from error
        return parts

    async def _more(self) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._wire.more()
        except TimeoutError as error:
            raise self._too_slow() from error

    def _measured(self) -> list[bytes]:
        """What has arrived, while it is within the limit."""
        parts = []
        for part in self._arrived():
            self._size += len(part)
            if self._size > self._limit:
                raise self._too_large()
            parts.append(part)
        return parts

    def _arrived(self) -> Iterable[bytes]:
        """What has arrived, unwrapped."""
        self.is_broken = True  # unless nothing is wrong with it
        taken = self._wire.take()
        data, later = self._framing.feed(taken[: self._at_once]), taken[self._at_once :]
        if self._framing.is_done:
            self._wire.give_back(self._framing.rest + later)
        elif later:
            self._wire.give_back(later)
        if self._inflater is not None:
            return self._inflated(self._inflater, data)
        self.is_broken = False
        return (data,)

    def _inflated(self, inflater: Inflater, data: bytes) -> Iterator[bytes]:
        yield from inflater.feed(data)
        if self._framing.is_done:
            inflater.finish()
        self.is_broken = False

    def _too_large(self) -> TranscodeError:
        self.is_broken = True
        return TranscodeError(PAYLOAD_TOO_LARGE, f"the body is larger than {self._limit} bytes")

    def _too_slow(self) -> TranscodeError:
        self.is_broken = True
        return TranscodeError(REQUEST_TIMEOUT, "the body did not arrive in time")
