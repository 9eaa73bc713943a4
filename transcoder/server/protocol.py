"""HTTP/1 as Sanic reads it on the admin port, where that alone would not do."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any, Final

from sanic.http.constants import Stage
from sanic.http.http1 import Http
from sanic.server.protocols.websocket_protocol import WebSocketProtocol

from transcoder.errors import INVALID_ARGUMENT, REQUEST_TIMEOUT, TranscodeError
from transcoder.server.head import HeadParser

HEAD_TIMEOUT: Final = 10.0
"""Seconds from the first byte of a head to its last."""

QUIET: Final = 1.0
"""Seconds without a byte after which an idle connection has no request on its way to us."""


class Http1(Http):
    """Reads no head that the public port would refuse."""

    __slots__ = ()

    async def http1_request_header(self) -> None:
        """Read a head. Raises TranscodeError for what Sanic would let pass."""
        parser = HeadParser()
        try:
            async with asyncio.timeout(HEAD_TIMEOUT):
                while (found := parser.parse(bytes(self.recv_buffer))) is None:
                    await self._receive_more()
        except TimeoutError as error:
            raise TranscodeError(REQUEST_TIMEOUT, "the request did not arrive in time") from error
        if found[0].length is None:  # what Sanic makes of chunks is not checked
            raise TranscodeError(INVALID_ARGUMENT, "a body needs a Content-Length")
        await super().http1_request_header()  # type: ignore[no-untyped-call]

    async def error_response(self, exception: Exception) -> None:
        """Answer a request that failed; of one that could not be read there is nothing to ask the guards."""
        if self.stage is Stage.REQUEST and isinstance(exception, TranscodeError):
            self.keep_alive = False
            self.stage = Stage.HANDLER
            self.create_empty_request()
            await self.protocol.app.handle_exception(self.request, exception, False)
        else:
            await super().error_response(exception)

    def create_empty_request(self) -> None:
        """A request to refuse where none could be read. Its target may be what could not be read."""
        self.url = None
        super().create_empty_request()


class Protocol(WebSocketProtocol):
    """What the listener of the admin port speaks."""

    __slots__ = ()
    HTTP_CLASS = Http1

    def connection_made(self, transport: Any) -> None:
        """Take over a connection."""
        super().connection_made(transport)  # type: ignore[no-untyped-call]
        self._time = monotonic()

    def close_if_idle(self) -> bool:
        """Close the connection if there is no request on it, nor may be soon; returns whether it is closed.

        A client that has just connected, or just been answered, may already have sent the next request.
        """
        # _time: when something was last received or sent
        if monotonic() - self._time < QUIET:
            return False
        return bool(super().close_if_idle())  # type: ignore[no-untyped-call]
