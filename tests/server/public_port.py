"""A public port in front of any handler."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ssl import SSLContext

from tests.support.events import Events
from tests.support.raw import RawAnswer, read_answer
from transcoder.config.model import ServerConfig
from transcoder.context import Handler, Reply, RequestContext
from transcoder.plan.reply import refuse
from transcoder.server.connection import Patience
from transcoder.server.listener import Listener
from transcoder.server.public import make_public_app

PATIENCE = 5.0


class Client:
    """A connection to it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))

    async def answer(self, *, has_body: bool = True) -> RawAnswer:
        async with asyncio.timeout(PATIENCE):
            return await read_answer(self.reader, has_body=has_body)

    async def rest(self) -> bytes:
        """All that comes before the other side closes."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()

    async def ask(self, *parts: bytes) -> RawAnswer:
        self.send(*parts)
        return await self.answer()


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    number: int
    listener: Listener
    log: Events

    @asynccontextmanager
    async def client(self, tls: SSLContext | None = None) -> AsyncIterator[Client]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.number, ssl=tls)
        try:
            yield Client(reader, writer)
        finally:
            writer.transport.abort()


async def echo(ctx: RequestContext) -> Reply:
    """Answers with the method, the target and the body of a request."""
    body = await ctx.body.read()
    return Reply(body=f"{ctx.http_method} {ctx.path} ".encode() + body, content_type="text/plain")


@asynccontextmanager
async def serving(
    handler: Handler = echo,
    *,
    limit: int = 10**6,
    patience: Patience | None = None,
    tls: SSLContext | None = None,
) -> AsyncIterator[Port]:
    sock = socket.create_server(("127.0.0.1", 0))
    log = Events()
    config = ServerConfig.model_construct(max_request_body=limit)
    app = make_public_app(handler, refuse, config, log, patience)
    listener = await Listener.start(app, sock, tls)
    try:
        yield Port(number=sock.getsockname()[1], listener=listener, log=log)
    finally:
        if sock.fileno() >= 0:  # a test may have stopped it
            hurry = asyncio.Event()
            hurry.set()
            await listener.stop(1, hurry)
