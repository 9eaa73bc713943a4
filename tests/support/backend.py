"""A gRPC server for any schema that answers as told and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection, reflection_pb2

from tests.support.protos import Schema

Metadata: TypeAlias = Sequence[tuple[str, str | bytes]]

REFLECTION_V1: Final = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
REFLECTION_V1ALPHA: Final = "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
REFLECTION: Final = (REFLECTION_V1, REFLECTION_V1ALPHA)


@dataclass(slots=True, kw_only=True)
class Call:
    """One call as the backend saw it.

    method: `pkg.Service/Method`; timeout: seconds to the deadline when the call came (the wire rounds it up),
    None without one; wire: the request messages read so far; cancelled: the client went away, or the deadline
    passed, before the end.
    """

    method: str
    metadata: Metadata
    timeout: float | None
    context: grpc.aio.ServicerContext[bytes, bytes]
    incoming: AsyncIterator[bytes]
    request_type: type[Message]
    wire: list[bytes] = field(default_factory=list)
    cancelled: bool = False
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def messages(self) -> list[Any]:
        return [self.request_type.FromString(wire) for wire in self.wire]

    @property
    def message(self) -> Any:
        """The only request message."""
        (message,) = self.messages
        return message

    def values(self, key: str) -> list[str | bytes]:
        """Every value of one metadata key."""
        return [value for name, value in self.metadata if name == key]

    async def requests(self) -> AsyncGenerator[Any, None]:
        """The request messages, parsed as they arrive."""
        async for wire in self.incoming:
            self.wire.append(wire)
            yield self.request_type.FromString(wire)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer: what goes before, the messages, and how it ends."""

    messages: Sequence[Message] = ()
    metadata: Metadata = ()
    trailers: Metadata = ()
    code: grpc.StatusCode = grpc.StatusCode.OK
    text: str = ""


Reply: TypeAlias = Message | Sequence[Message] | Answer
Handler: TypeAlias = Callable[[Call], Awaitable[Reply] | AsyncGenerator[Message, None]]


def failure(code: grpc.StatusCode, text: str = "", *, details: Iterable[Message] = ()) -> Answer:
    """An error; details travel as a google.rpc.Status in `grpc-status-details-bin`."""
    status = Status(code=code.value[0], message=text)
    for detail in details:
        status.details.append(_packed(detail))
    trailers = [("grpc-status-details-bin", status.SerializeToString())] if status.details else []
    return Answer(code=code, text=text, trailers=trailers)


def _packed(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


class RecordingBackend:
    """Serves every method of a schema on 127.0.0.1.

    replies: what each `pkg.Service/Method` answers: a message, messages, an Answer, or an async function of
    the Call that returns one of these or yields messages. A method not listed answers an empty message.
    Reflection is one more method: a reply under its name replaces the honest one.
    reflection: the versions served. port: 0 picks a free one, which a restart keeps. socket: a Unix socket
    to listen on instead. health: told to everyone who asks `grpc.health.v1`, if anything.
    `schema`, `replies` and `reflection` may be changed: replies at once, the others at the next start.
    """

    def __init__(
        self,
        schema: Schema,
        replies: Mapping[str, Reply | Handler] | None = None,
        *,
        reflection: Sequence[str] = REFLECTION,
        credentials: grpc.ServerCredentials | None = None,
        options: Sequence[tuple[str, Any]] = (),
        port: int = 0,
        socket: Path | None = None,
        health: health_aio.HealthServicer | None = None,
    ) -> None:
        self.schema = schema
        self.replies = dict(replies or {})
        self.reflection = reflection
        self.port = port
        self.calls: list[Call] = []
        self.reflection_calls: list[Call] = []
        self.peers: set[str] = set()
        self._credentials = credentials
        self._socket = socket
        self._health = health
        self._options = [("grpc.so_reuseport", 0), *options]
        self._arrival = asyncio.Condition()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}" if self._socket is None else f"unix:{self._socket}"

    async def start(self) -> None:
        self._methods = _Methods(self.schema, self.reflection, self._serve)
        self._server = grpc.aio.server(handlers=[self._methods], options=self._options)
        if self._credentials is None:
            self.port = self._server.add_insecure_port(self.address)
        else:
            self.port = self._server.add_secure_port(self.address, self._credentials)
        if self._health is not None:
            health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        await self._server.start()

    async def stop(self, grace: float | None = None) -> None:
        """grace: seconds that running calls have to finish; None cuts them."""
        await self._server.stop(grace)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def wait_for_calls(self, count: int = 1, within: float = 5) -> list[Call]:
        """The calls, once there are `count` of them; raises TimeoutError after `within` seconds."""
        async with asyncio.timeout(within), self._arrival:
            await self._arrival.wait_for(lambda: len(self.calls) >= count)
        return self.calls

    async def _serve(self, call: Call, default: Reply | Handler) -> None:
        await self._record(call)
        try:
            await _answer(call, self.replies.get(call.method, default))
        except asyncio.CancelledError:
            call.cancelled = True
            raise
        finally:
            call.done.set()

    async def _record(self, call: Call) -> None:
        self.peers.add(call.context.peer())
        (self.reflection_calls if call.method in REFLECTION else self.calls).append(call)
        async with self._arrival:
            self._arrival.notify_all()


async def _answer(call: Call, reply: Reply | Handler) -> None:
    told = reply(call) if callable(reply) else _after_the_requests(call, reply)
    if isinstance(told, AsyncGenerator):
        async with aclosing(told):
            async for message in told:
                await call.context.write(message.SerializeToString())
    else:
        await _send(call.context, await told)


async def _after_the_requests(call: Call, reply: Reply) -> Reply:
    async for _ in call.requests():
        pass
    return reply


async def _send(context: grpc.aio.ServicerContext[bytes, bytes], reply: Reply) -> None:
    answer = _whole(reply)
    if answer.metadata or answer.messages or answer.code is grpc.StatusCode.OK:  # else it is trailers only
        await context.send_initial_metadata(tuple(answer.metadata))
    for message in answer.messages:
        await context.write(message.SerializeToString())
    if answer.code is not grpc.StatusCode.OK:
        await context.abort(answer.code, answer.text, tuple(answer.trailers))
    context.set_trailing_metadata(tuple(answer.trailers))


def _whole(reply: Reply) -> Answer:
    if isinstance(reply, Answer):
        return reply
    return Answer(messages=[reply] if isinstance(reply, Message) else reply)


class _Methods(grpc.GenericRpcHandler):
    """The methods of a schema and of reflection: all bytes, all as streams (unary is length 1)."""

    def __init__(
        self,
        schema: Schema,
        versions: Sequence[str],
        serve: Callable[[Call, Reply | Handler], Awaitable[None]],
    ) -> None:
        self._serve = serve
        self._methods: dict[str, tuple[type[Message], Reply | Handler]] = {
            f"{method.containing_service.full_name}/{method.name}": (
                GetMessageClass(method.input_type),
                GetMessageClass(method.output_type)(),
            )
            for method in schema.methods()
        }
        honest = reflect(schema)
        self._methods |= dict.fromkeys(versions, (reflection_pb2.ServerReflectionRequest, honest))

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        name = details.method.removeprefix("/")
        if name not in self._methods:
            return None
        request_type, default = self._methods[name]

        async def serve(
            incoming: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]
        ) -> None:
            call = Call(
                method=name,
                metadata=tuple(context.invocation_metadata() or ()),
                timeout=context.time_remaining(),
                context=context,
                incoming=incoming,
                request_type=request_type,
            )
            await self._serve(call, default)

        return grpc.stream_stream_rpc_method_handler(serve)


def reflect(schema: Schema) -> Handler:
    """What grpcio-reflection answers; it knows only v1alpha, whose messages are v1's on the wire."""
    servicer = reflection.aio.ReflectionServicer(schema.services(), pool=schema.pool)

    async def answer(call: Call) -> AsyncGenerator[Message, None]:
        responses: Any = servicer.ServerReflectionInfo(call.requests(), call.context)  # stubs lack `yield`
        async for response in responses:
            yield response

    return answer
