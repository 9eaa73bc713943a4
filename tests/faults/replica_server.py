"""A backend in a process of its own: `python -m tests.faults.replica_server NAME PORT`. It answers its name.

SIGTERM lets it finish what it has begun. Get is unary for grpc, too, so that an answer is one batch: once the
headers of a call have come, grpc does not make it again. Watch sends one message, and does not end.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import grpc
from grpc_reflection.v1alpha import reflection

from tests.support.orders import GET, PROTO, WATCH
from tests.support.process import Process, running
from tests.support.protos import Schema

TAKES: Final = 0.005
"""Seconds for an answer, so that there always are calls to be lost."""

GRACE: Final = 5.0


@asynccontextmanager
async def running_replica(name: str, port: int) -> AsyncIterator[Process]:
    async with running(sys.executable, "-m", "tests.faults.replica_server", name, str(port)) as process:
        await process.wait_for_line("listening")
        yield process


class _Orders(grpc.GenericRpcHandler):
    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        handlers = {
            f"/{GET}": grpc.unary_unary_rpc_method_handler(self._get),
            f"/{WATCH}": grpc.unary_stream_rpc_method_handler(self._watch),
        }
        return handlers.get(details.method)

    async def _get(self, _request: bytes, _context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        await asyncio.sleep(TAKES)
        return self._answer

    async def _watch(
        self, _request: bytes, _context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> AsyncGenerator[bytes, None]:
        yield self._answer
        await asyncio.Event().wait()


async def _serve(name: str, port: str) -> None:
    schema = Schema.from_protos(PROTO)
    order = schema.message("shop.v1.Order", id=name)
    server = grpc.aio.server(
        handlers=[_Orders(order.SerializeToString())], options=[("grpc.so_reuseport", 0)]
    )
    reflection.enable_server_reflection(schema.services(), server, pool=schema.pool)
    server.add_insecure_port(f"127.0.0.1:{port}")
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await server.start()
    print("listening", flush=True)
    await stopped.wait()
    await server.stop(GRACE)


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
