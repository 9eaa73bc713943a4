"""The admin port of a gateway with a real backend."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.inspection.shop import gateway_of, route, shop_schema
from tests.server.admin_port import Admin, Steered, listening
from tests.support.backend import RecordingBackend
from tests.support.tokens import SECRET


@pytest_asyncio.fixture
async def shop() -> AsyncIterator[RecordingBackend]:
    async with RecordingBackend(shop_schema()) as backend:
        yield backend


@pytest_asyncio.fixture
async def admin(shop: RecordingBackend) -> AsyncIterator[Admin]:
    get_order = route("get-order", "GET", "/orders/{order_id}", "GetOrder", service="shop.v1")
    auth = {"issuers": [{"name": "main", "algorithms": ["HS256"], "secret": SECRET}]}
    async with gateway_of({"shop.v1": {"address": shop.address}}, get_order, auth=auth) as gateway:
        everyone = [{"worker": 1, "ok": True}, {"worker": 2, "ok": True}]
        worker = Steered(gateway=gateway, outcomes={"reload": everyone, "refresh": everyone})
        async with listening(worker) as admin:
            yield admin
