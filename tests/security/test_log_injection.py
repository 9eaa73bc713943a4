"""What clients and backends say in the log: lines stay lines, and nothing grows with what is sent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Final

import grpc
import pytest
import pytest_asyncio

from tests.e2e.shop import GET_ORDER, Site, route, schema
from tests.support.backend import RecordingBackend, failure
from tests.support.gateway import running_gateway
from tests.support.raw import connect, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVIL: Final = 'evil\x1b[2J\r\n\u2028\x85{"event":"forged"}\n2026-01-01T00:00:00Z info forged'
MEGABYTE: Final = EVIL + "x" * 1_000_000
BODIES: Final = {
    "value": {"totalCents": MEGABYTE},
    "key": {MEGABYTE: 1},
    "nested key": {"items": [{MEGABYTE: 1}]},
    "not a message": {"gift": MEGABYTE},
    "many keys": {f"{EVIL}{n}": 1 for n in range(10_000)},
}
LONGEST_LINE: Final = 20_000
WITH_A_LONG_VALUE: Final = 4_000
"""Characters of a line with one value that is cut."""


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["json", "console"])
async def site(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Site]:
    async with RecordingBackend(schema()) as backend:
        config = {
            "server": {"max_request_body": "4MiB"},
            "observability": {"log_format": request.param},
            "services": {"shop": {"address": backend.address, "circuit_breaker": {"failures": 0}}},
            "routes": [
                route("get-order", "GET", "/orders/{order_id}"),
                route("create-order", "POST", "/orders", "CreateOrder"),
            ],
        }
        async with running_gateway(config, tmp_path_factory.mktemp("logs")) as gateway:
            yield Site(gateway=gateway, backend=backend)


async def lines_until_now(site: Site, number: int) -> list[str]:
    """All that was logged before a last request."""
    await site.gateway.client.get("/orders/7", headers={"X-Request-Id": f"last-{number}"})
    await site.gateway.process.wait_for_line(f"last-{number}")
    return site.gateway.process.stderr


def assert_unforged(lines: list[str]) -> None:
    """Every line is one of the gateway's, short, and nothing in it moves a cursor."""
    assert not [line for line in lines if len(line) > LONGEST_LINE]
    assert not [line for line in lines if any(mark in line for mark in "\x1b\r\x85\u2028")]
    if lines[0].startswith("{"):
        assert "forged" not in {json.loads(line)["event"] for line in lines}
    else:
        assert not [line for line in lines if line.split()[2:3] == ["forged"] or line.startswith("{")]


@pytest.mark.parametrize("what", BODIES)
async def test_bodies(site: Site, what: str) -> None:
    site.forget()
    answer = await site.gateway.client.post("/orders", json=BODIES[what])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_ARGUMENT")
    assert len(answer.content) < LONGEST_LINE
    assert_unforged(await lines_until_now(site, 1))


@pytest.mark.parametrize("code", [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INTERNAL])
async def test_texts_of_a_backend(site: Site, code: grpc.StatusCode) -> None:
    site.backend.replies[GET_ORDER] = failure(code, EVIL + "x" * 12_000)
    answer = await site.gateway.client.get("/orders/7")
    assert answer.status_code in {404, 500}
    site.forget()
    lines = await lines_until_now(site, 2)
    assert_unforged(lines)
    assert max(len(line) for line in lines[-4:]) < WITH_A_LONG_VALUE


async def test_thousands_of_paths_add_nothing_to_the_metrics(site: Site) -> None:
    site.forget()
    await site.gateway.client.get("/nothing")
    before = _names(await _metrics(site))
    reader, writer = await connect(site.gateway.url)
    paths = [f"/{prefix}evil-{n}" for n in range(1000) for prefix in ("", "orders/", "orders/a/")]
    for start in range(0, len(paths), 100):
        writer.write(b"".join(request("GET", path) for path in paths[start : start + 100]))
        for _ in range(100):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
    writer.close()
    page = await _metrics(site)
    assert "evil" not in page
    assert _names(page) - before <= {name for name in _names(page) if "/orders/{order_id}" in name}


async def _metrics(site: Site) -> str:
    return (await site.gateway.admin.get("/metrics")).text


def _names(page: str) -> set[str]:
    """Every time series there is."""
    return {line.rpartition(" ")[0] for line in page.splitlines() if not line.startswith("#")}
