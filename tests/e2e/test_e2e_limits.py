"""Rate limits at a real gateway, and at two that share a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio
import yaml

from tests.e2e.shop import Site, issuer, route, schema
from tests.support.backend import RecordingBackend
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.ports import free_port
from tests.support.redis import running_redis
from tests.support.tokens import bearer

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

    async def ask(self, count: int) -> list[int]:
        """What so many requests are answered, in turns, within a time no waiting would leave."""
        asked = [self.gateways[number % 2].client.get("/orders/7") for number in range(count)]
        return [(await asyncio.wait_for(one, 5)).status_code for one in asked]

    def said(self, event: str) -> int:
        return sum(record["event"] == event for gateway in self.gateways for record in gateway.lines)

    async def until(self, status: int) -> None:
        async with asyncio.timeout(10):
            while True:
                if set(await self.ask(2)) == {status}:
                    return
                await asyncio.sleep(0.05)


@pytest.mark.parametrize(("on_failure", "status"), [("allow", 200), ("deny", 503)])
async def test_redis_goes_and_comes(
    tmp_path_factory: pytest.TempPathFactory, on_failure: str, status: int
) -> None:
    port = free_port()
    async with RecordingBackend(schema()) as backend:
        config = {
            "rate_limits": {
                "storage": f"redis://127.0.0.1:{port}",
                "storage_timeout": "1s",
                "on_storage_failure": on_failure,
                "key": "route",
            },
            "services": {"shop": {"address": backend.address}},
            "routes": [route("get-order", "GET", "/orders/{order_id}", rate_limit="10/day")],
        }
        async with (
            running_gateway(config, tmp_path_factory.mktemp("one")) as one,
            running_gateway(config, tmp_path_factory.mktemp("other")) as other,
        ):
            replicas = Replicas(one, other)
            # down at start
            assert await replicas.ask(10) == [status] * 10
            async with running_redis(port) as redis:
                await replicas.until(429)
                assert await replicas.ask(4) == [429] * 4
                redis.process.kill()
                await redis.process.wait()
                answer = await one.client.get("/orders/7")
                assert await replicas.ask(20) == [status] * 20
                _check_refusal(answer, status)
            async with running_redis(port):
                await replicas.until(429)
            assert replicas.said("rate limits are not counted") == 4
            assert replicas.said("rate limits are counted again") == 4


def _check_refusal(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status
    if status == 503:
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["error"]["message"] == "service unavailable"
