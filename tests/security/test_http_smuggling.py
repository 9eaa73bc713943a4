"""Requests that two servers could read as two different things: one answer, and the connection is closed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.e2e.shop import GET_ORDER, Site, route, schema
from tests.support.backend import RecordingBackend
from tests.support.gateway import running_gateway
from tests.support.raw import connect

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUTES: Final = (
    route("get-order", "GET", "/orders/{order_id}"),
    route("create-order", "POST", "/orders", "CreateOrder"),
    route("custom", "FETCH", "/orders/{order_id}"),
)
SMUGGLED: Final = b"GET /orders/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
BODY: Final = b'{"user":"a"}'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with RecordingBackend(schema()) as backend:
        config = {"services": {"shop": {"address": backend.address}}, "routes": ROUTES}
        async with running_gateway(config, tmp_path_factory.mktemp("site")) as gateway:
            yield Site(gateway=gateway, backend=backend)


@pytest.fixture
def site(_site: Site) -> Site:
    _site.forget()
    return _site


async def all_answers(url: str, sent: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """Send bytes, and read until the other side closes: status, headers and body of each answer."""
    reader, writer = await connect(url)
    writer.write(sent)
    async with asyncio.timeout(5):
        data = await reader.read()
    writer.close()
    answers = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
        length = int(headers.get("content-length", 0))
        answers.append((int(line.split()[1]), headers, data[:length]))
        data = data[length:]
    return answers


async def refused(url: str, sent: bytes) -> tuple[int, dict[str, Any]]:
    """The one answer to what is refused: its status, and what it says."""
    answers = await all_answers(url, sent)
    assert len(answers) == 1, answers
    ((status, headers, body),) = answers
    assert headers["connection"] == "close"
    assert headers["content-type"] == "application/json"
    error = json.loads(body)["error"]
    assert error["request_id"] == headers["x-request-id"]
    assert set(error) == {"code", "message", "request_id"}
    return status, error


def get(*lines: str, target: str = "/orders/7", version: str = "HTTP/1.1") -> bytes:
    return "\r\n".join([f"GET {target} {version}", *lines, "", ""]).encode("latin-1")


def post(*lines: str, body: bytes = BODY) -> bytes:
    return "\r\n".join(["POST /orders HTTP/1.1", "Host: a", *lines, "", ""]).encode("latin-1") + body


HEADS: Final[dict[str, tuple[bytes, int]]] = {
    "space before the colon": (post("Content-Length : 12"), 400),
    "tab before the colon": (post("Content-Length\t: 12"), 400),
    "space before the colon of Transfer-Encoding": (post("Transfer-Encoding : chunked"), 400),
    "length and chunks": (post("Content-Length: 12", "Transfer-Encoding: chunked"), 400),
    "chunks and length": (post("Transfer-Encoding: chunked", "Content-Length: 12"), 400),
    "two equal lengths": (post("Content-Length: 12", "Content-Length: 12"), 400),
    "two lengths": (post("Content-Length: 12", "content-length: 0"), 400),
    "length list": (post("Content-Length: 12, 12"), 400),
    "signed length": (post("Content-Length: +12"), 400),
    "negative length": (post("Content-Length: -1"), 400),
    "hexadecimal length": (post("Content-Length: 0xc"), 400),
    "length with underscore": (post("Content-Length: 1_2"), 400),
    "superscript length": (post("Content-Length: \xb2"), 400),
    "Arabic length": (post("Content-Length: " + "\u0661".encode().decode("latin-1")), 400),
    "empty length": (post("Content-Length:"), 400),
    "endless length": (post("Content-Length: " + "9" * 30), 400),
    "chunked, identity": (post("Transfer-Encoding: chunked, identity"), 400),
    "identity": (post("Transfer-Encoding: identity"), 400),
    "xchunked": (post("Transfer-Encoding: xchunked"), 400),
    "chunked twice": (post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400),
    "chunked, chunked": (post("Transfer-Encoding: chunked, chunked"), 400),
    "quoted chunked": (post('Transfer-Encoding: "chunked"'), 400),
    "vertical tab before chunked": (post("Transfer-Encoding: \x0bchunked"), 400),
    "gzip, chunked": (post("Transfer-Encoding: gzip, chunked"), 501),
    "gzip, then chunked": (post("Transfer-Encoding: gzip", "Transfer-Encoding: chunked"), 400),
    "chunks in HTTP/1.0": (post("Transfer-Encoding: chunked").replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
    "LF only": (get("Host: a").replace(b"\r\n", b"\n"), 400),
    "LF behind the request line": (get("Host: a").replace(b"HTTP/1.1\r\n", b"HTTP/1.1\n"), 400),
    "LF behind a header": (get("Host: a\nX: b"), 400),
    "LF as the empty line": (b"GET /orders/7 HTTP/1.1\r\nHost: a\r\n\n", 400),
    "LF before an upgrade": (b"\n" + get("Host: a", "Connection: upgrade", "Upgrade: websocket"), 400),
    "LF before the request line": (b"\n" + get("Host: a"), 400),
    "CR in a header": (get("Host: a\rX: b"), 400),
    "CR behind the headers": (b"GET /orders/7 HTTP/1.1\r\nHost: a\r\n\rX", 400),
    "NUL in a value": (get("Host: a", "X: \x00"), 400),
    "NUL in a name": (get("Host: a", "X\x00: a"), 400),
    "NUL in the target": (get("Host: a", target="/orders/\x00"), 400),
    "control byte in a value": (get("Host: a", "X: \x1b[31m"), 400),
    "obs-fold": (get("Host: a", "X: a", " b"), 400),
    "obs-fold with a tab": (get("Host: a", "X: a", "\tb"), 400),
    "space before the first header": (get(" Host: a"), 400),
    "header without a colon": (get("Host: a", "X"), 400),
    "header without a name": (get("Host: a", ": x"), 400),
    "pseudo-header of HTTP/2": (get("Host: a", ":authority: b"), 400),
    "bracket in a name": (get("Host: a", "X(: x"), 400),
    "byte beyond ASCII in a name": (get("Host: a", "X\xe9: x"), 400),
    "no Host": (get("X: a"), 400),
    "two Hosts": (get("Host: a", "Host: b"), 400),
    "two equal Hosts": (get("Host: a", "host: a"), 400),
    "list of Hosts": (get("Host: a, b"), 400),
    "user in the Host": (get("Host: a@b"), 400),
    "path in the Host": (get("Host: a/b"), 400),
    "other host in the target": (get("Host: a", target="http://b/orders/7"), 400),
    "user in the target": (get("Host: a", target="http://a@b/orders/7"), 400),
    "other port in the target": (get("Host: a:1", target="http://a:2/orders/7"), 400),
    "user in the target, and no Host": (get(target="http://a@b/orders/7", version="HTTP/1.0"), 400),
    "no host in the target": (get("Host:", target="http:///orders/7"), 400),
    "host in the target, but not in the Host": (get("Host:", target="http://a/orders/7"), 400),
    "asterisk and more": (get("Host: a", target="*/orders/7"), 400),
    "no slash": (get("Host: a", target="orders/7"), 400),
    "fragment": (get("Host: a", target="/orders/7#x"), 400),
    "space in the target": (get("Host: a", target="/orders/7 8"), 400),
    "tab in the target": (get("Host: a", target="/orders/7\t8"), 400),
    "line break in the target": (get("Host: a", target="/orders/7\r\nX: a"), 400),
    "byte beyond ASCII in the target": (get("Host: a", target="/orders/\xe9"), 400),
    "two spaces before the target": (get("Host: a", target=" /orders/7"), 400),
    "two spaces behind the target": (get("Host: a", target="/orders/7 "), 400),
    "space at the end of the request line": (get("Host: a", version="HTTP/1.1 "), 400),
    "tab for a space": (b"GET\t/orders/7 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "space before the method": (b" " + get("Host: a"), 400),
    "two empty lines": (b"\r\n\r\n" + get("Host: a"), 400),
    "HTTP/0.9": (b"GET /orders/7\r\n", 400),
    "HTTP/0.9 in words": (get("Host: a", version="HTTP/0.9"), 400),
    "HTTP/1.2": (get("Host: a", version="HTTP/1.2"), 400),
    "HTTP/2.0": (get("Host: a", version="HTTP/2.0"), 400),
    "http/1.1": (get("Host: a", version="http/1.1"), 400),
    "RTSP": (get("Host: a", version="RTSP/1.0"), 400),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "no method": (b"/orders/7 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "CONNECT": (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405),
    "TRACE": (b"TRACE /orders/7 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    "unknown expectation": (get("Host: a", "Expect: miracles"), 400),
}
CODES: Final = {400: "INVALID_ARGUMENT", 405: "METHOD_NOT_ALLOWED", 501: "UNIMPLEMENTED"}


@pytest.mark.parametrize("form", HEADS)
async def test_head_is_refused(site: Site, form: str) -> None:
    sent, status = HEADS[form]
    answered, error = await refused(site.gateway.url, sent + SMUGGLED)
    assert (answered, error["code"]) == (status, CODES[status])
    assert site.backend.calls == []


@pytest.mark.parametrize("form", HEADS)
async def test_head_is_refused_on_the_admin_port(site: Site, form: str) -> None:
    sent, status = HEADS[form]
    host = site.gateway.admin_url.removeprefix("http://").encode()
    hidden = b"GET /routes HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
    answered, error = await refused(site.gateway.admin_url, sent + hidden)
    assert (answered, error["code"]) == (status, CODES[status])


async def test_chunks_are_refused_on_the_admin_port(site: Site) -> None:
    sent = post("Transfer-Encoding: chunked", body=b"0\r\n\r\n")
    status, _ = await refused(site.gateway.admin_url, sent + SMUGGLED)
    assert status == 400


CHUNKS: Final[dict[str, bytes]] = {
    "0x": b"0xc\r\n%b\r\n0\r\n\r\n",
    "sign": b"+c\r\n%b\r\n0\r\n\r\n",
    "underscore": b"0_c\r\n%b\r\n0\r\n\r\n",
    "Unicode digits": "\uff11\uff12".encode() + b"\r\n%b\r\n0\r\n\r\n",
    "space before the size": b" c\r\n%b\r\n0\r\n\r\n",
    "space behind the size": b"c \r\n%b\r\n0\r\n\r\n",
    "no size": b"\r\n%b\r\n0\r\n\r\n",
    "size beyond 64 bits": b"1000000000000000c\r\n%b\r\n0\r\n\r\n",
    "LF behind the size": b"c\n%b\r\n0\r\n\r\n",
    "LF behind the chunk": b"c\r\n%b\n0\r\n\r\n",
    "nothing behind the chunk": b"c\r\n%b0\r\n\r\n",
    "junk behind the chunk": b"c\r\n%bXX0\r\n\r\n",
    "LF in an extension": b"c;a\nb\r\n%b\r\n0\r\n\r\n",
    "NUL in an extension": b"c;\x00\r\n%b\r\n0\r\n\r\n",
    "large extension": b"c;" + b"x" * 20_000 + b"\r\n%b\r\n0\r\n\r\n",
    "request as a trailer": b"c\r\n%b\r\n0\r\n",
    "malformed trailer": b"c\r\n%b\r\n0\r\nX\r\n\r\n",
    "large trailer": b"c\r\n%b\r\n0\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
    "many trailers": b"c\r\n%b\r\n0\r\n" + b"X: x\r\n" * 5000 + b"\r\n",
}


@pytest.mark.parametrize("form", CHUNKS)
async def test_chunks_are_refused(site: Site, form: str) -> None:
    body = CHUNKS[form].replace(b"%b", BODY)
    status, error = await refused(site.gateway.url, post("Transfer-Encoding: chunked", body=body) + SMUGGLED)
    assert (status, error["message"]) == (400, "malformed body")
    assert site.backend.calls == []


@pytest.mark.parametrize("beginning", [b"c;", b"c\r\n%b\r\n0\r\nX: "], ids=["size", "trailer"])
async def test_a_line_between_chunks_is_not_waited_for_for_ever(site: Site, beginning: bytes) -> None:
    body = beginning.replace(b"%b", BODY) + b"x" * 5_000
    status, error = await refused(site.gateway.url, post("Transfer-Encoding: chunked", body=body))
    assert (status, error["message"]) == (400, "malformed body")
    assert site.backend.calls == []


async def test_chunks_with_extensions_and_trailers_are_read(site: Site) -> None:
    site.answer("shop.v1.Order", id="7")
    chunks = b"2;a=b\r\n" + BODY[:2] + b"\r\n00A\r\n" + BODY[2:] + b"\r\n0\r\nX: y\r\n\r\n"
    last = get("Host: a", "Connection: close")
    answers = await all_answers(site.gateway.url, post("Transfer-Encoding: Chunked", body=chunks) + last)
    assert [status for status, _, _ in answers] == [200, 200]
    assert [call.message.user for call in site.backend.calls[:1]] == ["a"]


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n" + get("Host: a", "Connection: close"),
        get("hOST:a", "Connection: close"),
        get("Host: \t a \t ", "Connection:\tclose"),
        get("Host: A", "Connection: close", target="http://a/orders/7"),
        get("Host: a:80", "Connection: close", target="HTTP://a:80/orders/7"),
        get("Host: [::1]:80", "Connection: close"),
        get("Host:", "Connection: close"),
        get(version="HTTP/1.0"),
        get("Host: a", version="HTTP/1.0"),
        get("Host: a", "Connection: close").replace(b"GET", b"FETCH"),
    ],
)
async def test_unusual_but_clear_requests_are_answered(site: Site, sent: bytes) -> None:
    site.answer("shop.v1.Order", id="7")
    answers = await all_answers(site.gateway.url, sent)
    assert [status for status, _, _ in answers] == [200]
    assert [call.method for call in site.backend.calls] == [GET_ORDER]


@pytest.mark.parametrize("method", ["get", "Get", "POSTS", "X-Y!", "QUERY"])
async def test_methods_without_a_route_are_not_allowed(site: Site, method: str) -> None:
    sent = get("Host: a", "Connection: close").replace(b"GET", method.encode())
    ((status, headers, _),) = await all_answers(site.gateway.url, sent)
    assert (status, set(headers["allow"].split(", "))) == (405, {"GET", "HEAD", "FETCH"})
    assert site.backend.calls == []


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
async def test_no_header_changes_the_method(site: Site, name: str) -> None:
    site.answer("shop.v1.Order", id="7")
    sent = get("Host: a", f"{name}: DELETE", "Connection: close", target="/orders/7?_method=DELETE")
    ((status, _, _),) = await all_answers(site.gateway.url, sent)
    assert status == 200
    assert [call.method for call in site.backend.calls] == [GET_ORDER]


async def test_refusals_are_logged_without_what_was_sent(site: Site) -> None:
    _, error = await refused(site.gateway.url, get("Host: a", "Secret\x00: 123-secret"))
    line = json.loads(await site.gateway.process.wait_for_line(error["request_id"]))
    assert (line["event"], line["status"], line["code"]) == ("request refused", 400, "INVALID_ARGUMENT")
    assert "secret" not in json.dumps(line).lower()
