"""API keys beside tokens, at a real gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any, Final

import pytest
import pytest_asyncio
import yaml

from tests.e2e.shop import Site, issuer, route, schema
from tests.support.backend import RecordingBackend
from tests.support.gateway import running_gateway
from tests.support.tokens import hs256

PARTNER: Final = "partner-key-lmVxVXgwcE0zMTRtNHk"
READER: Final = "reader-key-V2hhdCBhIG5pY2Uga2V5"
MINE: Final = "/me/orders/7"
BEARER: Final = f"Authorization: Bearer {hs256(roles=['auditor'], scope='read')}"


def entry(key: str, **keys: Any) -> dict[str, Any]:
    return {"hash": f"sha256:{sha256(key.encode()).hexdigest()}", **keys}


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with RecordingBackend(schema()) as backend:
        config = {
            "server": {"forward_headers": ["x-tenant"]},
            "auth": {
                "issuers": [issuer(forward_claims={"x-user-roles": "roles"})],
                "api_keys": [
                    entry(
                        PARTNER,
                        name="partner",
                        user_id="pärtner-1",
                        email="partner@example.com",
                        roles=["auditor"],
                        scopes=["read"],
                        metadata={"x-user-roles": "auditor"},
                    ),
                    entry(READER, name="reader", user_id="reader-1"),
                ],
            },
            "services": {"shop": {"address": backend.address, "expose": ["methods"]}},
            "routes": [
                route("open", "GET", "/orders/{order_id}", auth_required=False),
                route("mine", "GET", "/me/orders/{order_id}"),
                route(
                    "audit", "GET", "/audit/{order_id}", require={"roles": ["auditor"], "scopes": ["read"]}
                ),
            ],
        }
        async with running_gateway(config, tmp_path_factory.mktemp("keys")) as gateway:
            yield Site(gateway=gateway, backend=backend)


@pytest.fixture
def site(shared: Site) -> Site:
    shared.forget()
    return shared


async def test_key_is_its_principal(site: Site) -> None:
    answer = await site.send("GET", MINE, f"X-API-Key: {PARTNER}", "x-user-id: ada", "x-tenant: t")
    assert answer.status == 200
    (call,) = site.backend.calls
    assert call.values("x-user-id") == ["p%C3%A4rtner-1"]
    assert call.values("x-user-email") == ["partner@example.com"]
    assert call.values("x-user-roles") == ["auditor"]
    assert call.values("x-tenant") == ["t"]


async def test_key_never_reaches_a_backend_or_the_log(site: Site) -> None:
    answer = await site.send("GET", MINE, f"x-api-key: {PARTNER}")
    await site.gateway.process.wait_for_line(answer.header("x-request-id") or "")
    wrong = await site.send("GET", MINE, f"x-api-key: {PARTNER}x")
    await site.gateway.process.wait_for_line(wrong.header("x-request-id") or "")
    assert PARTNER not in str(site.gateway.process)
    assert PARTNER not in str(site.backend.calls[0].metadata)
    assert b"api" not in site.backend.calls[0].wire[0].lower()
    assert not site.backend.calls[0].values("x-api-key")


@pytest.mark.parametrize(
    "headers",
    [
        ["x-api-key: "],
        ["x-api-key: x"],
        [f"x-api-key: {PARTNER[:-1]}"],
        [f"x-api-key: {PARTNER.upper()}"],
        [f"x-api-key: Bearer {PARTNER}"],
        [f"x-api-key: {sha256(PARTNER.encode()).hexdigest()}"],
        [f"x-api-key: sha256:{sha256(PARTNER.encode()).hexdigest()}"],
        [f"x-api-key: {PARTNER}", f"x-api-key: {PARTNER}"],
        [f"x-api-key: {PARTNER}", f"x-api-key: {READER}"],
        [f"x-api-key: {PARTNER},{READER}"],
        ["x-api-key: \xff\xfe"],
        [f"x-api-key: {'x' * 7000}"],
    ],
)
async def test_bad_key(site: Site, headers: list[str]) -> None:
    answer = await site.send("GET", MINE, *headers)
    assert (answer.status, answer.json()["error"]["code"]) == (401, "UNAUTHENTICATED")
    assert answer.json()["error"]["message"] == "invalid API key"
    assert answer.header("www-authenticate") == "ApiKey"
    assert site.backend.calls == []


@pytest.mark.parametrize("header", ["x_api_key", "api-key", "x-api-keys", "authorization", "cookie"])
async def test_key_elsewhere_is_none(site: Site, header: str) -> None:
    assert (await site.send("GET", MINE, f"{header}: {PARTNER}")).status == 401


async def test_no_credentials(site: Site) -> None:
    answer = await site.send("GET", f"{MINE}?x-api-key={PARTNER}")
    assert (answer.status, answer.json()["error"]["message"]) == (401, "missing credentials")
    assert answer.header("www-authenticate") == "Bearer, ApiKey"


@pytest.mark.parametrize("token", [BEARER, "Authorization: Bearer x", "Authorization: "])
@pytest.mark.parametrize("key", [PARTNER, "x", ""])
async def test_token_and_key_are_refused(site: Site, token: str, key: str) -> None:
    answer = await site.send("GET", MINE, token, f"x-api-key: {key}")
    assert (answer.status, answer.json()["error"]["message"]) == (401, "both a token and an API key")
    assert answer.header("www-authenticate") == "Bearer, ApiKey"
    assert site.backend.calls == []


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (BEARER, 200),
        (f"Authorization: Bearer {hs256()}", 403),
        (f"x-api-key: {PARTNER}", 200),
        (f"x-api-key: {READER}", 403),
        ("x-tenant: t", 401),
    ],
)
async def test_requirements_hold_for_both(site: Site, header: str, status: int) -> None:
    assert (await site.send("GET", "/audit/7", header)).status == status
    assert len(site.backend.calls) == (status == 200)


async def test_what_is_exposed_takes_both(site: Site) -> None:
    path = "/shop.v1.Orders/GetOrder"
    assert (await site.send("POST", path)).status == 401
    for header in (BEARER, f"x-api-key: {READER}"):
        assert (await site.send("POST", path, header)).status == 200


async def test_open_route_does_not_look_at_keys(site: Site) -> None:
    assert (await site.send("GET", "/orders/7", "x-api-key: x")).status == 200
    assert not site.backend.calls[0].values("x-user-id")


async def test_configuration_does_not_show_hashes(site: Site) -> None:
    answer = await site.gateway.admin.get("/config")
    assert answer.status_code == 200
    assert "sha256:" not in answer.text
    assert "reader-1" in answer.text


async def test_reload_takes_a_key_away(site: Site) -> None:
    file = site.gateway.config_file
    before = file.read_text()
    config = yaml.safe_load(before)
    del config["auth"]["issuers"]
    config["auth"]["api_keys"] = config["auth"]["api_keys"][1:]
    config["auth"]["api_key_header"] = "X-Partner-Key"
    try:
        file.write_text(yaml.safe_dump(config))
        assert (await site.gateway.admin.post("/reload")).status_code == 200
        assert (await site.send("GET", MINE, f"x-partner-key: {READER}")).status == 200
        # without issuers nobody looks at tokens
        assert (await site.send("GET", MINE, f"x-partner-key: {READER}", BEARER)).status == 200
        for header in (f"x-partner-key: {PARTNER}", f"x-api-key: {READER}", BEARER):
            refused = await site.send("GET", MINE, header)
            assert (refused.status, refused.header("www-authenticate")) == (401, "ApiKey")
    finally:
        file.write_text(before)
        assert (await site.gateway.admin.post("/reload")).status_code == 200
