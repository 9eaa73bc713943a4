"""What is too large is refused before it costs anything, and compressed bodies are no way around it."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio

from tests.e2e.shop import Site, route, schema
from tests.support.backend import RecordingBackend
from tests.support.gateway import running_gateway
from tests.support.raw import RawAnswer, connect, exchange, read_answer, request
from transcoder.server.head import MAX_HEAD, MAX_HEADERS, MAX_TARGET

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT: Final = 64 * 1024
ROUTES: Final = (
    route("any", "GET", "/orders/{order_id=**}"),
    route("create-order", "POST", "/orders", "CreateOrder"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with RecordingBackend(schema()) as backend:
        config = {
            "server": {"max_request_body": "64KiB"},
            "services": {"shop": {"address": backend.address}},
            "routes": ROUTES,
        }
        async with running_gateway(config, tmp_path_factory.mktemp("site")) as gateway:
            yield Site(gateway=gateway, backend=backend)


@pytest.fixture
def site(_site: Site) -> Site:
    _site.forget()
    _site.answer("shop.v1.Order", id="7")
    return _site


async def refused(site: Site, sent: bytes) -> tuple[int, str]:
    """The one answer to what is too large, after which the connection is closed."""
    reader, writer = await connect(site.gateway.url)
    writer.write(sent)
    async with asyncio.timeout(5):
        answer = await read_answer(reader)
        assert answer.header("connection") == "close"
        assert await reader.read() == b""
    writer.close()
    assert site.backend.calls == []
    return answer.status, answer.json()["error"]["code"]


LONG: Final = "/orders/" + "x" * 70_000
TOO_LARGE: Final = {
    "target": (request("GET", LONG), 414, "URI_TOO_LONG"),
    "target of the limit and one": (
        request("GET", "/orders/".ljust(MAX_TARGET + 1, "x")),
        414,
        "URI_TOO_LONG",
    ),
    "target without an end": (f"GET {LONG}".encode(), 414, "URI_TOO_LONG"),
    "header": (request("GET", "/orders/7", "X: " + "x" * 20_000), 431, "HEADERS_TOO_LARGE"),
    "header without an end": (
        request("GET", "/orders/7", "X: " + "x" * 20_000)[:-4],
        431,
        "HEADERS_TOO_LARGE",
    ),
    "headers": (
        request("GET", "/orders/7", *(f"X-{n}: {'x' * 90}" for n in range(200))),
        431,
        "HEADERS_TOO_LARGE",
    ),
    "1000 headers": (
        request("GET", "/orders/7", *(f"X-{n}: x" for n in range(1000))),
        431,
        "HEADERS_TOO_LARGE",
    ),
    "as many headers and one": (
        request("GET", "/orders/7", *["X: x"] * MAX_HEADERS),
        431,
        "HEADERS_TOO_LARGE",
    ),
    "Megabytes of a header": (request("GET", "/orders/7", "X: " + "x" * 4_000_000), 431, "HEADERS_TOO_LARGE"),
}


@pytest.mark.parametrize("what", TOO_LARGE)
async def test_head_that_is_too_large(site: Site, what: str) -> None:
    sent, status, code = TOO_LARGE[what]
    assert await refused(site, sent + request("GET", "/orders/smuggled")) == (status, code)


async def test_head_of_just_the_limits(site: Site) -> None:
    assert (await site.send("GET", "/no-route/".ljust(MAX_TARGET, "x"))).status == 404
    assert (await site.send("GET", "/orders/7", *["X: x"] * (MAX_HEADERS - 1))).status == 200
    rest = MAX_HEAD - len(request("GET", "/orders/7", "X: "))
    assert (await site.send("GET", "/orders/7", "X: " + "x" * rest)).status == 200


async def test_body_of_a_length_over_the_limit_is_not_waited_for(site: Site) -> None:
    sent = request("POST", "/orders", f"Content-Length: {LIMIT + 1}")
    assert await refused(site, sent) == (413, "PAYLOAD_TOO_LARGE")
    expecting = request("POST", "/orders", "Expect: 100-continue", f"Content-Length: {LIMIT + 1}")
    assert await refused(site, expecting) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("size", [LIMIT + 1, 4_000_000])
async def test_body_over_the_limit_is_refused_though_all_of_it_comes(site: Site, size: int) -> None:
    body = b" " * size
    sent = request("POST", "/orders", body=body) + request("GET", "/orders/smuggled")
    assert await refused(site, sent) == (413, "PAYLOAD_TOO_LARGE")
    chunks = b"%x\r\n%b\r\n" % (size, body) + b"0\r\n\r\n" + request("GET", "/orders/smuggled")
    sent = request("POST", "/orders", "Transfer-Encoding: chunked") + chunks
    assert await refused(site, sent) == (413, "PAYLOAD_TOO_LARGE")


async def test_body_without_an_end_is_refused_at_the_limit(site: Site) -> None:
    chunks = b"1000\r\n" + b" " * 0x1000 + b"\r\n"
    sent = request("POST", "/orders", "Transfer-Encoding: chunked") + chunks * 17
    assert await refused(site, sent) == (413, "PAYLOAD_TOO_LARGE")


async def send_compressed(site: Site, coding: str, body: bytes) -> RawAnswer:
    return await exchange(
        site.gateway.url, request("POST", "/orders", f"Content-Encoding: {coding}", body=body)
    )


@pytest.mark.parametrize(
    ("coding", "compress"), [("gzip", gzip.compress), ("X-GZIP", gzip.compress), ("deflate", zlib.compress)]
)
async def test_compressed_body(site: Site, coding: str, compress: object) -> None:
    assert callable(compress)
    body = compress(b'{"user":"ada"}'.ljust(LIMIT))
    assert (await send_compressed(site, coding, body)).status == 200
    assert site.backend.calls[0].message.user == "ada"
    bomb = compress(b" " * 50_000_000)
    assert len(bomb) < LIMIT
    answer = await send_compressed(site, coding, bomb)
    assert (answer.status, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert len(site.backend.calls) == 1


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br", "gzip, gzip", "compress"])
async def test_other_codings_are_refused(site: Site, coding: str) -> None:
    answer = await send_compressed(site, coding, gzip.compress(b"{}"))
    assert (answer.status, answer.json()["error"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert answer.header("accept-encoding") == "gzip, deflate"
    assert site.backend.calls == []


async def test_broken_gzip(site: Site) -> None:
    for body in (b"{}", gzip.compress(b"{}")[:-1], gzip.compress(b"{}") + b"x"):
        answer = await send_compressed(site, "gzip", body)
        assert (answer.status, answer.json()["error"]["message"]) == (400, "malformed body")
    assert site.backend.calls == []
