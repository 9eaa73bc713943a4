"""Who may ask for what, however they spell it."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from tests.e2e.shop import GET_ORDER, Site
from tests.support.tokens import SECRET, bearer, hs256

MINE = "/me/orders/7"
UNSIGNED = jwt.encode({"sub": "ada", "exp": 9999999999}, "", algorithm="none")


async def test_no_token(site: Site) -> None:
    answer = await site.gateway.client.get(MINE)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert site.backend.calls == []


@pytest.mark.parametrize(
    "value",
    [
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer a.b.c",
        f"Basic {hs256()}",
        hs256(),
        f"Bearer {hs256('another-secret-of-thirty-two-bytes')}",
        f"Bearer {hs256(expires_in=-60)}",
        f"Bearer {hs256(exp=None)}",
        f"Bearer {hs256(nbf=9999999999)}",
        f"Bearer {hs256()}x",
        f"Bearer {hs256()} {hs256()}",
        f"Bearer {UNSIGNED}",
        f"Bearer {'x' * 7000}",
        "Bearer \xe9",
    ],
)
async def test_bad_token(site: Site, value: str) -> None:
    answer = await site.send("GET", MINE, f"Authorization: {value}")
    assert (answer.status, answer.json()["error"]["code"]) == (401, "UNAUTHENTICATED")
    challenge = answer.header("www-authenticate")
    assert challenge is not None
    assert challenge.startswith("Bearer")
    assert site.backend.calls == []


async def test_two_tokens_are_none(site: Site) -> None:
    good = f"Authorization: Bearer {hs256()}"
    assert (await site.send("GET", MINE, good)).status == 200
    assert (await site.send("GET", MINE, good, good)).status == 401
    assert len(site.backend.calls) == 1


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_good_token(site: Site, scheme: str) -> None:
    answer = await site.send("GET", MINE, f"Authorization: {scheme} {hs256()}  ")
    assert answer.status == 200


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({}, 403),
        ({"roles": ["auditor"]}, 403),
        ({"scope": "read"}, 403),
        ({"roles": ["Auditor"], "scope": "read"}, 403),
        ({"roles": ["user"], "scope": "read"}, 403),
        ({"roles": ["user"], "scope": "write reading"}, 403),
        ({"roles": ["auditor"], "scope": "write read"}, 200),
        ({"roles": ["user", "admin"], "scope": "read"}, 200),
    ],
)
async def test_roles_and_scopes(site: Site, claims: dict[str, Any], status: int) -> None:
    answer = await site.gateway.client.get("/audit/7", headers=bearer(**claims))
    assert answer.status_code == status
    assert len(site.backend.calls) == (status == 200)
    if status == 403:
        assert answer.json()["error"]["code"] == "PERMISSION_DENIED"


async def test_requirements_come_after_the_token(site: Site) -> None:
    assert (await site.gateway.client.get("/audit/7")).status_code == 401


@pytest.mark.parametrize("value", ["Bearer x", f"Bearer {hs256(SECRET)}", "Basic eDp5"])
async def test_open_route_ignores_tokens(site: Site, value: str) -> None:
    answer = await site.gateway.client.get("/orders/7", headers={"Authorization": value})
    assert answer.status_code == 200
    keys = [key for key, _ in site.backend.calls[0].metadata]
    assert not [key for key in keys if "user-id" in key or key == "authorization"]


async def test_bad_request_without_a_token_is_told_about_the_token(site: Site) -> None:
    answer = await site.gateway.client.post("/me/orders", content=b"{")
    assert answer.status_code == 401


SPELLINGS = [
    ("GET", MINE, 401),
    ("HEAD", MINE, 401),
    ("GET", f"{MINE}?", 401),
    ("GET", f"{MINE}?auth_required=false", 401),
    ("GET", f"{MINE}#x", 400),
    ("GET", f"http://localhost{MINE}", 401),
    ("GET", f"http://elsewhere.example:99{MINE}", 400),
    ("GET", f"HTTP://localhost{MINE}", 401),
    ("GET", "/%6de/orders/7", 401),
    ("GET", "/me/%6Frders/7", 401),
    ("GET", "/me/orders/7%00", 401),
    ("GET", "/me/orders/7;x=y", 401),
    ("GET", "/me/orders/..", 401),
    ("GET", "/me/orders/%2e%2e", 401),
    ("GET", "/me/orders/%2F", 401),
    ("GET", "/me/orders/7:verb", 401),
    ("POST", "/me/orders", 401),
    ("GET", f"/{MINE}", 404),
    ("GET", "//me/orders/7", 404),
    ("GET", "/me//orders/7", 404),
    ("GET", "/me/orders//7", 404),
    ("GET", f"{MINE}/", 404),
    ("GET", "/me/orders/", 404),
    ("GET", "/./me/orders/7", 404),
    ("GET", "/x/../me/orders/7", 404),
    ("GET", "/x/%2e%2e/me/orders/7", 404),
    ("GET", "/me/./orders/7", 404),
    ("GET", "/me/orders/../orders/7", 404),
    ("GET", "/me;x/orders/7", 404),
    ("GET", "/ME/ORDERS/7", 404),
    ("GET", "/me/Orders/7", 404),
    ("GET", "/me%2Forders/7", 404),
    ("GET", "/%2Fme/orders/7", 404),
    ("GET", "/me%2Forders%2F7", 404),
    ("GET", "/%256de/orders/7", 404),
    ("GET", "/me%00/orders/7", 404),
    ("GET", "/me\\orders\\7", 404),
    ("GET", "/-/../me/orders/7", 404),
    ("GET", "/-/%2e%2e/me/orders/7", 404),
    ("GET", "me/orders/7", 400),
    ("GET", "*", 404),
    ("GET", "/me/orders/%ff", 400),
    ("GET", "/me/orders/%zz", 400),
    ("DELETE", MINE, 405),
    ("POST", MINE, 405),
    ("TRACE", MINE, 405),
    ("get", MINE, 405),
    ("Get", MINE, 405),
    ("OPTIONS", MINE, 405),
]


@pytest.mark.parametrize(("method", "target", "status"), SPELLINGS)
async def test_no_spelling_of_a_protected_path_is_open(
    site: Site, method: str, target: str, status: int
) -> None:
    answer = await site.send(method, target, "Connection: close")
    assert answer.status == status
    assert site.backend.calls == []


@pytest.mark.parametrize(
    "header",
    [
        "X-HTTP-Method-Override: GET",
        "X-HTTP-Method: GET",
        "X-Method-Override: GET",
        "X-Original-URL: /orders/7",
        "X-Rewrite-URL: /orders/7",
        "X-Forwarded-Prefix: /orders/7",
        "X-Forwarded-Path: /orders/7",
        "X-Forwarded-Method: GET",
        "X-User-Id: ada",
        "X-Forwarded-User: ada",
    ],
)
async def test_no_header_opens_a_protected_path(site: Site, header: str) -> None:
    assert (await site.send("GET", MINE, header)).status == 401
    assert (await site.send("POST", MINE, header)).status == 405
    assert site.backend.calls == []


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
async def test_method_override_in_the_query_is_data(site: Site, version: str) -> None:
    answer = await site.send("DELETE", "/orders/7?_method=GET&X-HTTP-Method-Override=GET")
    assert answer.status == 405


async def test_open_path_does_not_reach_a_protected_one(site: Site) -> None:
    """`/orders/{id}` is open: whatever stands for the id stays its id."""
    for target in ("/orders/..%2Fme%2Forders%2F7", "/files/../me/orders/7", "/files/%2e%2e/me/orders/7"):
        assert (await site.send("GET", target)).status == 200
    assert [call.method for call in site.backend.calls] == [GET_ORDER] * 3
    assert [call.message.order_id for call in site.backend.calls] == [
        "../me/orders/7",
        "../me/orders/7",
        "../me/orders/7",
    ]
