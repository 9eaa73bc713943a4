"""HTTP/1 as Sanic reads it, where that alone would not do."""

from __future__ import annotations

from time import monotonic
from typing import Any, Final

from sanic.http.http1 import Http
from sanic.server.protocols.websocket_protocol import WebSocketProtocol

QUIET: Final = 1.0
"""Seconds without a byte after which an idle connection has no request on its way to us."""


class Http1(Http):
    """A connection that answers requests it cannot make sense of, too."""

    __slots__ = ()

    def create_empty_request(self) -> None:
        """A request to refuse where none could be read. Its target may be what could not be read."""
        self.url = None
        super().create_empty_request()


class Protocol(WebSocketProtocol):
    """What a listener speaks."""

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
        # a WebSocket that is told to close says nothing, and is not closed yet
        return bool(super().close_if_idle())  # type: ignore[no-untyped-call]
