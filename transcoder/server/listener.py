"""A Sanic app on a socket, started and stopped by hand, so that stopping can wait for what is in flight."""

from __future__ import annotations

import asyncio
import select
import socket
from contextlib import suppress
from ssl import SSLContext
from typing import Any, Final

from sanic import Sanic
from sanic.application.state import ApplicationServerInfo
from sanic.http.constants import HTTP

from transcoder.server.protocol import Protocol

BACKLOG: Final = 2048
"""Connections that may wait to be accepted."""

POLL: Final = 0.05
"""Seconds between looks at connections that are still busy."""

ROUNDS: Final = 100
"""Turns of the event loop after which a socket is closed even if clients keep connecting."""


class Listener:
    """One listening port of this process."""

    def __init__(self, app: Sanic[Any, Any], sock: socket.socket, server: Any) -> None:
        self._app = app
        self._sock = sock
        self._server = server

    @classmethod
    async def start(
        cls, app: Sanic[Any, Any], sock: socket.socket, tls: SSLContext | None = None
    ) -> Listener:
        """Serve an app on a bound socket, with the protocol it brings, or else Sanic's."""
        # tells Sanic that it need not offer HTTP/3 in an (empty) Alt-Svc header of every answer
        app.state.server_info.append(ApplicationServerInfo(settings={"version": HTTP.VERSION_1}))
        protocol = getattr(app.ctx, "protocol", Protocol)
        # Any: sanic.server.AsyncioServer has no annotations
        server: Any = await app.create_server(sock=sock, ssl=tls, protocol=protocol, backlog=BACKLOG)
        await server.startup()
        await server.before_start()
        await server.start_serving()
        await server.after_start()
        return cls(app, sock, server)

    def stop_keeping_alive(self) -> None:
        """Answer with `Connection: close` from now on, so that clients go elsewhere."""
        self._app.config.KEEP_ALIVE = False

    async def stop(self, timeout: float, hurry: asyncio.Event) -> bool:  # noqa: ASYNC109
        """Stop listening and wait for requests in flight; they are cut after `timeout` seconds or in a hurry.

        Returns whether all of them were answered.
        """
        await self._server.before_stop()
        await self._accept_waiting()
        self._server.close()
        is_drained = await self._drain(timeout, hurry)
        if not is_drained:
            for connection in list(self._server.connections):
                connection.abort()
        await self._server.after_stop()
        Sanic.unregister_app(self._app)
        return is_drained

    async def _accept_waiting(self) -> None:
        """Return when no connection waits to be accepted: closing the socket would reset it."""
        waiting = select.poll()
        waiting.register(self._sock, select.POLLIN)
        for _ in range(ROUNDS):
            if not waiting.poll(0):
                return
            await asyncio.sleep(0)

    async def _drain(self, timeout: float, hurry: asyncio.Event) -> bool:  # noqa: ASYNC109
        """Wait until no connection is left, or for as long as there is; returns whether none is."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                # first the last connections that were accepted have to show up
                await asyncio.sleep(POLL)
                while self._busy():
                    if hurry.is_set():
                        return False
                    await asyncio.sleep(POLL)
                return True
        return False

    def _busy(self) -> bool:
        """Close the connections that are idle; whether others are left."""
        idle = [connection.close_if_idle() for connection in list(self._server.connections)]
        return not all(idle)
