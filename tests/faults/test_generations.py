"""A backend that becomes another version all the time: every request is read and answered by one schema."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import Message
from websockets.asyncio.client import connect as open_socket

from tests.support.backend import REFLECTION_V1, Call, RecordingBackend, reflect
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.protos import Schema

PROTO: Final = """
syntax = "proto3";
package shop.v1;
service Orders {{
  rpc Echo(Pair) returns (Pair);
  rpc EchoAll(stream Pair) returns (stream Pair);
}}
message Pair {{ string {} = 1; string {} = 2; }}
"""
LEFT, RIGHT = (Schema.from_protos(PROTO.format(*names)) for names in (("a", "b"), ("b", "a")))
"""Their fields have changed places: what one has encoded is something else to the other."""

ECHO: Final = "shop.v1.Orders/Echo"
ECHO_ALL: Final = "shop.v1.Orders/EchoAll"
PAIR: Final = {"a": "1", "b": "2"}
CHANGES: Final = 8
CLIENTS: Final = 6


async def echo(call: Call) -> AsyncGenerator[Message, None]:
    async for message in call.requests():
        await asyncio.sleep(0.01)  # so that schemas change meanwhile
        yield message


async def ask(gateway: RunningGateway, answers: list[tuple[int, Any]], is_over: asyncio.Event) -> None:
    while not is_over.is_set():
        answer = await gateway.client.post(f"/{ECHO}", json=PAIR)
        answers.append((answer.status_code, answer.json()))


async def talk(gateway: RunningGateway, messages: list[Any], is_over: asyncio.Event) -> None:
    """In one conversation from the beginning to the end."""
    async with open_socket(f"{gateway.url.replace('http', 'ws')}/{ECHO_ALL}", proxy=None) as socket:
        while not is_over.is_set():
            await socket.send(json.dumps(PAIR))
            messages.append(json.loads(await socket.recv()))


async def change(gateway: RunningGateway, backend: RecordingBackend, to: Schema) -> None:
    backend.replies[REFLECTION_V1] = reflect(to)
    answer = await gateway.admin.post("/services/shop/refresh")
    assert [outcome["changed"] for outcome in answer.json()["workers"]] == [True]


async def test_no_request_sees_two_generations(tmp_path: Path) -> None:
    async with RecordingBackend(LEFT, {ECHO: echo, ECHO_ALL: echo}) as backend:
        config = {"services": {"shop": {"address": backend.address, "expose": ["methods"]}}}
        answers: list[tuple[int, Any]] = []
        messages: list[Any] = []
        is_over = asyncio.Event()
        async with (
            running_gateway(config, tmp_path) as gateway,
            asyncio.timeout(60),
            asyncio.TaskGroup() as group,
        ):
            for _ in range(CLIENTS):
                group.create_task(ask(gateway, answers, is_over))
            group.create_task(talk(gateway, messages, is_over))
            for number in range(CHANGES):
                await backend.wait_for_calls(len(backend.calls) + 2 * CLIENTS, within=20)
                await change(gateway, backend, LEFT if number % 2 else RIGHT)
            is_over.set()
    wrong = [answer for answer in answers if answer != (200, PAIR)]
    assert (wrong, [message for message in messages if message != PAIR]) == ([], [])
    seen = {call.wire[0] for call in backend.calls if call.method == ECHO and call.wire}
    assert len(seen) == 2, "both generations have been used"
