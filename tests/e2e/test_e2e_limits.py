"""Rate limits at a real gateway, and at two that share a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio
import yaml
from redis.asyncio import Redis

from tests.e2e.shop import Site, issuer, route, schema
from tests.support.backend import RecordingBackend
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.metrics import read_metrics
from tests.support.ports import free_port
from tests.support.redis import running_redis
from tests.support.tokens import bearer

LIMITED: Final = "transcoder_requests_rate_limited_total"
UP: Final = "transcoder_rate_limit_storage_up"
UNCOUNTED: Final = "transcoder_requests_uncounted_total"

OPEN: Final[dict[str, Any]] = {"auth_required": False}


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with RecordingBackend(schema()) as backend:
        config = {
            "server": {"trusted_proxies": ["127.0.0.0/8"]},
            "auth": {"issuers": [issuer()]},
            "rate_limits": {"key": "user", "default": "5/day"},
            "services": {
                "shop": {"address": backend.address, "expose": ["methods"], "auth_required": False},
                "lost": {"address": "127.0.0.1:1", "expose": []},
            },
            "routes": [
                route("first", "GET", "/first/{order_id}", rate_limit="2/day", **OPEN),
                route("second", "GET", "/second/{order_id}", rate_limit="2/day", **OPEN),
                route("lost", "GET", "/lost/{order_id}", service="lost", rate_limit="2/day", **OPEN),
                route("mine", "GET", "/me/orders/{order_id}", rate_limit="2/day"),
                route("admins", "GET", "/admin/{order_id}", rate_limit="2/day", require={"roles": ["admin"]}),
                route("other", "GET", "/other/{order_id}", **OPEN),
            ],
        }
        async with running_gateway(config, tmp_path_factory.mktemp("limits")) as gateway:
            yield Site(gateway=gateway, backend=backend)


@pytest.fixture
def site(shared: Site) -> Site:
    shared.forget()
    return shared


async def statuses(site: Site, target: str, count: int, client: str = "", **headers: str) -> list[int]:
    """What so many requests are answered, which come from a client somewhere."""
    if client:
        headers["X-Forwarded-For"] = client
    answers = [await site.gateway.client.get(target, headers=headers) for _ in range(count)]
    return [answer.status_code for answer in answers]


async def test_request_over_the_limit(site: Site) -> None:
    labels = {"route": "/first/{order_id}", "http_method": "GET", "backend": "shop"}
    before = (await read_metrics(site.gateway.admin)).sum(LIMITED, **labels)
    assert await statuses(site, "/first/7", 2, "192.0.2.1") == [200, 200]
    answer = await site.send("GET", "/first/7", "X-Forwarded-For: 192.0.2.1")
    assert answer.status == 429
    assert answer.json()["error"] == {
        "code": "RESOURCE_EXHAUSTED",
        "message": "rate limit of 2/day exceeded",
        "request_id": answer.header("x-request-id"),
    }
    assert 1 <= int(answer.header("retry-after") or 0) <= 86400
    assert answer.header("ratelimit-reset") == answer.header("retry-after")
    assert (answer.header("ratelimit-limit"), answer.header("ratelimit-remaining")) == ("2", "0")
    assert len(site.backend.calls) == 2
    line = await site.gateway.process.wait_for_line(answer.header("x-request-id") or "")
    assert "by address 192.0.2.1" in line
    assert (await read_metrics(site.gateway.admin)).sum(LIMITED, **labels) == before + 1


async def test_each_address_and_each_route_for_itself(site: Site) -> None:
    assert await statuses(site, "/first/7", 3, "192.0.2.2") == [200, 200, 429]
    assert await statuses(site, "/first/7", 3, "192.0.2.3") == [200, 200, 429]
    assert await statuses(site, "/second/7", 3, "192.0.2.2") == [200, 200, 429]


async def test_an_invented_address_does_not_help(site: Site) -> None:
    invented = [f"10.1.1.{number}, 192.0.2.4" for number in range(3)]
    assert [await statuses(site, "/first/7", 1, client) for client in invented] == [[200], [200], [429]]


async def test_requests_refused_elsewhere_count_too(site: Site) -> None:
    """What a backend makes of them is not the limit's business."""
    assert await statuses(site, "/lost/7", 3, "192.0.2.5") == [503, 503, 429]


async def test_first_request_of_all_counts_once(site: Site) -> None:
    """It is what makes the gateway read the schema; a reload forgets that of a backend that moved."""
    file = site.gateway.config_file
    before = file.read_text()
    config = yaml.safe_load(before)
    config["services"]["late"] = {"address": f"dns:///{site.backend.address}"}
    config["routes"].append(
        route("late", "GET", "/late/{order_id}", service="late", rate_limit="1/day", **OPEN)
    )
    try:
        file.write_text(yaml.safe_dump(config))
        assert (await site.gateway.admin.post("/reload")).status_code == 200
        assert await statuses(site, "/late/7", 2, "192.0.2.6") == [200, 429]
    finally:
        file.write_text(before)
        assert (await site.gateway.admin.post("/reload")).status_code == 200


async def test_each_user_for_itself(site: Site) -> None:
    ada, bob = bearer(sub="ada"), bearer(sub="bob")
    assert await statuses(site, "/me/orders/7", 3, "192.0.2.7", **ada) == [200, 200, 429]
    assert await statuses(site, "/me/orders/7", 1, "192.0.2.8", **ada) == [429]
    assert await statuses(site, "/me/orders/7", 1, "192.0.2.7", **bob) == [200]


async def test_who_may_not_ask_is_not_counted(site: Site) -> None:
    assert await statuses(site, "/admin/7", 4, "192.0.2.9") == [401] * 4
    user, admin = bearer(sub="eve"), bearer(sub="eve", roles=["admin"])
    assert await statuses(site, "/admin/7", 4, "192.0.2.9", **user) == [403] * 4
    assert await statuses(site, "/admin/7", 3, "192.0.2.9", **admin) == [200, 200, 429]


async def test_default_is_for_the_others(site: Site) -> None:
    assert await statuses(site, "/other/7", 6, "192.0.2.10") == [200] * 5 + [429]
    client, headers = site.gateway.client, {"X-Forwarded-For": "192.0.2.10"}
    answers = [await client.post("/shop.v1.Orders/GetOrder", headers=headers) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]


async def test_probes_have_no_limit(site: Site) -> None:
    assert set(await statuses(site, "/-/health", 10, "192.0.2.11")) == {200}


async def test_reload_keeps_what_was_counted(site: Site) -> None:
    assert await statuses(site, "/second/7", 2, "192.0.2.12") == [200, 200]
    assert (await site.gateway.admin.post("/reload")).status_code == 200
    assert await statuses(site, "/second/7", 1, "192.0.2.12") == [429]


class Replicas:
    """Two gateways before one backend, whose limit is shared by a Redis that need not run."""

    def __init__(self, *gateways: RunningGateway) -> None:
        self.gateways = gateways

    async def ask(self) -> list[httpx.Response]:
        """One request at each, answered within a time that no waiting would leave."""
        async with asyncio.timeout(10):
            return [await gateway.client.get("/orders/7") for gateway in self.gateways]

    async def statuses(self) -> list[int]:
        return [answer.status_code for answer in await self.ask()]

    async def until(self, *statuses: int) -> None:
        async with asyncio.timeout(30):
            while True:
                if await self.statuses() == [*statuses]:
                    return
                await asyncio.sleep(0.05)

    async def admitted(self) -> int:
        """How many requests get through, from the first one that does until both gateways refuse."""
        seen: list[int] = []
        async with asyncio.timeout(30):
            while not (200 in seen and seen[-2:] == [429, 429]):
                seen += await self.statuses()
        return seen.count(200)

    def said(self, event: str) -> list[int]:
        """How often each has logged it."""
        return [sum(one["event"] == event for one in gateway.lines) for gateway in self.gateways]


@asynccontextmanager
async def replicas(port: int, directories: pytest.TempPathFactory) -> AsyncIterator[Replicas]:
    """One lets nothing pass without Redis, the other everything."""

    def config(on_failure: str) -> dict[str, Any]:
        limits = {"storage": f"redis://127.0.0.1:{port}", "storage_timeout": "1s", "key": "route"}
        return {
            "rate_limits": {**limits, "on_storage_failure": on_failure},
            "services": {"shop": {"address": backend.address}},
            "routes": [route("get-order", "GET", "/orders/{order_id}", rate_limit="10/day")],
        }

    async with (
        RecordingBackend(schema()) as backend,
        running_gateway(config("deny"), directories.mktemp("deny")) as one,
        running_gateway(config("allow"), directories.mktemp("allow")) as other,
    ):
        yield Replicas(one, other)


async def test_redis_is_shared_goes_and_comes(tmp_path_factory: pytest.TempPathFactory) -> None:
    port = free_port()
    async with replicas(port, tmp_path_factory) as two:
        for _ in range(5):  # it is down at start
            assert await two.statuses() == [503, 200]
        for gateway, outcome in zip(two.gateways, ("refused", "allowed"), strict=True):
            page = await read_metrics(gateway.admin)
            assert page.sum(UNCOUNTED, outcome=outcome) == page.sum(UNCOUNTED) == 5
            assert page.sum(UP) == 0
        async with running_redis(port) as redis:
            await two.until(429, 429)
            async with Redis.from_url(redis.url) as client:
                await client.flushall()
            assert await two.admitted() == 10
            assert [(await read_metrics(one.admin)).sum(UP) for one in two.gateways] == [1, 1]
            redis.process.kill()
            await redis.process.wait()
            await two.until(503, 200)
            for _ in range(5):
                refused, _passed = answers = await two.ask()
                assert [answer.status_code for answer in answers] == [503, 200]
                assert refused.headers["retry-after"] == "1"
                assert refused.json()["error"]["message"] == "service unavailable"
        async with running_redis(port):
            await two.until(429, 429)
        assert two.said("rate limits are not counted") == [2, 2]
        assert two.said("rate limits are counted again") == [2, 2]
