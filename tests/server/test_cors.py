"""What the wrapper makes of a handler's answers; a browser's side of it is in tests/e2e."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tests.plan.requests import request
from transcoder.config.model import Config, CorsConfig
from transcoder.context import Reply, RequestContext, StreamReply
from transcoder.plan.plan import Snapshot
from transcoder.plan.reply import refuse
from transcoder.routing.table import ANY_METHOD, RouteTable
from transcoder.routing.template import parse_template
from transcoder.security.cors import compile_cors
from transcoder.server.cors import cors_of_refusals, with_cors

PAGE = "https://app.example.com"
PREFLIGHT = (("Origin", PAGE), ("Access-Control-Request-Method", "PUT"))


def snapshot(http_method: str = "GET", **cors: Any) -> Snapshot:
    route: Any = SimpleNamespace(info=SimpleNamespace(http_method=http_method))
    return Snapshot(
        generation=1,
        config=Config(),
        backends={},
        routes=(),
        table=RouteTable([(http_method, parse_template("/a"), route)]),
        refuse=refuse,
        cors=compile_cors(CorsConfig.model_validate(cors)),
    )


async def answered(ctx: RequestContext, current: Snapshot, reply: Any = None) -> Any:
    given = Reply(headers=(("x-a", "1"),)) if reply is None else reply

    async def handler(_ctx: RequestContext) -> Any:
        return given

    return await with_cors(handler, lambda: current)(ctx)


async def test_off_is_the_handler_itself() -> None:
    reply = Reply()
    assert await answered(request(headers=[("Origin", PAGE)]), snapshot(), reply) is reply


def test_off_is_no_header_of_refusals() -> None:
    assert cors_of_refusals(snapshot)(b"GET / HTTP/1.1\r\nOrigin: https://a.example") == ()


async def test_headers_are_added() -> None:
    reply = await answered(request(headers=[("Origin", PAGE)]), snapshot(origins=[PAGE]))
    assert reply.headers == (("x-a", "1"), ("access-control-allow-origin", PAGE), ("vary", "origin"))


async def test_stream_stays_itself() -> None:
    """How it ended is written into it later, for those outside to read."""
    stream: Any = StreamReply(content_type="a/b", headers=(), frames=None, close=None)  # type: ignore[arg-type]
    reply = await answered(request(headers=[("Origin", PAGE)]), snapshot(origins=[PAGE]), stream)
    assert reply is stream
    assert ("access-control-allow-origin", PAGE) in reply.headers


async def test_route_for_any_method() -> None:
    """Its `*` would be a method of that name to a browser that sends credentials."""
    ctx = request("OPTIONS", "/a", headers=PREFLIGHT)
    reply = await answered(ctx, snapshot(ANY_METHOD, origins=[PAGE]))
    assert reply.status == 204
    said = dict(reply.headers)["access-control-allow-methods"]
    assert said == "DELETE, GET, HEAD, PATCH, POST, PUT"


async def test_preflight_of_a_method_that_is_not_allowed() -> None:
    ctx = request("OPTIONS", "/a", headers=PREFLIGHT)
    reply = await answered(ctx, snapshot("PUT", origins=[PAGE], methods=["GET"]))
    assert reply.status == 204
    assert "access-control-allow-methods" not in dict(reply.headers)
