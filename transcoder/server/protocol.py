"""HTTP/1 as Sanic reads it, where that alone would not do."""

from __future__ import annotations

from sanic.http.http1 import Http
from sanic.server.protocols.http_protocol import HttpProtocol


class Http1(Http):
    """A connection that answers requests it cannot make sense of, too."""

    __slots__ = ()

    def create_empty_request(self) -> None:
        """A request to refuse where none could be read. Its target may be what could not be read."""
        self.url = None
        super().create_empty_request()


class Protocol(HttpProtocol):
    """What a listener speaks."""

    __slots__ = ()
    HTTP_CLASS = Http1
