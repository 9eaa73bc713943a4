"""Clients that leave in the middle, many times: nothing of them stays behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

import pytest
from google.protobuf.message import Message

from tests.faults.replicas import gateway_to, memory, replica
from tests.support.backend import Call
from tests.support.orders import GET, TALK, WATCH
from tests.support.raw import connect, request

MESSAGE: Final = 500_000
"""Bytes of a message."""

AT_ONCE: Final = 10
WARM_UP: Final = 3
ROUNDS: Final = 12


async def hold(_: Call) -> AsyncGenerator[Message, None]:
    await asyncio.Event().wait()
    yield Message()


@pytest.mark.parametrize("path", ["/orders/1", "/watch", "/talk"])
async def test_messages_of_clients_that_left_are_forgotten(tmp_path: Path, path: str) -> None:
    """grpc never frees the message of a call whose awaiter is cancelled."""
    ask = request("POST", path, body=b'{"id": "%b"}' % (b"x" * MESSAGE))
    async with replica("a") as backend, gateway_to(backend.address, tmp_path) as gateway:
        backend.replies |= dict.fromkeys((GET, WATCH, TALK), hold)
        used = []
        for _ in range(WARM_UP + ROUNDS):
            writers = [(await connect(gateway.url))[1] for _ in range(AT_ONCE)]
            for writer in writers:
                writer.write(ask)
            await backend.wait_for_calls(AT_ONCE)
            for writer in writers:
                writer.close()
            async with asyncio.timeout(10):
                await asyncio.gather(*(call.done.wait() for call in backend.calls))
            backend.calls.clear()
            used.append(await memory(gateway))
        assert used[-1] - used[WARM_UP] < ROUNDS * AT_ONCE * MESSAGE / 1e6 / 3
