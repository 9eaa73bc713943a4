"""Gateways that tests share because they do not change them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.e2e.shop import Site, issuer, route, schema
from tests.support.backend import RecordingBackend
from tests.support.gateway import running_gateway

OPEN: Final[dict[str, Any]] = {"auth_required": False}

ROUTES: Final = (
    route("get-order", "GET", "/orders/{id}", params={"id": "order_id"}, **OPEN),
    route("create-order", "POST", "/users/{user}/orders", "CreateOrder", **OPEN),
    route("set-gift", "PUT", "/users/{user}/gift", "CreateOrder", body="gift", **OPEN),
    route("any-path", "GET", "/files/{order_id=**}", **OPEN),
    route("tilde", "GET", "/~tilde/{order_id}", **OPEN),
    route("no-such-method", "GET", "/nothing", "Nothing", **OPEN),
    route("patient", "GET", "/patient/{order_id}", timeout="10m", **OPEN),
    route("hasty", "GET", "/hasty/{order_id}", timeout="2s", **OPEN),
    route("hasty-service", "GET", "/hasty-service/{order_id}", service="hasty-shop", timeout="20s", **OPEN),
    route("slow-service", "GET", "/slow-service/{order_id}", service="slow-shop", timeout="9m", **OPEN),
    route("lost", "GET", "/lost/{order_id}", service="lost", **OPEN),
    route("mine", "GET", "/me/orders/{order_id}"),
    route("mine-new", "POST", "/me/orders", "CreateOrder"),
    route("audit", "GET", "/audit/{order_id}", require={"roles": ["auditor", "admin"], "scopes": ["read"]}),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Backends live in one event loop, and so do the tests that ask them."""
    for item in items:
        if "e2e" in item.path.parts and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="package"), append=False)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def _site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with RecordingBackend(schema()) as backend:
        shop = {
            "address": backend.address,
            "timeout": "25s",
            "expose": ["methods"],
            "auth_required": False,
            "circuit_breaker": {"failures": 0},  # tests ask for failures, one after the other
        }
        config = {
            "server": {
                "request_timeout": "30s",
                "max_request_body": "64KiB",
                "forward_headers": ["X-Tenant"],
            },
            "auth": {"issuers": [issuer(forward_claims={"x-user-roles": "roles"})]},
            "services": {
                "shop": shop,
                "hasty-shop": {"address": backend.address, "timeout": "3s"},
                "slow-shop": {"address": backend.address, "timeout": "10m"},
                "lost": {"address": "127.0.0.1:1"},
            },
            "routes": ROUTES,
        }
        async with running_gateway(config, tmp_path_factory.mktemp("site")) as gateway:
            yield Site(gateway=gateway, backend=backend)


@pytest.fixture
def site(_site: Site) -> Site:
    """A gateway before a shop that has not been asked anything yet."""
    _site.forget()
    return _site
