"""A connection of the public port: its bytes, their order, and how long anything may take."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sanic.server.protocols.base_protocol import SanicProtocol
from websockets.protocol import State

from transcoder.errors import REQUEST_TIMEOUT, TranscodeError
from transcoder.server.alarm import Alarm
from transcoder.server.answer import CONTINUE
from transcoder.server.head import Head, HeadParser

MAX_BUFFERED: Final = 64 * 1024
"""Bytes that wait for somebody to take them, in either direction; what is more has to wait elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds a client may take.

    head: for a head, from its first byte to its last; body: for a body that is read as a whole, else for its
    next part; idle: between requests; send: to make room for more of an answer; linger: to stop sending what
    nobody will read; quiet: after which an idle client has no request on its way to us.
    """

    head: float = 10.0
    body: float = 60.0
    idle: float = 120.0
    send: float = 60.0
    linger: float = 2.0
    quiet: float = 1.0


class Service(Protocol):
    """What answers requests."""

    async def serve(self, client: Connection, head: Head) -> None:
        """Answer a request; `Connection.answered` is called at its end, however it ends."""

    def refuse(self, error: TranscodeError, head: bytes) -> bytes:
        """The answer to what is no request, before the connection is closed.

        head: what has come, of the head and perhaps behind it.
        """


class Connection(SanicProtocol):
    """A client, and a `transcoder.server.body.Wire`. It has a task while a request is being answered.

    What arrives is kept until somebody takes it: the parser of heads between requests, else the body of the
    request that is being answered. While too much is kept, nothing is read from the socket.
    peer: address of the client; scheme: `http` or `https`.
    """

    transport: Any
    conn_info: Any

    __slots__ = (
        "_alarm",
        "_buffer",
        "_is_in_head",
        "_is_over",
        "_is_reading_paused",
        "_parser",
        "_service",
        "_waiter",
        "expects_continue",
        "patience",
        "peer",
        "scheme",
        "websocket",
    )

    def __init__(self, *, service: Service, patience: Patience, **sanic: Any) -> None:
        super().__init__(**sanic)
        self.patience = patience
        self.expects_continue = False
        self.websocket: Any = None  # sanic's, which has no annotations
        self._service = service
        self._parser = HeadParser()
        self._buffer = b""
        self._is_in_head = False
        self._is_over = False
        self._is_reading_paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._alarm = Alarm(self.loop, self._overdue)

    def connection_made(self, transport: Any) -> None:
        """Take over a connection."""
        super().connection_made(transport)  # type: ignore[no-untyped-call]
        self.peer: str = self.conn_info.client_ip
        self.scheme = "https" if self.conn_info.ssl else "http"
        self._wait_for_request()

    def data_received(self, data: bytes) -> None:
        """Bytes of a head or a body, of requests to come, of a WebSocket, or what nobody will read."""
        if self.websocket is not None:
            self.websocket.data_received(data)
        elif not self._is_over:
            self._buffer = self._buffer + data if self._buffer else data
            if self._task is None:
                self._next_request()
            elif self._waiter is not None:
                if not self._waiter.done():
                    self._waiter.set_result(None)
            else:
                self._pause_reading()

    def eof_received(self) -> bool | None:
        """The client has closed its side: it is gone."""
        return self.websocket.eof_received() if self.websocket is not None else None

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered."""
        super().pause_writing()  # type: ignore[no-untyped-call]
        self._alarm.set(self.patience.send)

    def resume_writing(self) -> None:
        """There is room for more of the answer."""
        super().resume_writing()  # type: ignore[no-untyped-call]
        if self._is_over:
            self._alarm.set(self.patience.linger)
        else:
            self._alarm.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, and nobody need work for it."""
        self._is_over = True
        if self.websocket is not None:
            self.websocket.connection_lost(exc)
        super().connection_lost(exc)  # type: ignore[no-untyped-call]
        self._alarm.stop()

    def abort(self) -> None:
        """Cut the connection."""
        self.transport.abort()

    def close_if_idle(self) -> bool:
        """Close the connection if there is no request on it, nor may be soon; returns whether it is closed.

        A client that has just connected, or just been answered, may already have sent the next request.
        """
        if self.websocket is not None:
            return self._close_socket()
        if self._task is not None or self._is_in_head or self._is_over:
            return False
        if self.loop.time() - self._alarm.set_at < self.patience.quiet:
            return False
        self._hang_up(is_read=True)
        return True

    def take(self) -> bytes:
        """What has come of the body, or behind it."""
        data, self._buffer = self._buffer, b""
        if self._is_reading_paused:
            self._resume_reading()  # also to hear of it when the client goes
        return data

    def give_back(self, data: bytes) -> None:
        """What is behind the body, or more of it than can be looked at now."""
        self._buffer = data
        self._pause_reading()

    async def more(self) -> None:
        """Wait until there is something to take; if there is, others have their turn."""
        if self._buffer:
            await asyncio.sleep(0)
            return
        if self.expects_continue:
            self.expects_continue = False
            self.transport.write(CONTINUE)
        self._waiter = self.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def hand_over(self, websocket: Any) -> None:
        """From now on a WebSocket of Sanic's gets what comes."""
        self.websocket = websocket
        if early := self.take():
            websocket.data_received(early)

    def write(self, data: bytes) -> Awaitable[object] | None:
        """Send bytes; returns what to wait for before more is sent, None if there is room already."""
        if self.transport.is_closing():
            return None
        if len(data) > MAX_BUFFERED:
            return self._write_in_parts(data)
        self.transport.write(data)
        return None if self._can_write.is_set() else self._can_write.wait()

    def write_if_room(self, data: bytes) -> None:
        """Send bytes, or forget them when those before are still waiting for the client to read."""
        if self._can_write.is_set() and not self.transport.is_closing():
            self.transport.write(data)

    def answered(self, *, is_kept: bool, is_read: bool) -> None:
        """The task of the request is done. is_kept: whether the connection is good for another request.

        is_read: whether all of this one was taken.
        """
        self._task = None  # the error of a task that is cancelled would hold all that the request held
        if self.transport.is_closing():
            return
        if is_kept:
            self._wait_for_request()
        elif self.websocket is not None:
            self.websocket.end_connection(1001)
        else:
            self._hang_up(is_read=is_read and not self._buffer)

    async def _write_in_parts(self, data: bytes) -> None:
        """Send much, no faster than the client takes it."""
        view = memoryview(data)
        for start in range(0, len(data), MAX_BUFFERED):
            await self._can_write.wait()
            self.transport.write(view[start : start + MAX_BUFFERED])
        await self._can_write.wait()

    def _wait_for_request(self) -> None:
        if self._is_reading_paused:
            self._resume_reading()
        if self._buffer:
            self._next_request()
        else:
            self._alarm.set(self.patience.idle)

    def _next_request(self) -> None:
        """Begin with the next request, if its head is here."""
        try:
            found = self._parser.parse(self._buffer)
        except TranscodeError as error:
            self._refuse(error)
            return
        if found is not None:
            head, self._buffer = found
            self._is_in_head = False
            self._alarm.clear()
            self.expects_continue = head.expects_continue
            # a context of its own: nothing of one request is known in the next; a name, since to make one up
            # for every task, as `create_task` does, takes 0.3 us
            self._task = asyncio.Task(
                self._service.serve(self, head), loop=self.loop, name="request", context=Context()
            )
        elif not self._is_in_head:
            self._is_in_head = True
            self._alarm.set(self.patience.head)

    def _refuse(self, error: TranscodeError) -> None:
        self.transport.write(self._service.refuse(error, self._buffer))
        self._hang_up(is_read=False)

    def _hang_up(self, *, is_read: bool) -> None:
        """Close the connection when all is sent.

        is_read: whether the client has nothing more to say. Otherwise it is heard for a while: to close on
        what it still sends would reset the connection before it reads its answer (RFC 9112, section 9.6).
        """
        self._is_over = True
        self._buffer = b""
        if is_read:
            self.transport.close()
            self._alarm.set(self.patience.send)
            return
        if self.transport.can_write_eof():  # TLS cannot
            self.transport.write_eof()
        if self._is_reading_paused:
            self._resume_reading()
        self._alarm.set(self.patience.linger)

    def _overdue(self) -> None:
        if not self._can_write.is_set() or self.transport.is_closing():
            self.transport.abort()
        elif self._is_in_head and not self._is_over:
            self._refuse(TranscodeError(REQUEST_TIMEOUT, "the request did not arrive in time"))
        else:
            self._hang_up(is_read=True)

    def _close_socket(self) -> bool:
        """Say goodbye, once; returns whether that was done before."""
        is_open = self.websocket.ws_proto.state is State.OPEN
        if is_open:
            self.loop.create_task(self.websocket.close(1001))
        return not is_open

    def _pause_reading(self) -> None:
        """Leave what comes where it is, if there is much already."""
        if len(self._buffer) > MAX_BUFFERED and not self._is_reading_paused:
            self._is_reading_paused = True
            self.transport.pause_reading()

    def _resume_reading(self) -> None:
        self._is_reading_paused = False
        self.transport.resume_reading()
