"""Pages of other origins, as browsers let them ask."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Final

import pytest
import pytest_asyncio
import yaml
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.e2e.shop import eventually, issuer
from tests.support.backend import Call, RecordingBackend
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.protos import Schema
from tests.support.raw import RawAnswer, exchange, request

PROTO: Final = """
syntax = "proto3";
package feed.v1;
service Feed {
  rpc Once(Ask) returns (Tick);
  rpc Watch(Ask) returns (stream Tick);
  rpc Chat(stream Ask) returns (stream Tick);
}
message Ask { string topic = 1; }
message Tick { int32 number = 1; }
"""
PAGE: Final = "https://app.example.com"
CAP: Final = 5
FOREIGN: Final = (
    "null",
    "https://evil.example",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com:443",
    "https://app.example.com.evil.example",
    "https://evil-app.example.com",
    "https://app.example.com/",
    "https://app.example.com@evil.example",
    "https://app.example.comx",
    "https://app.example.co",
    "https://APP.example.com",
    "https://app.example.com, https://app.example.com",
    "https://app.example.com https://evil.example",
    "//app.example.com",
    "app.example.com",
    "https://",
    "*",
    "",
)


class Feed:
    """A gateway before a feed, which pages of PAGE may use."""

    def __init__(self, gateway: RunningGateway, backend: RecordingBackend) -> None:
        self.gateway = gateway
        self.backend = backend

    async def send(self, method: str, path: str, *headers: str, body: bytes = b"") -> RawAnswer:
        return await exchange(self.gateway.url, request(method, path, *headers, body=body))

    async def preflight(self, path: str, method: str = "POST", origin: str = PAGE) -> RawAnswer:
        asked = f"Access-Control-Request-Method: {method}"
        return await self.send("OPTIONS", path, f"Origin: {origin}", asked)

    def socket(self, origin: str | None, **keys: Any) -> connect:
        url = self.gateway.url.replace("http", "ws")
        return connect(f"{url}/topics/a/chat", origin=origin, proxy=None, **keys)  # type: ignore[arg-type]


def route(name: str, method: str, path: str, grpc_method: str, **keys: Any) -> dict[str, Any]:
    target = {"service": "feed", "grpc_service": "Feed", "grpc_method": grpc_method}
    return {"name": name, "method": method, "path": path, "auth_required": False, **target, **keys}


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Feed]:
    async with RecordingBackend(Schema.from_protos(PROTO)) as backend:
        cors = {
            "origins": [PAGE, "http://localhost:3000"],
            "headers": ["content-type", "authorization"],
            "expose": ["x-request-id"],
            "credentials": True,
            "max_age": "5m",
        }
        config = {
            "server": {"cors": cors, "max_request_body": "1KiB", "max_in_flight": CAP},
            "auth": {"issuers": [issuer()]},
            "services": {"feed": {"address": backend.address}},
            "routes": [
                route("once", "GET", "/topics/{topic}", "Once"),
                route("replace", "PUT", "/topics/{topic}", "Once"),
                route("mine", "POST", "/mine", "Once", auth_required=True),
                route("watch", "GET", "/topics/{topic}/watch", "Watch"),
                route("chat", "POST", "/topics/{topic}/chat", "Chat"),
                route("nothing", "GET", "/nothing", "Nothing"),
            ],
        }
        async with running_gateway(config, tmp_path_factory.mktemp("cors")) as gateway:
            yield Feed(gateway, backend)


@pytest.fixture
def feed(shared: Feed) -> Feed:
    shared.backend.calls.clear()
    shared.backend.replies.clear()
    return shared


def cors_of(answer: RawAnswer) -> dict[str, str]:
    return {name: value for name, value in answer.headers if name.startswith(("access-control-", "vary"))}


GRANTED: Final = {
    "access-control-allow-origin": PAGE,
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": "x-request-id",
    "vary": "origin",
}


async def test_answer_to_a_page(feed: Feed) -> None:
    answer = await feed.send("GET", "/topics/a", f"Origin: {PAGE}")
    assert (answer.status, cors_of(answer)) == (200, GRANTED)


async def test_second_origin(feed: Feed) -> None:
    answer = await feed.send("GET", "/topics/a", "Origin: http://localhost:3000")
    assert cors_of(answer) == {**GRANTED, "access-control-allow-origin": "http://localhost:3000"}


@pytest.mark.parametrize("origin", FOREIGN)
async def test_answer_to_a_foreign_page_may_not_be_read(feed: Feed, origin: str) -> None:
    answer = await feed.send("GET", "/topics/a", f"Origin: {origin}")
    assert (answer.status, cors_of(answer)) == (200, {"vary": "origin"})


async def test_two_origins_are_none(feed: Feed) -> None:
    answer = await feed.send("GET", "/topics/a", f"Origin: {PAGE}", f"Origin: {PAGE}")
    assert cors_of(answer) == {"vary": "origin"}


async def test_answer_to_no_page_is_not_kept_for_one(feed: Feed) -> None:
    assert cors_of(await feed.send("GET", "/topics/a")) == {"vary": "origin"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/mine", b"", 401),
        ("GET", "/elsewhere", b"", 404),
        ("DELETE", "/topics/a", b"", 405),
        ("PUT", "/topics/a", b"{", 400),
        ("PUT", "/topics/a", b'{"topic": "' + b"x" * 2000 + b'"}', 413),
        ("GET", "/topics/%zz", b"", 400),
        ("GET", "/nothing", b"", 501),
    ],
)
async def test_errors_can_be_read(feed: Feed, method: str, path: str, body: bytes, status: int) -> None:
    answer = await feed.send(method, path, f"Origin: {PAGE}", "Content-Type: application/json", body=body)
    assert (answer.status, cors_of(answer)) == (status, GRANTED)


LONG: Final = "x" * 9000


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        (f"/{LONG}", [f"Origin: {PAGE}"], 414),
        (f"/{LONG}", [f"Origin: {PAGE}", f"Cookie: {LONG}"], 414),
        ("/topics/a", [f"origin:{PAGE} ", f"Authorization: {LONG}", f"Cookie: {LONG}"], 431),
        ("/topics/a", [*["A: b"] * 101, f"Origin: {PAGE}"], 431),
        ("/topics/a", [f"Origin: {PAGE}", "Content-Length: 1", "Content-Length: 2"], 400),
    ],
)
async def test_refusal_of_a_head_can_be_read(
    feed: Feed, target: str, headers: list[str], status: int
) -> None:
    answer = await feed.send("GET", target, *headers)
    assert (answer.status, cors_of(answer)) == (status, GRANTED)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["Origin: https://evil.example"],
        [f"Origin: {PAGE}", f"Origin: {PAGE}"],
        [f"Origin: {PAGE}\N{LATIN SMALL LETTER E WITH ACUTE}"],
        [f"X-Origin: {PAGE}"],
        [f"Referer: Origin: {PAGE}"],
    ],
)
async def test_refusal_of_a_head_may_not_be_read(feed: Feed, headers: list[str]) -> None:
    answer = await feed.send("GET", f"/{LONG}", *headers)
    assert (answer.status, cors_of(answer)) == (414, {"vary": "origin"})


async def test_body_names_no_page(feed: Feed) -> None:
    """Neither of a request that could not be read."""
    body = f"\r\nOrigin: {PAGE}\r\n".encode()
    answer = await feed.send("PUT", f"/{LONG}", body=body)
    assert (answer.status, cors_of(answer)) == (414, {"vary": "origin"})


async def test_refusal_of_a_gateway_that_is_full_can_be_read(feed: Feed) -> None:
    async def watch(_call: Call) -> AsyncGenerator[Any, None]:
        yield feed.backend.schema.message("feed.v1.Tick")
        await asyncio.Event().wait()

    feed.backend.replies["feed.v1.Feed/Watch"] = watch
    async with AsyncExitStack() as streams:
        for _ in range(CAP):
            stream = feed.gateway.client.stream("GET", "/topics/a/watch")
            await streams.enter_async_context(stream)
        answer = await feed.send("GET", "/topics/a", f"Origin: {PAGE}")
        assert (answer.status, cors_of(answer)) == (503, GRANTED)
        assert (await feed.preflight("/topics/a")).status == 204
    await eventually(200, lambda: feed.gateway.client.get("/topics/a"))


async def test_stream_can_be_read(feed: Feed) -> None:
    feed.backend.replies["feed.v1.Feed/Watch"] = [feed.backend.schema.message("feed.v1.Tick", number=1)]
    headers = {"Origin": PAGE, "Accept": "text/event-stream"}
    answer = await feed.gateway.client.get("/topics/a/watch", headers=headers)
    assert answer.text.startswith("data: ")
    assert answer.headers["access-control-allow-origin"] == PAGE
    record = json.loads(await feed.gateway.process.wait_for_line(answer.headers["x-request-id"]))
    assert (record["status"], record["code"]) == (200, "OK")


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/topics/a", "GET, HEAD, PUT"),
        ("/mine", "POST"),
        ("/topics/a/watch", "GET, HEAD"),
    ],
)
async def test_preflight(feed: Feed, path: str, methods: str) -> None:
    answer = await feed.preflight(path)
    assert (answer.status, answer.body) == (204, b"")
    assert cors_of(answer) == {
        **GRANTED,
        "access-control-allow-methods": methods,
        "access-control-allow-headers": "content-type, authorization",
        "access-control-max-age": "300",
    }
    assert answer.header("x-request-id")
    assert feed.backend.calls == []


async def test_preflight_is_in_the_log(feed: Feed) -> None:
    answer = await feed.preflight("/mine")
    await feed.gateway.process.wait_for_line(answer.header("x-request-id") or "")


@pytest.mark.parametrize(("path", "status"), [("/elsewhere", 404), ("/topics/%zz", 400), ("*", 404)])
async def test_preflight_where_nothing_is(feed: Feed, path: str, status: int) -> None:
    assert (await feed.preflight(path)).status == status


@pytest.mark.parametrize("origin", FOREIGN)
async def test_preflight_of_a_foreign_page(feed: Feed, origin: str) -> None:
    answer = await feed.preflight("/topics/a", origin=origin)
    assert (answer.status, cors_of(answer)) == (405, {"vary": "origin"})


async def test_options_that_is_no_preflight(feed: Feed) -> None:
    for headers in ([f"Origin: {PAGE}"], ["Access-Control-Request-Method: PUT"]):
        assert (await feed.send("OPTIONS", "/topics/a", *headers)).status == 405


async def converse(socket: ClientConnection) -> None:
    """Say that there is nothing to say, and wait for the end."""
    await socket.send("")
    async with asyncio.timeout(10):
        await socket.wait_closed()
    assert socket.close_code == 1000


async def test_websocket_of_a_page(feed: Feed) -> None:
    async with feed.socket(PAGE) as socket:
        await converse(socket)


async def test_websocket_of_no_page(feed: Feed) -> None:
    async with feed.socket(None) as socket:
        await converse(socket)


@pytest.mark.parametrize("origin", [*FOREIGN, "https://other.example:80"])
async def test_websocket_of_a_foreign_page(feed: Feed, origin: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with feed.socket(None, additional_headers={"Origin": origin}):
            pass
    assert caught.value.response.status_code == 403
    assert b"PERMISSION_DENIED" in caught.value.response.body
    assert feed.backend.calls == []


async def test_websocket_of_our_own_page(feed: Feed) -> None:
    """Over https, too: a proxy may stand before us."""
    host = feed.gateway.url.removeprefix("http://")
    for origin in (f"http://{host}", f"https://{host}"):
        async with feed.socket(origin) as socket:
            await converse(socket)


async def reload(feed: Feed, config: str) -> None:
    feed.gateway.config_file.write_text(config)
    assert (await feed.gateway.admin.post("/reload")).status_code == 200


async def test_reload(feed: Feed) -> None:
    before = feed.gateway.config_file.read_text()
    try:
        config = yaml.safe_load(before)
        config["server"]["cors"] = {"origins": ["*"]}
        await reload(feed, yaml.safe_dump(config))
        answer = await feed.send("GET", "/topics/a", "Origin: https://evil.example")
        assert cors_of(answer) == {"access-control-allow-origin": "*"}
        del config["server"]["cors"]
        await reload(feed, yaml.safe_dump(config))
        assert cors_of(await feed.send("GET", "/topics/a", f"Origin: {PAGE}")) == {}
        assert (await feed.preflight("/topics/a")).status == 405
        async with feed.socket("https://evil.example") as socket:
            await converse(socket)
    finally:
        await reload(feed, before)
