"""The paths orchestrators ask."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.plan.requests import request
from transcoder.context import Reply, RequestContext
from transcoder.server.probes import with_probes


async def inner(ctx: RequestContext) -> Reply:
    return Reply(status=299, body=ctx.path.encode())


async def ask(http_method: str, path: str, *, is_ready: bool = True) -> Any:
    return await with_probes(inner, lambda: is_ready)(request(http_method, path))


@pytest.mark.parametrize("http_method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/-/health", "/-/ready"])
async def test_good_health(http_method: str, path: str) -> None:
    reply = await ask(http_method, path)
    assert (reply.status, json.loads(reply.body), reply.code) == (200, {"status": "ok"}, "OK")


async def test_not_ready() -> None:
    assert (await ask("GET", "/-/health", is_ready=False)).status == 200
    reply = await ask("GET", "/-/ready", is_ready=False)
    assert (reply.status, reply.reason) == (503, "starting or draining")
    assert json.loads(reply.body)["error"] == {
        "code": "SERVICE_UNAVAILABLE",
        "message": "service unavailable",
        "request_id": "id-1",
    }


async def test_readiness_is_asked_every_time() -> None:
    answers = iter([False, True])
    handler = with_probes(inner, lambda: next(answers))
    assert [(await handler(request("GET", "/-/ready"))).status for _ in range(2)] == [503, 200]


@pytest.mark.parametrize("http_method", ["POST", "DELETE", "get", "OPTIONS"])
async def test_probes_can_only_be_read(http_method: str) -> None:
    reply = await ask(http_method, "/-/ready")
    assert (reply.status, reply.headers) == (405, (("allow", "GET, HEAD"),))


@pytest.mark.parametrize("path", ["/-/", "/-/admin", "/-/health/", "/-/healthz", "/-/ready/x", "/-/%68ealth"])
async def test_nothing_else_is_there(path: str) -> None:
    reply = await ask("GET", path)
    assert (reply.status, reply.code) == (404, "NOT_FOUND")


@pytest.mark.parametrize("path", ["/", "/-", "/--/health", "/health", "//-/health", "/%2d/health"])
async def test_the_rest_goes_inside(path: str) -> None:
    reply = await ask("POST", path, is_ready=False)
    assert (reply.status, reply.body) == (299, path.encode())
