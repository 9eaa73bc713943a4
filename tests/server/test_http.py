"""Between Sanic's requests and responses and the gateway's."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import pytest
from sanic import HTTPResponse
from sanic.compat import Header
from sanic.exceptions import (
    BadRequest,
    MethodNotAllowed,
    PayloadTooLarge,
    RequestCancelled,
    RequestTimeout,
    ServiceUnavailable,
)

from tests.plan.requests import Bytes
from tests.support.events import Events
from transcoder.context import Reply, StreamReply
from transcoder.errors import NOT_FOUND, TranscodeError
from transcoder.plan.reply import refuse
from transcoder.server.http import (
    Refusals,
    TargetedRequest,
    context_of,
    origin_form,
    request_id_of,
    response_of,
    send_stream,
)


class Transport:
    """A connection that can be cut."""

    is_closed = False

    def get_extra_info(self, _name: str) -> Any:
        return None

    def close(self) -> None:
        self.is_closed = True


def incoming(
    target: str = "/", *headers: tuple[str, str], http_method: str = "GET", is_tls: bool = False
) -> TargetedRequest:
    """A request as Sanic's parser makes it."""
    request = TargetedRequest(target.encode(), Header(headers), "1.1", http_method, Transport(), None)
    request.conn_info = SimpleNamespace(client_ip="10.1.2.3", ssl={"version": "TLSv1.3"} if is_tls else None)
    return request


def test_facts_of_a_request() -> None:
    body = Bytes(b"{}")
    headers = (("host", "api"), ("x-a", "1 \t"), ("x-a", "2"), ("x-b", "\udcff"))
    ctx = context_of(incoming("/a%2Fb//c;d?q=%20&q?#f", *headers, http_method="PATCH"), body)
    assert (ctx.http_method, ctx.path, ctx.query) == ("PATCH", "/a%2Fb//c;d", "q=%20&q?#f")
    assert ctx.headers == (("host", "api"), ("x-a", "1"), ("x-a", "2"), ("x-b", "\udcff"))
    assert ctx.body is body
    assert (ctx.peer, ctx.scheme) == ("10.1.2.3", "http")
    assert (ctx.principal, ctx.route) == (None, None)


def test_scheme_is_that_of_the_connection() -> None:
    assert context_of(incoming(is_tls=True), Bytes(b"")).scheme == "https"
    forged = incoming("/", ("x-forwarded-proto", "https"))
    assert context_of(forged, Bytes(b"")).scheme == "http"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/a?b", "/a?b"),
        ("/", "/"),
        ("*", "*"),
        ("//x/y", "//x/y"),
        ("/go?to=http://other/x", "/go?to=http://other/x"),
        ("http://host/a?b=/c", "/a?b=/c"),
        ("HTTPS://host:1/a", "/a"),
        ("http://host", "/"),
        ("http://host?q=a/b", "/?q=a/b"),
        ("http://host//x", "//x"),
        ("http://host/-/health", "/-/health"),
        ("go?to=http://other/x", "go?to=http://other/x"),
        ("host:443", "host:443"),
        ("", ""),
    ],
)
def test_absolute_targets(target: str, expected: str) -> None:
    """Only a scheme at the very start makes one, and no query moves into the path."""
    assert origin_form(target) == expected


def test_router_needs_no_path() -> None:
    assert incoming("http://host").path == "/"


@pytest.mark.parametrize("value", ["a", "A-z_0.9:/+=@", "x" * 128])
def test_sane_request_id_is_kept(value: str) -> None:
    assert request_id_of(incoming("/", ("x-request-id", value))) == value


@pytest.mark.parametrize(
    "value", [None, "", "x" * 129, "a b", "a\n", "é", "<script>", '"', "\udcff", "a\x00"]
)
def test_other_request_id_is_replaced(value: str | None) -> None:
    headers = [] if value is None else [("x-request-id", value)]
    made = {request_id_of(incoming("/", *headers)) for _ in range(2)}
    assert len(made) == 2
    assert all(len(one) == 32 and one.isalnum() for one in made)


def headers_of(response: HTTPResponse) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in response.headers.items()]


def test_reply() -> None:
    reply = Reply(status=201, body=b"x", content_type="image/png", headers=(("x-a", "1"), ("x-a", "2")))
    response = response_of(reply, "id-1")
    assert (response.status, response.body, response.content_type) == (201, b"x", "image/png")
    expected = [
        ("x-a", "1"),
        ("x-a", "2"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-request-id", "id-1"),
    ]
    assert [pair for pair in headers_of(response) if pair[0] != "content-type"] == expected


@pytest.mark.parametrize(
    ("exception", "status", "code", "message"),
    [
        (BadRequest("Bad Request: secret"), 400, "INVALID_ARGUMENT", "invalid argument"),
        (PayloadTooLarge("secret"), 413, "PAYLOAD_TOO_LARGE", "payload too large"),
        (RequestTimeout("secret"), 408, "REQUEST_TIMEOUT", "request timeout"),
        (ServiceUnavailable("secret"), 503, "SERVICE_UNAVAILABLE", "service unavailable"),
    ],
)
def test_what_sanic_refuses(exception: Exception, status: int, code: str, message: str) -> None:
    events = Events()
    response = Refusals(events).response(incoming("/", ("x-request-id", "r1")), exception)
    assert response.status == status
    error = json.loads(response.body or b"")
    assert error == {"error": {"code": code, "message": message, "request_id": "r1"}}
    assert ("x-request-id", "r1") in headers_of(response)
    (line,) = events.all
    assert (line.level, line.event) == ("info", "request refused")
    assert line.fields == {"status": status, "code": code, "request_id": "r1", "reason": str(exception)}


def test_client_that_went_away_is_no_bug() -> None:
    events = Events()
    assert Refusals(events).response(incoming(), RequestCancelled()).status == 499  # type: ignore[arg-type]
    assert events.all == []


def test_headers_of_what_sanic_refuses() -> None:
    exception = MethodNotAllowed("no", method="PUT", allowed_methods=("GET",))
    response = Refusals(Events()).response(incoming(), exception)
    assert ("allow", "GET") in headers_of(response)


def test_bug_in_front_of_the_handler() -> None:
    events = Events()
    bug = RuntimeError("secret")
    response = Refusals(events).response(incoming("/", ("x-request-id", "r1")), bug)
    assert response.status == 500
    assert b"secret" not in (response.body or b"")
    (line,) = events.all
    assert (line.level, line.fields) == ("error", {"request_id": "r1", "exc_info": bug})


def test_refusals_have_the_shape_they_are_told() -> None:
    def shaped(error: TranscodeError, request_id: str) -> Reply:
        return refuse(TranscodeError(NOT_FOUND, f"shaped {error.kind.name}"), request_id)

    response = Refusals(Events(), shaped).response(incoming(), BadRequest("no"))
    assert b"shaped INVALID_ARGUMENT" in (response.body or b"")


class Streamed:
    """A request whose answer is a stream, and what of it the client got."""

    def __init__(self, http_method: str = "GET") -> None:
        self.method = http_method
        self.transport = Transport()
        self.sent: list[bytes] = []
        self.head: dict[str, Any] = {}
        self.is_complete = False

    async def respond(self, **head: Any) -> Streamed:
        self.head = head
        return self

    async def send(self, frame: bytes) -> None:
        self.sent.append(frame)

    async def eof(self) -> None:
        self.is_complete = True


async def stream(request: Streamed, *, is_broken: bool = False) -> StreamReply:
    closed: list[bool] = []

    async def frames() -> AsyncGenerator[bytes, None]:
        yield b"1"
        if is_broken:
            raise TranscodeError(NOT_FOUND, "no way to say it")
        yield b"2"

    async def close() -> None:
        closed.append(True)

    reply = StreamReply(
        status=202, content_type="application/x-ndjson", headers=(("x-a", "1"),), frames=frames(), close=close
    )
    await send_stream(request, reply, "id-1")  # type: ignore[arg-type]
    assert closed == [True]
    await reply.frames.aclose()
    return reply


async def test_stream() -> None:
    request = Streamed()
    await stream(request)
    assert (request.sent, request.is_complete) == ([b"1", b"2"], True)
    assert (request.head["status"], request.head["content_type"]) == (202, "application/x-ndjson")
    headers = list(request.head["headers"].items())
    assert headers == [
        ("x-a", "1"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-request-id", "id-1"),
    ]
    assert not request.transport.is_closed


async def test_head_of_a_stream_has_no_body() -> None:
    request = Streamed("HEAD")
    await stream(request)
    assert (request.sent, request.is_complete) == ([], True)


async def test_stream_that_breaks_is_cut() -> None:
    """Without its end no client takes it for complete."""
    request = Streamed()
    await stream(request, is_broken=True)
    assert (request.sent, request.is_complete) == ([b"1"], False)
    assert request.transport.is_closed
