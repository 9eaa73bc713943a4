"""What operators find in the log, and what they never do."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.shop import GET_ORDER, Site, issuer, route, schema
from tests.support.backend import Answer, Call, RecordingBackend
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.raw import connect, request
from tests.support.tokens import SECRET, bearer, hs256

FIELDS = {
    "timestamp",
    "level",
    "event",
    "method",
    "route",
    "status",
    "code",
    "backend",
    "rpc",
    "duration_ms",
    "request_id",
    "trace_id",
    "user_id",
    "reason",
}


async def _line(gateway: RunningGateway, request_id: str) -> dict[str, Any]:
    """The one log line of a request."""
    await gateway.process.wait_for_line(f'"{request_id}"', within=5)
    (line,) = [line for line in gateway.lines if line.get("request_id") == request_id]
    return line


async def test_line_of_a_request(site: Site) -> None:
    headers = bearer(sub="ada") | {"X-Request-Id": "log-ok"}
    await site.gateway.client.get("/me/orders/secret-path?limit=3", headers=headers)
    line = await _line(site.gateway, "log-ok")
    assert line.keys() == FIELDS
    assert isinstance(line.pop("duration_ms"), float)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "event": "request",
        "method": "GET",
        "route": "/me/orders/{order_id}",
        "status": 200,
        "code": "OK",
        "backend": "shop",
        "rpc": GET_ORDER,
        "request_id": "log-ok",
        "trace_id": None,
        "user_id": "ada",
        "reason": None,
    }


@pytest.mark.parametrize(
    ("target", "status", "code", "has_reason"),
    [
        ("/no/such/path", 404, "NOT_FOUND", True),
        ("/orders/7?limit=x", 400, "INVALID_ARGUMENT", True),
        ("/me/orders/7", 401, "UNAUTHENTICATED", True),
        ("/lost/7", 503, "SERVICE_UNAVAILABLE", True),
        ("/nothing", 501, "UNIMPLEMENTED", True),
    ],
)
async def test_line_of_a_refusal(
    site: Site, target: str, status: int, code: str, *, has_reason: bool
) -> None:
    request_id = f"log-{status}"
    await site.gateway.client.get(target, headers={"X-Request-Id": request_id})
    line = await _line(site.gateway, request_id)
    assert (line["status"], line["code"]) == (status, code)
    assert bool(line["reason"]) is has_reason


async def test_line_of_a_request_whose_client_went_away(site: Site) -> None:
    async def hold(_: Call) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    site.backend.replies[GET_ORDER] = hold
    _, writer = await connect(site.gateway.url)
    writer.write(request("GET", "/orders/7", "X-Request-Id: log-gone"))
    await site.backend.wait_for_calls()
    writer.close()
    line = await _line(site.gateway, "log-gone")
    assert (line["status"], line["code"]) == (499, "CANCELLED")


async def test_line_of_a_body_that_is_too_large(site: Site) -> None:
    answer = await site.send("POST", "/users/ada/orders", "X-Request-Id: log-large", body=b" " * 70_000)
    assert answer.status == 413
    line = await _line(site.gateway, "log-large")
    assert (line["status"], line["code"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_line_of_a_request_that_could_not_be_read(site: Site) -> None:
    answer = await site.send("POST", "/users/ada/orders", "Content-Length: many")
    line = await _line(site.gateway, answer.header("x-request-id") or "")
    assert (line["event"], line["status"], line["code"]) == ("request refused", 400, "INVALID_ARGUMENT")
    assert line["reason"]


async def test_what_clients_send_cannot_forge_lines(site: Site) -> None:
    before = len(site.gateway.process.stderr)
    forged = '\x1b[31m{"event":"request"}'
    await site.send("GET", "/orders/%0a%7B%22event%22%3A%22forged%22%7D", "X-Request-Id: log-forged")
    await site.send("GET", f"/{'x' * 5000}", f"User-Agent: {forged}", f"X-Tenant: {forged}")
    await site.send("GET", "/orders/\xff\r", "X-Request-Id: log-last")
    await site.gateway.client.get("/orders/7", headers={"X-Request-Id": "log-end"})
    await _line(site.gateway, "log-end")
    lines = site.gateway.process.stderr[before:]
    assert all(json.loads(line)["event"] != "forged" for line in lines)
    assert not [line for line in lines if "\x1b" in line or len(line) > 4000]


async def test_no_secret_is_ever_logged_or_shown(tmp_path: Path) -> None:
    token, other = hs256(sub="ada"), hs256("another-secret-of-thirty-two-bytes", sub="eve")
    secrets = [
        SECRET,
        "admin-token-1",
        "api-key-1",
        "eDpwYXNzd29yZA==",
        token,
        other,
        token.rpartition(".")[2],
    ]

    async def fail(_: Call) -> Answer:
        raise ValueError("broken")

    async with RecordingBackend(schema(), {GET_ORDER: fail}) as backend:
        config = {
            "admin": {"token": "admin-token-1"},
            "observability": {"log_level": "debug"},
            "server": {"forward_headers": ["Authorization"]},
            "auth": {"issuers": [issuer(secret="${JWT_SECRET}")]},
            "services": {"shop": {"address": backend.address, "metadata": {"x-api-key": "api-key-1"}}},
            "routes": [route("mine", "GET", "/orders/{order_id}")],
        }
        async with running_gateway(config, tmp_path, env={"JWT_SECRET": SECRET}) as gateway:
            operator = {"Authorization": "Bearer admin-token-1"}
            for value in (f"Bearer {token}", f"Bearer {other}", "Basic eDpwYXNzd29yZA=="):
                await gateway.client.get("/orders/7", headers={"Authorization": value})
                assert (
                    await gateway.admin.get("/config", headers={"Authorization": value})
                ).status_code == 401
            shown = (await gateway.admin.get("/config", headers=operator)).text
            shown += (await gateway.admin.get("/services", headers=operator)).text
            await gateway.admin.post("/reload", headers=operator)
            good = gateway.config_file.read_text()
            gateway.config_file.write_text(good.replace("admin-token-1", "[admin-token-1, api-key-1]"))
            shown += (await gateway.admin.post("/reload", headers=operator)).text
            gateway.process.terminate()
            await gateway.process.wait()
    assert backend.calls
    written = "\n".join([*gateway.process.stdout, *gateway.process.stderr, shown])
    assert "reload failed" in written
    assert not [secret for secret in secrets if secret in written]
