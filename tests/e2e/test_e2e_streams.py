"""Streams through a real gateway: every format, both directions, errors, cancellation, WebSockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.e2e.shop import issuer
from tests.support.backend import Answer, Call, RecordingBackend, failure
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.protos import Schema

PROTO: Final = """
syntax = "proto3";
package feed.v1;
import "google/api/httpbody.proto";
import "google/api/annotations.proto";
service Feed {
  rpc Watch(Ask) returns (stream Tick) {
    option (google.api.http) = { get: "/v1/{topic}:watch" };
  }
  rpc Load(stream Tick) returns (Sum) { option (google.api.http) = { post: "/v1/{topic}:load" body: "*" }; }
  rpc Chat(stream Tick) returns (stream Tick) {
    option (google.api.http) = { post: "/v1/{topic}:chat" body: "*" };
  }
  rpc Download(Ask) returns (stream google.api.HttpBody) {
    option (google.api.http) = { get: "/v1/{topic}:download" };
  }
  rpc Upload(stream Part) returns (Sum) {
    option (google.api.http) = { post: "/v1/{topic}:upload" body: "file" };
  }
  rpc Once(Ask) returns (Tick) { option (google.api.http) = { get: "/v1/{topic}:once" }; }
}
message Ask { string topic = 1; int32 limit = 2; }
message Tick { string topic = 1; int32 number = 2; }
message Sum { int32 count = 1; }
message Part { string topic = 1; google.api.HttpBody file = 2; }
"""
WATCH, LOAD, CHAT = "feed.v1.Feed/Watch", "feed.v1.Feed/Load", "feed.v1.Feed/Chat"
DOWNLOAD, UPLOAD = "feed.v1.Feed/Download", "feed.v1.Feed/Upload"
FORMATS: Final = ("application/x-ndjson", "text/event-stream", "application/json")


class Feed:
    """A gateway before a feed."""

    def __init__(self, gateway: RunningGateway, backend: RecordingBackend) -> None:
        self.gateway = gateway
        self.backend = backend

    async def count(self, call: Call) -> Any:
        """How many messages the client has sent, once it has sent them all."""
        count = 0
        async for _ in call.requests():
            count += 1
        return self.backend.schema.message("feed.v1.Sum", count=count)

    def tick(self, number: int, topic: str = "") -> Any:
        return self.backend.schema.message("feed.v1.Tick", number=number, topic=topic)

    @asynccontextmanager
    async def stream(self, path: str, accept: str = "", **keys: Any) -> AsyncIterator[httpx.Response]:
        keys.setdefault("method", "GET")
        headers = {"accept": accept} if accept else {}
        async with self.gateway.client.stream(url=path, headers=headers, **keys) as response:
            yield response

    def socket(self, path: str) -> connect:
        return connect(self.gateway.url.replace("http", "ws") + path, proxy=None)


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Feed]:
    async with RecordingBackend(Schema.from_protos(PROTO)) as backend:
        service = {"address": backend.address, "expose": ["annotations"], "auth_required": False}
        closed = {"address": backend.address, "expose": ["methods"], "auth_required": True}
        config = {
            "services": {"feed": service, "closed": closed},
            "auth": {"issuers": [issuer()]},
            "server": {"max_request_body": "4KiB", "request_timeout": "2s"},
        }
        async with running_gateway(config, tmp_path_factory.mktemp("feed")) as gateway:
            yield Feed(gateway, backend)


@pytest.fixture
def feed(shared: Feed) -> Feed:
    shared.backend.calls.clear()
    shared.backend.replies.clear()
    return shared


def parsed(content_type: str, text: str) -> list[Any]:
    """The messages of a whole stream; an SSE error event is marked as one."""
    if content_type == "application/json":
        messages: list[Any] = json.loads(text)
        return messages
    if content_type == "application/x-ndjson":
        return [json.loads(line) for line in text.splitlines()]
    return [json.loads(event.split("data: ", 1)[1]) for event in text.split("\n\n") if event]


@pytest.mark.parametrize("accept", FORMATS)
async def test_server_stream_in_every_format(feed: Feed, accept: str) -> None:
    feed.backend.replies[WATCH] = [feed.tick(1), feed.tick(2)]
    answer = await feed.gateway.client.get("/v1/gold:watch?limit=2", headers={"accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == accept
    assert parsed(accept, answer.text) == [{"number": 1}, {"number": 2}]
    (call,) = feed.backend.calls
    assert (call.message.topic, call.message.limit) == ("gold", 2)


@pytest.mark.parametrize(("accept", "text"), [(FORMATS[0], ""), (FORMATS[1], ""), (FORMATS[2], "[]")])
async def test_a_stream_may_be_empty(feed: Feed, accept: str, text: str) -> None:
    feed.backend.replies[WATCH] = []
    answer = await feed.gateway.client.get("/v1/gold:watch", headers={"accept": accept})
    assert (answer.status_code, answer.text) == (200, text)


@pytest.mark.parametrize("accept", ["", "*/*", "text/html, */*;q=0.5"])
async def test_ndjson_where_no_format_is_asked_for(feed: Feed, accept: str) -> None:
    feed.backend.replies[WATCH] = [feed.tick(1)]
    answer = await feed.gateway.client.get("/v1/gold:watch", headers={"accept": accept})
    assert (answer.headers["content-type"], answer.text) == ("application/x-ndjson", '{"number":1}\n')


@pytest.mark.parametrize("accept", FORMATS)
async def test_messages_are_sent_as_they_come(feed: Feed, accept: str) -> None:
    goes_on = asyncio.Event()

    async def ticks(call: Call) -> AsyncIterator[Any]:
        yield feed.tick(1)
        await goes_on.wait()
        yield feed.tick(2)

    feed.backend.replies[WATCH] = ticks
    async with feed.stream("/v1/gold:watch", accept) as response:
        chunks = response.aiter_text()
        assert '{"number":1}' in await asyncio.wait_for(anext(chunks), 5)
        goes_on.set()
        assert '{"number":2}' in await asyncio.wait_for(anext(chunks), 5)


async def test_a_stream_outlives_the_deadline_of_unary_calls(feed: Feed) -> None:
    feed.backend.replies[WATCH] = [feed.tick(1)]
    await feed.gateway.client.get("/v1/gold:watch")
    await feed.gateway.client.get("/v1/gold:watch", headers={"grpc-timeout": "5S"})
    unbounded, bounded = feed.backend.calls
    assert unbounded.timeout is None
    assert bounded.timeout is not None
    assert bounded.timeout <= 5.2


@pytest.mark.parametrize("accept", FORMATS)
async def test_an_error_before_the_first_message_has_its_status(feed: Feed, accept: str) -> None:
    feed.backend.replies[WATCH] = failure(grpc.StatusCode.NOT_FOUND, "no such topic")
    answer = await feed.gateway.client.get("/v1/gold:watch", headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
    assert answer.json()["error"]["message"] == "no such topic"


@pytest.mark.parametrize("accept", FORMATS)
async def test_a_later_error_is_the_last_record(feed: Feed, accept: str) -> None:
    feed.backend.replies[WATCH] = Answer(
        messages=[feed.tick(1)], code=grpc.StatusCode.RESOURCE_EXHAUSTED, text="enough"
    )
    answer = await feed.gateway.client.get("/v1/gold:watch", headers={"accept": accept})
    assert answer.status_code == 200
    first, last = parsed(accept, answer.text)
    assert first == {"number": 1}
    assert (last["error"]["code"], last["error"]["message"]) == ("RESOURCE_EXHAUSTED", "enough")
    assert ("event: error\n" in answer.text) == (accept == "text/event-stream")


async def test_the_call_is_cancelled_when_the_client_goes(feed: Feed) -> None:
    async def ticks(call: Call) -> AsyncIterator[Any]:
        yield feed.tick(1)
        await asyncio.Event().wait()

    feed.backend.replies[WATCH] = ticks
    async with feed.stream("/v1/gold:watch") as response:
        await anext(response.aiter_bytes())
    await asyncio.wait_for(feed.backend.calls[0].done.wait(), 1)
    assert feed.backend.calls[0].cancelled


async def test_a_slow_reader_slows_the_backend_down(feed: Feed) -> None:
    sent = 0

    async def ticks(call: Call) -> AsyncIterator[Any]:
        nonlocal sent
        for sent in range(100_000):
            yield feed.tick(sent, "x" * 1000)

    feed.backend.replies[WATCH] = ticks
    async with feed.stream("/v1/gold:watch") as response:
        await anext(response.aiter_raw(1000))
        assert await settled(lambda: sent) < 50_000


async def settled(value: Callable[[], int]) -> int:
    """A value that grows, once it has not for a while."""
    while True:
        before = value()
        await asyncio.sleep(0.3)
        if value() == before:
            return before


async def test_body_of_a_download_is_sent_as_it_is(feed: Feed) -> None:
    body = feed.backend.schema.message
    feed.backend.replies[DOWNLOAD] = [
        body("google.api.HttpBody", content_type="text/csv", data=b"a,b\n"),
        body("google.api.HttpBody", data=b"1,2\n"),
    ]
    answer = await feed.gateway.client.get("/v1/f:download", headers={"accept": "text/event-stream"})
    assert (answer.headers["content-type"], answer.content) == ("text/csv", b"a,b\n1,2\n")


async def test_a_download_that_fails_is_cut(feed: Feed) -> None:
    part = feed.backend.schema.message("google.api.HttpBody", content_type="text/csv", data=b"a,b\n")
    feed.backend.replies[DOWNLOAD] = Answer(messages=[part], code=grpc.StatusCode.DATA_LOSS)
    with pytest.raises(httpx.RemoteProtocolError):
        await feed.gateway.client.get("/v1/f:download")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'[{"number": 1}, {"number": 2}]'),
        ("application/x-ndjson", b'{"number": 1}\n{"number": 2}\n'),
        ("application/json", b'{"number": 1}{"number": 2}'),
    ],
)
async def test_client_stream(feed: Feed, content_type: str, body: bytes) -> None:
    feed.backend.replies[LOAD] = feed.count
    answer = await feed.gateway.client.post(
        "/v1/gold:load", content=body, headers={"content-type": content_type}
    )
    assert (answer.status_code, answer.json()) == (200, {"count": 2})
    (call,) = feed.backend.calls
    assert [(message.number, message.topic) for message in call.messages] == [(1, "gold"), (2, "")]


async def test_a_client_stream_is_fed_as_it_arrives_and_may_be_long(feed: Feed) -> None:
    feed.backend.replies[LOAD] = feed.count

    async def body() -> AsyncIterator[bytes]:
        yield b'{"number": 1}\n'
        await feed.backend.wait_for_calls()
        for _ in range(999):
            yield b'{"number": 2}\n'

    answer = await feed.gateway.client.post("/v1/gold:load", content=body())
    assert (answer.status_code, answer.json()) == (200, {"count": 1000})
    assert len(feed.backend.calls[0].messages) == 1000


async def test_a_bad_message_of_a_client_stream_is_400_and_ends_the_call(feed: Feed) -> None:
    feed.backend.replies[LOAD] = feed.count

    async def body() -> AsyncIterator[bytes]:
        yield b'{"number": 1}\n'
        await feed.backend.wait_for_calls()
        yield b'{"number": "x"}\n'

    answer = await feed.gateway.client.post("/v1/gold:load", content=body())
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "invalid value for int32 @ $.number"
    await asyncio.wait_for(feed.backend.calls[0].done.wait(), 5)
    assert feed.backend.calls[0].cancelled


async def test_upload_of_bytes(feed: Feed) -> None:
    feed.backend.replies[UPLOAD] = feed.count
    data = bytes(range(256)) * 1000
    headers = {"content-type": "image/png"}
    answer = await feed.gateway.client.post("/v1/f:upload", content=data, headers=headers)
    assert answer.status_code == 200
    first, *others = feed.backend.calls[0].messages
    assert (first.topic, first.file.content_type) == ("f", "image/png")
    assert {(part.topic, part.file.content_type) for part in others} == {("", "")}
    assert b"".join(part.file.data for part in (first, *others)) == data


async def test_upload_is_passed_on_as_it_arrives(feed: Feed) -> None:
    """A part of the body is a message, whatever is to follow."""
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(call: Call) -> Any:
        async for part in call.requests():
            arrived.put_nowait(part.file.data)
        return feed.backend.schema.message("feed.v1.Sum")

    async def body() -> AsyncIterator[bytes]:
        for part in (b"one", b"two"):
            yield part
            assert await asyncio.wait_for(arrived.get(), 10) == part

    feed.backend.replies[UPLOAD] = take
    answer = await feed.gateway.client.post("/v1/f:upload", content=body())
    assert answer.status_code == 200
    assert [part.topic for part in feed.backend.calls[0].messages] == ["f", ""]


async def test_both_streams_over_http(feed: Feed) -> None:
    async def echo(call: Call) -> AsyncIterator[Any]:
        async for message in call.requests():
            yield message

    feed.backend.replies[CHAT] = echo
    answer = await feed.gateway.client.post("/v1/gold:chat", content=b'[{"number": 1}, {"number": 2}]')
    assert parsed("application/x-ndjson", answer.text) == [{"topic": "gold", "number": 1}, {"number": 2}]


async def test_head_of_a_stream_has_no_body(feed: Feed) -> None:
    feed.backend.replies[WATCH] = [feed.tick(1)]
    answer = await feed.gateway.client.head("/v1/gold:watch")
    assert (answer.status_code, answer.content) == (200, b"")
    again = await feed.gateway.client.get("/v1/gold:watch")
    assert again.text == '{"number":1}\n'


async def test_websocket_carries_both_streams(feed: Feed) -> None:
    async def echo(call: Call) -> AsyncIterator[Any]:
        async for message in call.requests():
            yield message

    feed.backend.replies[CHAT] = echo
    async with feed.socket("/v1/gold:chat") as socket:
        await socket.send('{"number": 1}')
        assert json.loads(await socket.recv()) == {"topic": "gold", "number": 1}
        await socket.send('{"number": 2}')
        assert json.loads(await socket.recv()) == {"number": 2}
        await socket.send("")
        assert await closed(socket) == (1000, "")


async def closed(socket: ClientConnection) -> tuple[int, str]:
    """Code and reason of the server's goodbye."""
    with pytest.raises(ConnectionClosed) as caught:
        await asyncio.wait_for(socket.recv(), 5)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


async def test_websocket_of_a_server_stream(feed: Feed) -> None:
    feed.backend.replies[WATCH] = [feed.tick(1), feed.tick(2)]
    async with feed.socket("/v1/gold:watch?limit=2") as socket:
        assert [json.loads(await socket.recv()) for _ in range(2)] == [{"number": 1}, {"number": 2}]
        assert await closed(socket) == (1000, "")
    assert feed.backend.calls[0].message.limit == 2


async def test_websocket_of_a_client_stream(feed: Feed) -> None:
    feed.backend.replies[LOAD] = feed.count
    async with feed.socket("/v1/gold:load") as socket:
        await socket.send('{"number": 1}')
        await socket.send('{"number": 2}')
        await socket.send("")
        assert json.loads(await socket.recv()) == {"count": 2}
        assert await closed(socket) == (1000, "")


@pytest.mark.parametrize(
    ("code", "close_code"),
    [
        (grpc.StatusCode.NOT_FOUND, 1011),
        (grpc.StatusCode.PERMISSION_DENIED, 1008),
        (grpc.StatusCode.UNAUTHENTICATED, 1008),
    ],
)
async def test_websocket_is_closed_with_the_error(feed: Feed, code: grpc.StatusCode, close_code: int) -> None:
    feed.backend.replies[WATCH] = failure(code, "no")
    async with feed.socket("/v1/gold:watch") as socket:
        assert await closed(socket) == (close_code, f"{code.name}: no")


async def test_websocket_message_that_is_no_request_ends_it(feed: Feed) -> None:
    feed.backend.replies[CHAT] = []
    async with feed.socket("/v1/gold:chat") as socket:
        await socket.send('{"number": "x"}')
        code, reason = await closed(socket)
    assert (code, reason) == (1011, "INVALID_ARGUMENT: invalid value for int32 @ $.number")


async def test_call_is_cancelled_when_the_websocket_closes(feed: Feed) -> None:
    async def listen(call: Call) -> AsyncIterator[Any]:
        yield feed.tick(1)
        await asyncio.Event().wait()

    feed.backend.replies[CHAT] = listen
    async with feed.socket("/v1/gold:chat") as socket:
        await socket.send("{}")
        await socket.recv()
    await asyncio.wait_for(feed.backend.calls[0].done.wait(), 1)
    assert feed.backend.calls[0].cancelled


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/gold:once", 400), ("/nowhere", 404), ("/feed.v1.Feed/Chat", 401)]
)
async def test_websocket_that_is_refused_is_an_http_answer(feed: Feed, path: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with feed.socket(path):
            pass
    assert caught.value.response.status_code == status
    assert feed.backend.calls == []
