"""WebSockets, as Sanic has them, for conversations of the gateway."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from sanic.exceptions import WebsocketClosed
from sanic.server.websockets.impl import WebsocketImplProtocol
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from transcoder.context import RequestContext, Socket
from transcoder.errors import INVALID_ARGUMENT, TranscodeError
from transcoder.server.connection import Connection

MAX_MESSAGE: Final = 1024 * 1024
"""Bytes of a message from a client."""

_MAX_REASON: Final = 123
"""Bytes of the reason of a close frame (RFC 6455, section 5.5)."""


async def accept_socket(client: Connection, ctx: RequestContext) -> Socket:
    """Shake hands. Raises TranscodeError (INVALID_ARGUMENT) when the client does it wrong."""
    protocol = ServerProtocol(max_size=MAX_MESSAGE, state=State.OPEN)
    response = protocol.accept(Request(ctx.path, Headers(ctx.headers)))
    if response.status_code != 101:
        reason = (response.body or b"").decode()
        raise TranscodeError(INVALID_ARGUMENT, "malformed WebSocket handshake", reason=reason)
    if (room := client.write(response.serialize())) is not None:
        await room
    socket: Any = WebsocketImplProtocol(protocol)
    await socket.connection_made(client, loop=client.loop)
    client.hand_over(socket)
    return WebSocket(socket)


class WebSocket:
    """A `transcoder.context.Socket` over one of Sanic's."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    async def receive(self) -> bytes | None:
        """The next message, None when the client has gone."""
        try:
            message = await self._socket.recv()
        except (ConnectionClosed, WebsocketClosed):
            return None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return None  # Sanic cancels what waits for a message when the connection closes
        return message.encode() if isinstance(message, str) else message

    async def send(self, message: bytes, *, is_text: bool) -> bool:
        """Send a message; False when the client has gone."""
        try:
            await self._socket.send(message.decode() if is_text else message)
        except (ConnectionClosed, WebsocketClosed):
            return False
        return True

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye; a reason that is too long is cut."""
        text = reason.encode()[:_MAX_REASON].decode(errors="ignore")
        try:
            await self._socket.close(code, text)
        except (ConnectionClosed, WebsocketClosed):
            return
