"""What every answer says to browsers and caches."""

from __future__ import annotations

import pytest

from tests.e2e.shop import GET_ORDER, Site
from tests.support.backend import Answer


@pytest.mark.parametrize(
    ("target", "status"),
    [("/orders/7", 200), ("/elsewhere", 404), ("/me/orders/7", 401), ("/-/health", 200), ("/-/x", 404)],
)
async def test_every_answer(site: Site, target: str, status: int) -> None:
    answer = await site.gateway.client.get(target)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("cache-control", "public, max-age=60", "public, max-age=60"),
        ("etag", '"1"', None),
        ("last-modified", "Tue, 15 Nov 1994 12:45:26 GMT", None),
        ("expires", "Tue, 15 Nov 1994 12:45:26 GMT", None),
        ("x-other", "1", "no-store"),
    ],
)
async def test_backend_decides_about_caching(site: Site, name: str, value: str, expected: str | None) -> None:
    order = site.backend.schema.message("shop.v1.Order", id="7")
    site.backend.replies[GET_ORDER] = Answer(messages=[order], metadata=[(name, value)])
    answer = await site.gateway.client.get("/orders/7")
    assert answer.headers[name] == value
    assert answer.headers.get("cache-control") == expected
