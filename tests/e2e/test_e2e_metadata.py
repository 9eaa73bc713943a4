"""What the backend is told beside the message, and by whom."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e.shop import Site, issuer, route, schema
from tests.support.backend import Call, RecordingBackend
from tests.support.gateway import running_gateway
from tests.support.tokens import bearer

FROM_GRPC = {"user-agent", "accept-encoding", "grpc-accept-encoding"}
"""What every gRPC client says; it is not from the request."""


def _keys(call: Call) -> list[str]:
    return sorted(key for key, _ in call.metadata if key not in FROM_GRPC)


async def test_nothing_but_what_is_promised(site: Site) -> None:
    await site.send("GET", "/orders/7?view=x", "User-Agent: me", "Cookie: a=b", "X-Other: 1")
    (call,) = site.backend.calls
    assert _keys(call) == [
        "traceparent",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-method",
        "x-forwarded-path",
        "x-forwarded-proto",
        "x-path-id",
        "x-request-id",
    ]
    assert call.values("x-path-id") == ["7"]
    assert call.values("x-forwarded-method") == ["GET"]
    assert call.values("x-forwarded-path") == ["/orders/7"]
    assert call.values("x-forwarded-for") == ["127.0.0.1"]
    assert call.values("x-forwarded-host") == ["localhost"]
    assert call.values("x-forwarded-proto") == ["http"]
    assert "me" not in call.values("user-agent")


async def test_verified_identity(site: Site) -> None:
    headers = bearer(sub="ada", email="ada@example.com", roles=["admin", "ops"])
    assert (await site.gateway.client.get("/me/orders/7", headers=headers)).status_code == 200
    (call,) = site.backend.calls
    assert call.values("x-user-id") == ["ada"]
    assert call.values("x-user-email") == ["ada@example.com"]
    assert call.values("x-user-roles") == ["admin,ops"]
    assert call.values("authorization") == []


FORGED = (
    "X-User-Id: root",
    "x-user-id: root",
    "X-USER-ID: root",
    "x_user_id: root",
    "X_User_Id: root",
    "X-User_Id: root",
    "X-User-Email: root",
    "X-User-Roles: root",
    "x_user_roles: root",
    "X-Path-Id: root",
    "X-Path-Order_Id: root",
    "x_path_id: root",
    "X-Path-Other: root",
    "Grpc-Metadata-X-User-Id: root",
    "Grpc-Metadata-X-Path-Id: root",
    "X-User-Id-Bin: cm9vdA==",
    "X-Forwarded-User: root",
    "X-Remote-User: root",
    "X-Forwarded-For: 6.6.6.6",
    "X-Forwarded-Host: root",
    "X-Forwarded-Proto: root",
    "X-Forwarded-Method: root",
    "X-Forwarded-Path: /root",
    "X-Original-Url: /root",
    "Forwarded: for=6.6.6.6",
)


@pytest.mark.parametrize("forged", FORGED)
@pytest.mark.parametrize("target", ["/orders/7", "/me/orders/7"])
async def test_forged_names_are_not_heard(site: Site, target: str, forged: str) -> None:
    token = f"Authorization: {bearer(sub='ada')['Authorization']}"
    more = (forged, forged, f"Connection: {forged.partition(':')[0]}")
    assert (await site.send("GET", target, token, *more)).status == 200
    (call,) = site.backend.calls
    said = [value for key, value in call.metadata if key not in FROM_GRPC]
    assert not [value for value in said if b"root" in _bytes(value) or b"6.6.6.6" in _bytes(value)]
    assert call.values("x-user-id") == (["ada"] if target.startswith("/me") else [])
    assert [key for key in _keys(call) if "user" in key] == (
        ["x-user-id"] if target.startswith("/me") else []
    )


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


@pytest.mark.parametrize(
    "header",
    [
        "Connection: keep-alive, x-tenant",
        "Keep-Alive: timeout=5",
        "Proxy-Authorization: x",
        "Proxy-Connection: x",
        "TE: trailers",
        "Trailer: x",
        "Upgrade: h2c",
        "Grpc-Encoding: gzip",
        "Grpc-Status: 0",
        "Grpc-Foo: x",
        "Content-Type: text/plain",
        "Content-Encoding: identity",
        "Content-Foo: x",
        "Accept: text/html",
        "Authorization: Basic eDp5",
        "Cookie: a=b",
    ],
)
async def test_headers_of_one_hop_or_of_the_message_are_not_metadata(site: Site, header: str) -> None:
    assert (await site.send("GET", "/orders/7", header)).status == 200
    (call,) = site.backend.calls
    assert header.partition(":")[0].lower() not in _keys(call)
    assert "host" not in _keys(call)


async def test_forwarded_headers_keep_their_values_and_order(site: Site) -> None:
    await site.send("GET", "/orders/7", "X-TENANT: b  ", "x-tenant: a,c", "X-Other: 1")
    (call,) = site.backend.calls
    assert call.values("x-tenant") == ["b", "a,c"]
    assert call.values("x-other") == []


@pytest.mark.parametrize("value", ["\xe9", "a\tb"])
async def test_forwarded_header_that_metadata_cannot_carry(site: Site, value: str) -> None:
    answer = await site.send("GET", "/orders/7", f"X-Tenant: {value}")
    assert (answer.status, answer.json()["error"]["code"]) == (400, "INVALID_ARGUMENT")
    assert "x-tenant" in answer.json()["error"]["message"]
    assert site.backend.calls == []


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_trace_context_goes_through(site: Site) -> None:
    headers = {"traceparent": TRACE, "tracestate": "a=1,b=2", "baggage": "k=v"}
    await site.gateway.client.get("/orders/7", headers=headers)
    (call,) = site.backend.calls
    assert {key: call.values(key) for key in headers} == {key: [value] for key, value in headers.items()}


@pytest.mark.parametrize("given", ["", "junk", TRACE.upper(), TRACE.replace("00-", "ff-", 1), f"{TRACE}-x"])
async def test_trace_is_started_where_there_is_none(site: Site, given: str) -> None:
    await site.gateway.client.get("/orders/7", headers={"traceparent": given} if given else {})
    (value,) = site.backend.calls[0].values("traceparent")
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", str(value))


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def trusting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Behind a trusted proxy, with Authorization forwarded and static metadata."""
    async with RecordingBackend(schema()) as backend:
        config = {
            "server": {
                "trusted_proxies": ["127.0.0.0/8"],
                "forward_headers": ["Authorization", "x-blob-bin", "x-tenant"],
            },
            "auth": {"issuers": [issuer()]},
            "services": {"shop": {"address": backend.address, "metadata": {"x-api-key": "k-1"}}},
            "routes": [
                route("open", "GET", "/orders/{order_id}", auth_required=False),
                route("mine", "GET", "/me/orders/{order_id}"),
            ],
        }
        async with running_gateway(config, tmp_path_factory.mktemp("trusting")) as gateway:
            yield Site(gateway=gateway, backend=backend)


@pytest.fixture
def behind_proxy(trusting: Site) -> Site:
    trusting.forget()
    return trusting


async def test_trusted_proxy_is_believed(behind_proxy: Site) -> None:
    headers = [
        "X-Forwarded-For: 6.6.6.6, 10.0.0.1",
        "X-Forwarded-Host: shop.example.com",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Method: DELETE",
        "X-Forwarded-Path: /elsewhere",
    ]
    await behind_proxy.send("GET", "/orders/7", *headers)
    (call,) = behind_proxy.backend.calls
    assert call.values("x-forwarded-for") == ["6.6.6.6, 10.0.0.1, 127.0.0.1"]
    assert call.values("x-forwarded-host") == ["shop.example.com"]
    assert call.values("x-forwarded-proto") == ["https"]
    assert call.values("x-forwarded-method") == ["GET"]
    assert call.values("x-forwarded-path") == ["/orders/7"]


async def test_authorization_goes_where_it_is_listed(behind_proxy: Site) -> None:
    headers = bearer(sub="ada")
    await behind_proxy.gateway.client.get("/me/orders/7", headers=headers)
    (call,) = behind_proxy.backend.calls
    assert call.values("authorization") == [headers["Authorization"]]


async def test_static_metadata_is_on_every_call_and_nobody_adds_to_it(behind_proxy: Site) -> None:
    await behind_proxy.send("GET", "/orders/7", "X-Api-Key: mine")
    assert behind_proxy.backend.calls[0].values("x-api-key") == ["k-1"]
    reflection = behind_proxy.backend.reflection_calls
    assert {tuple(call.values("x-api-key")) for call in reflection} == {("k-1",)}


@pytest.mark.parametrize("padding", ["", "="])
async def test_binary_header_arrives_as_bytes(behind_proxy: Site, padding: str) -> None:
    blob = base64.b64encode(b"\x00\xffabc").decode().rstrip("=") + padding
    await behind_proxy.send("GET", "/orders/7", f"X-Blob-Bin: {blob}")
    assert behind_proxy.backend.calls[0].values("x-blob-bin") == [b"\x00\xffabc"]


async def test_binary_header_that_is_none(behind_proxy: Site) -> None:
    answer = await behind_proxy.send("GET", "/orders/7", "X-Blob-Bin: ???")
    assert answer.status == 400
    assert "x-blob-bin" in answer.json()["error"]["message"]
    assert behind_proxy.backend.calls == []
