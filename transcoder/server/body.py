"""The body of a request, read from Sanic when it is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from sanic.exceptions import BadRequest, PayloadTooLarge

from transcoder.errors import INVALID_ARGUMENT, PAYLOAD_TOO_LARGE, REQUEST_TIMEOUT, TranscodeError

READ_TIMEOUT: Final = 60.0
"""Seconds in which a body must arrive that is read as a whole, or the next part of one that is not."""


class RequestBody:
    """A `transcoder.context.Body`. stream: Sanic's Http object, None for a request without; limit: bytes."""

    def __init__(self, stream: Any, limit: int) -> None:
        self._stream = stream
        self._limit = limit

    async def read(self) -> bytes:
        """All of it, up to the limit."""
        if not self._is_unread:
            return b""
        self._stream.request_max_size = self._limit
        parts = []
        try:
            async with asyncio.timeout(READ_TIMEOUT):
                while part := await self._next():
                    parts.append(part)
        except TimeoutError as error:
            raise self._too_slow() from error
        return b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Its parts as they arrive."""
        while self._is_unread:
            try:
                part = await asyncio.wait_for(self._next(), READ_TIMEOUT)
            except TimeoutError as error:
                raise self._too_slow() from error
            if part:
                yield part

    async def skip(self) -> None:
        """Read what nobody wanted, so that the connection can go on; give it up if that is too much."""
        try:
            await self.read()
        except TranscodeError:
            self._stream.request_body = None
            self._stream.keep_alive = False

    @property
    def _is_unread(self) -> bool:
        return self._stream is not None and bool(self._stream.request_body)

    async def _next(self) -> bytes | None:
        try:
            part: bytes | None = await self._stream.read() if self._is_unread else None
        except PayloadTooLarge as error:
            message = f"the body is larger than {self._limit} bytes"
            raise TranscodeError(PAYLOAD_TOO_LARGE, message) from error
        except BadRequest as error:
            raise TranscodeError(INVALID_ARGUMENT, "malformed body", reason=str(error)) from error
        return part

    def _too_slow(self) -> TranscodeError:
        self._stream.keep_alive = False
        return TranscodeError(REQUEST_TIMEOUT, "the body did not arrive in time")
