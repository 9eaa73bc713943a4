"""A backend of the soak: `python -m benchmarks.soak.backend SIDE PORT`, until SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc
from grpc_reflection.v1alpha import reflection

from benchmarks.soak.notes import PROTO, SERVICE
from tests.support.protos import Schema

READY: Final = "serving"
_GRACE: Final = 2.0
_MESSAGE_INTERVAL: Final = 0.05
_OPTIONS: Final = (("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 4 * 2**20))


class _Notes:
    """The methods; every answer says which backend gave it, and to whom."""

    def __init__(self, side: str) -> None:
        self._side = side

    async def get(self, note: Any, context: Any) -> Any:
        return self._signed(note, context)

    async def wait(self, note: Any, context: Any) -> Any:
        await asyncio.sleep(note.number / 1000)
        return self._signed(note, context)

    async def watch(self, note: Any, context: Any) -> AsyncIterator[Any]:
        for number in range(note.number):
            yield self._signed(type(note)(id=note.id, number=number), context)
            await asyncio.sleep(_MESSAGE_INTERVAL)

    async def chat(self, notes: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for note in notes:
            yield self._signed(note, context)

    def _signed(self, note: Any, context: Any) -> Any:
        note.user = dict(context.invocation_metadata()).get("x-user-id", "")
        note.side = self._side
        return note


def _handler(schema: Schema, notes: _Notes) -> grpc.GenericRpcHandler:
    note: Any = schema.type("soak.v1.Note")
    codec: dict[str, Any] = {
        "request_deserializer": note.FromString,
        "response_serializer": note.SerializeToString,
    }
    methods = {
        "Get": grpc.unary_unary_rpc_method_handler(notes.get, **codec),
        "Wait": grpc.unary_unary_rpc_method_handler(notes.wait, **codec),
        "Watch": grpc.unary_stream_rpc_method_handler(notes.watch, **codec),
        "Chat": grpc.stream_stream_rpc_method_handler(notes.chat, **codec),
    }
    return grpc.method_handlers_generic_handler(SERVICE, methods)


async def serve(side: str, port: int) -> None:
    """Serve until SIGTERM; calls then have a moment to finish."""
    schema = Schema.from_protos(PROTO)
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers([_handler(schema, _Notes(side))])
    reflection.enable_server_reflection([SERVICE, reflection.SERVICE_NAME], server, pool=schema.pool)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    print(READY, flush=True)
    await ended.wait()
    await server.stop(_GRACE)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
