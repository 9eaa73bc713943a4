"""Streams whose backend dies or freezes, whose client goes or does not read, whose deadline has passed."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import Any, Final

import pytest
from google.protobuf.message import Message
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed

from tests.faults.replica_server import running_replica
from tests.faults.replicas import gateway_to, memory, replica
from tests.support.backend import Call, RecordingBackend
from tests.support.gateway import RunningGateway
from tests.support.metrics import read_metrics
from tests.support.orders import TALK, WATCH
from tests.support.ports import free_port
from tests.support.raw import connect, read_answer, request

FORMATS: Final = ("application/x-ndjson", "text/event-stream", "application/json")
READERS: Final = 10
UPLOAD: Final = 100_000_000
"""Bytes, more than any buffers between a client and a backend hold."""

MESSAGE: Final = 10_000
"""Bytes of a message."""


async def in_flight(gateway: RunningGateway) -> float:
    return (await read_metrics(gateway.admin)).sum("transcoder_requests_in_flight")


async def until_idle(gateway: RunningGateway) -> None:
    async with asyncio.timeout(5):
        while await in_flight(gateway):
            pass


async def last_record(gateway: RunningGateway, accept: str, opened: asyncio.Event) -> Any:
    """The last record of a stream, read to its end."""
    headers = {"accept": accept}
    async with gateway.client.stream("GET", "/watch/1", headers=headers) as answer:
        text = ""
        async for part in answer.aiter_text():
            opened.set()
            text += part
    if accept == "application/json":
        return json.loads(text)[-1]
    return json.loads(text.rstrip().rpartition("\n")[2].removeprefix("data: "))


async def goodbye(gateway: RunningGateway, opened: asyncio.Event) -> tuple[int, str]:
    """Code and reason with which a WebSocket is closed."""
    async with open_socket(gateway.url.replace("http", "ws") + "/watch/1", proxy=None) as socket:
        assert json.loads(await socket.recv()) == {"id": "a"}
        opened.set()
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_backend_that_dies_or_freezes_ends_every_stream_with_an_error(
    tmp_path: Path, number: signal.Signals
) -> None:
    port = free_port()
    keepalive = {"time": "1s", "timeout": "1s"}
    async with (
        running_replica("a", port) as process,
        gateway_to(f"127.0.0.1:{port}", tmp_path, keepalive=keepalive) as gateway,
        asyncio.timeout(30),
    ):
        opened = [asyncio.Event() for _ in range(4)]
        streams = [
            asyncio.create_task(last_record(gateway, accept, event))
            for accept, event in zip(FORMATS, opened, strict=False)
        ]
        socket = asyncio.create_task(goodbye(gateway, opened[-1]))
        for event in opened:
            await event.wait()
        assert await in_flight(gateway) == 4
        started = monotonic()
        process.send_signal(number)
        records = await asyncio.gather(*streams)
        assert {record["error"]["code"] for record in records} == {"SERVICE_UNAVAILABLE"}
        assert {record["error"]["message"] for record in records} == {"service unavailable"}
        assert await socket == (1011, "SERVICE_UNAVAILABLE: service unavailable")
        assert monotonic() - started < (1 if number is signal.SIGKILL else 6)
        await until_idle(gateway)


async def test_frozen_backend_is_given_up_by_keepalive(tmp_path: Path) -> None:
    port = free_port()
    keepalive = {"time": "1s", "timeout": "1s"}
    async with (
        running_replica("a", port) as process,
        gateway_to(
            f"127.0.0.1:{port}", tmp_path, keepalive=keepalive, retries={"max_attempts": 1}
        ) as gateway,
        asyncio.timeout(30),
    ):
        assert (await gateway.client.get("/orders/1")).status_code == 200
        process.send_signal(signal.SIGSTOP)
        answers = await asyncio.gather(*(gateway.client.get("/orders/1") for _ in range(5)))
        assert {(answer.status_code, answer.json()["error"]["code"]) for answer in answers} == {
            (503, "SERVICE_UNAVAILABLE")
        }
        await until_idle(gateway)
        process.send_signal(signal.SIGCONT)
        while (await gateway.client.get("/orders/1")).status_code != 200:
            pass


async def hold(_: Call) -> AsyncGenerator[Message, None]:
    await asyncio.Event().wait()
    yield Message()


async def greet(call: Call) -> AsyncGenerator[Message, None]:
    yield call.request_type(id="hello")
    await asyncio.Event().wait()


async def leave_before_the_answer(gateway: RunningGateway, backend: RecordingBackend) -> None:
    _, writer = await connect(gateway.url)
    writer.write(request("GET", "/orders/1"))
    await backend.wait_for_calls()
    writer.close()


async def leave_a_stream(gateway: RunningGateway, backend: RecordingBackend) -> None:
    async with gateway.client.stream("GET", "/watch/1") as answer:
        await anext(answer.aiter_bytes())


async def leave_while_sending(gateway: RunningGateway, backend: RecordingBackend) -> None:
    _, writer = await connect(gateway.url)
    writer.write(request("POST", "/talk", "Transfer-Encoding: chunked") + b'c\r\n{"id": "1"}\n\r\n')
    await backend.wait_for_calls()
    writer.close()


async def leave_a_socket(gateway: RunningGateway, backend: RecordingBackend) -> None:
    async with open_socket(gateway.url.replace("http", "ws") + "/talk", proxy=None) as socket:
        await socket.send('{"id": "1"}')
        assert json.loads(await socket.recv()) == {"id": "hello"}


async def break_a_socket(gateway: RunningGateway, backend: RecordingBackend) -> None:
    """Without a goodbye."""
    async with open_socket(gateway.url.replace("http", "ws") + "/talk", proxy=None) as socket:
        await socket.send('{"id": "1"}')
        assert json.loads(await socket.recv()) == {"id": "hello"}
        socket.transport.abort()


Leave = Callable[[RunningGateway, RecordingBackend], Awaitable[None]]


@pytest.mark.parametrize(
    "leave",
    [leave_before_the_answer, leave_a_stream, leave_while_sending, leave_a_socket, break_a_socket],
)
async def test_call_of_a_client_that_goes_is_cancelled_within_a_second(tmp_path: Path, leave: Leave) -> None:
    async with replica("a", 60) as backend, gateway_to(backend.address, tmp_path) as gateway:
        backend.replies |= {WATCH: greet, TALK: greet}
        await leave(gateway, backend)
        (call,) = backend.calls
        async with asyncio.timeout(1):
            await call.done.wait()
        assert call.cancelled
        await until_idle(gateway)


async def test_expired_deadline_starts_no_stream(tmp_path: Path) -> None:
    async with replica("a") as backend, gateway_to(backend.address, tmp_path) as gateway:
        for path in ("/orders/1", "/watch/1"):
            answer = await gateway.client.get(path, headers={"grpc-timeout": "1n"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (504, "TIMEOUT")
        assert (await gateway.client.post("/talk", headers={"grpc-timeout": "1n"})).status_code == 504
        assert backend.calls == []


async def test_deadline_that_passes_while_the_request_arrives_starts_no_call(tmp_path: Path) -> None:
    async with replica("a") as backend, gateway_to(backend.address, tmp_path) as gateway:
        assert (await gateway.client.get("/orders/1")).status_code == 200
        reader, writer = await connect(gateway.url)
        writer.write(request("POST", "/orders/1", "X-Request-Timeout: 0.2", "Content-Length: 2"))
        await asyncio.sleep(0.5)
        writer.write(b"{}")
        answer = await read_answer(reader)
        writer.close()
        assert (answer.status, answer.json()["error"]["code"]) == (504, "TIMEOUT")
        assert len(backend.calls) == 1


class Flood:
    """As many messages as the reader takes; sent: how many those were, of all streams together."""

    def __init__(self) -> None:
        self.sent = 0

    async def __call__(self, call: Call) -> AsyncGenerator[Message, None]:
        message = call.request_type(id="x" * MESSAGE)
        while True:
            yield message
            self.sent += 1

    async def has_stopped(self) -> None:
        """Once no more is sent for a while. Raises TimeoutError when that never is."""
        async with asyncio.timeout(60):
            before = -1
            while self.sent != before:
                before = self.sent
                await asyncio.sleep(1)


@pytest.mark.parametrize("kind", [*FORMATS, "websocket"])
async def test_readers_that_stop_stop_the_backend_and_cost_little(tmp_path: Path, kind: str) -> None:
    async with replica("a") as backend, gateway_to(backend.address, tmp_path) as gateway:
        flood = backend.replies[WATCH] = Flood()
        assert (await gateway.client.get("/orders/1")).status_code == 200
        before = await memory(gateway)
        upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        headers = (*upgrade, key) if kind == "websocket" else (f"Accept: {kind}",)
        connections = []
        for _ in range(READERS):
            reader, writer = await connect(gateway.url)
            writer.write(request("GET", "/watch/1", *headers))
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            connections.append((reader, writer))
        await backend.wait_for_calls(READERS + 1)
        await flood.has_stopped()
        assert await memory(gateway) - before < 2.5 * READERS
        for _, writer in connections:
            writer.close()
        await until_idle(gateway)


async def upload(writer: asyncio.StreamWriter, part: bytes) -> None:
    """Raises TimeoutError when for a while nobody takes any more."""
    for _ in range(UPLOAD // len(part)):
        writer.write(part)
        await asyncio.wait_for(writer.drain(), 2)


async def test_a_backend_that_does_not_read_stops_its_client_and_costs_little(tmp_path: Path) -> None:
    async with replica("a") as backend, gateway_to(backend.address, tmp_path) as gateway:
        backend.replies[TALK] = hold
        assert (await gateway.client.get("/orders/1")).status_code == 200
        before = await memory(gateway)
        _, writer = await connect(gateway.url)
        writer.write(request("POST", "/talk", "Transfer-Encoding: chunked"))
        document = json.dumps({"id": "x" * 20 * MESSAGE}).encode()
        part = b"%x\r\n%b\r\n" % (len(document), document)
        with pytest.raises(TimeoutError):
            await upload(writer, part)
        assert await memory(gateway) - before < 20
        writer.transport.abort()
        await backend.stop()  # or the gateway would wait for it when it is to end
