"""WebSockets, as Sanic has them, for conversations of the gateway."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from sanic.exceptions import SanicException, WebsocketClosed
from websockets.exceptions import ConnectionClosed

from transcoder.context import Socket
from transcoder.errors import INVALID_ARGUMENT, TranscodeError
from transcoder.server.http import AnyRequest

_MAX_REASON: Final = 123
"""Bytes of the reason of a close frame (RFC 6455, section 5.5)."""


def is_upgrade(request: AnyRequest) -> bool:
    """Whether a client wants to go on with a WebSocket."""
    return bool(getattr(request.stream, "upgrade_websocket", False))


async def accept_socket(request: AnyRequest) -> Socket:
    """Shake hands. Raises TranscodeError (INVALID_ARGUMENT) when the client does it wrong."""
    protocol: Any = request.transport.get_protocol()
    try:
        return WebSocket(await protocol.websocket_handshake(request))
    except SanicException as error:
        reason = str(error)
        raise TranscodeError(INVALID_ARGUMENT, "malformed WebSocket handshake", reason=reason) from error


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
