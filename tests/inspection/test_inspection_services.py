"""Backends as operators see them, read from real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.inspection.shop import gateway_of, route, shop_schema
from tests.plan.requests import request
from tests.support.backend import REFLECTION_V1ALPHA, RecordingBackend, failure
from tests.support.ports import free_port
from tests.support.protos import Schema
from transcoder.errors import NOT_FOUND, SERVICE_UNAVAILABLE, TranscodeError
from transcoder.inspection.services import (
    describe_service,
    describe_type,
    descriptor_set,
    list_methods,
    list_services,
)


async def test_service_nobody_has_used_is_shown_without_being_asked(shop: RecordingBackend) -> None:
    async with gateway_of({"shop": {"address": shop.address}}) as gateway:
        assert list_services(gateway) == {
            "services": [
                {
                    "name": "shop",
                    "address": shop.address,
                    "tls": False,
                    "expose": (),
                    "state": "unused",
                    "circuit_breaker": {"state": "closed", "failures": 0},
                    "reflection": None,
                    "fingerprint": None,
                    "services": None,
                    "methods": None,
                    "last_error": None,
                    "problems": [],
                }
            ]
        }
    assert shop.reflection_calls == []


async def test_service_that_was_read_shows_its_schema(shop: RecordingBackend) -> None:
    async with gateway_of({"shop": {"address": shop.address, "expose": ["methods"]}}) as gateway:
        service = describe_service(gateway, "shop")
        schema = gateway.backends["shop"].schema
    assert schema is not None
    assert service["fingerprint"] == schema.fingerprint
    assert service["reflection"] == "v1"
    assert service["expose"] == ("methods",)
    assert service["state"] == "ready"
    assert (service["services"], service["methods"]) == (2, 6)


async def test_circuit_breaker_is_shown(shop: RecordingBackend) -> None:
    shop.replies["shop.v1.Orders/GetOrder"] = failure(grpc.StatusCode.UNAVAILABLE)
    backend = {"address": shop.address, "retries": {"max_attempts": 1}}
    services = {
        "shop": {**backend, "circuit_breaker": {"failures": 2, "window": "1h"}},
        "without": {**backend, "circuit_breaker": {"failures": 0}},
    }
    async with gateway_of(services, route("get-order", "GET", "/orders/{order_id}", "GetOrder")) as gateway:
        for expected in ({"state": "closed", "failures": 1}, {"state": "open", "failures": 2}):
            assert (await gateway.handle(request("GET", "/orders/7"))).status == 503
            assert describe_service(gateway, "shop")["circuit_breaker"] == expected
        assert describe_service(gateway, "without")["circuit_breaker"] is None


async def test_older_reflection_is_named(shop: RecordingBackend) -> None:
    await shop.stop()
    shop.reflection = [REFLECTION_V1ALPHA]
    await shop.start()
    async with gateway_of({"shop": {"address": shop.address}}) as gateway:
        await list_methods(gateway, "shop")
        assert describe_service(gateway, "shop")["reflection"] == "v1alpha"


async def test_what_the_schema_lacks_is_a_problem_of_the_service(tmp_path: Path) -> None:
    files = shop_schema().files
    broken = FileDescriptorSet.FromString(files.SerializeToString())
    broken.file[-1].service[1].method[0].input_type = ".shop.v1.Missing"
    path = tmp_path / "broken.binpb"
    path.write_bytes(broken.SerializeToString())
    async with gateway_of({"shop": {"address": "localhost:1", "descriptor_set": str(path)}}) as gateway:
        await list_methods(gateway, "shop")
        service = describe_service(gateway, "shop")
    assert service["reflection"] == "descriptor_set"
    assert any("shop.v1" in problem for problem in service["problems"])


async def test_tls_is_told(shop: RecordingBackend) -> None:
    async with gateway_of({"shop": {"address": shop.address, "tls": {}}}) as gateway:
        assert describe_service(gateway, "shop")["tls"] is True


async def test_unreachable_service_says_why() -> None:
    async with gateway_of({"shop": {"address": f"127.0.0.1:{free_port()}"}}) as gateway:
        with pytest.raises(TranscodeError) as caught:
            await list_methods(gateway, "shop")
        service = describe_service(gateway, "shop")
    assert caught.value.kind is SERVICE_UNAVAILABLE
    assert service["last_error"] == caught.value.reason
    assert service["reflection"] is None


@pytest.mark.parametrize("look", [list_methods, descriptor_set])
async def test_unknown_service_is_refused_with_the_known_ones(look: Any) -> None:
    async with gateway_of({"b": {"address": "localhost:1"}, "a": {"address": "localhost:1"}}) as gateway:
        with pytest.raises(TranscodeError, match=r"no service 'c'; there are: a, b") as caught:
            await look(gateway, "c")
    assert caught.value.kind is NOT_FOUND


async def test_every_method_is_listed_however_it_streams(shop: RecordingBackend) -> None:
    async with gateway_of({"shop": {"address": shop.address}}) as gateway:
        listed = await list_methods(gateway, "shop")
    assert listed["service"] == "shop"
    assert [tuple(method.values()) for method in listed["methods"]] == [
        ("shop.v1.Orders/GetOrder", "unary", "shop.v1.GetOrderRequest", "shop.v1.Order", ()),
        ("shop.v1.Orders/CreateOrder", "unary", "shop.v1.Order", "shop.v1.Order", ()),
        ("shop.v1.Orders/WatchOrders", "server", "shop.v1.GetOrderRequest", "shop.v1.Order", ()),
        ("shop.v1.Orders/ImportOrders", "client", "shop.v1.Order", "shop.v1.Order", ()),
        ("shop.v1.Orders/Chat", "bidi", "shop.v1.Order", "shop.v1.Order", ()),
        ("shop.v1.Stock/Count", "unary", "shop.v1.Item", "shop.v1.Item", ()),
    ]


async def test_methods_show_the_routes_that_lead_to_them(shop: RecordingBackend) -> None:
    routes = (
        route("get-order", "GET", "/orders/{order_id}", "GetOrder"),
        route("again", "GET", "/orders/{id}", "GetOrder"),
        route("chat", "POST", "/chat", "Chat"),
        route("gone", "POST", "/gone", "NoSuchMethod"),
        route("elsewhere", "GET", "/elsewhere", "GetOrder", service="other"),
    )
    services = {
        "shop": {"address": shop.address, "expose": ["methods"]},
        "other": {"address": shop.address},
    }
    async with gateway_of(services, *routes) as gateway:
        listed = await list_methods(gateway, "shop")
    bindings = {method["full_name"]: method["bindings"] for method in listed["methods"]}
    taken = "the same requests go to get-order (/orders/{order_id}), which comes first"
    assert [tuple(binding.values()) for binding in bindings["shop.v1.Orders/GetOrder"]] == [
        ("GET", "/orders/{order_id}", "config", "get-order", True, None),
        ("GET", "/orders/{id}", "config", "again", False, taken),
        ("POST", "/shop.v1.Orders/GetOrder", "methods", "shop.v1.Orders/GetOrder (methods)", True, None),
    ]
    assert [tuple(binding.values()) for binding in bindings["shop.v1.Orders/Chat"]] == [
        ("POST", "/chat", "config", "chat", True, None),
        ("POST", "/shop.v1.Orders/Chat", "methods", "shop.v1.Orders/Chat (methods)", True, None),
    ]


async def test_type_shows_its_fields_and_an_example(shop: RecordingBackend) -> None:
    async with gateway_of({"shop": {"address": shop.address}}) as gateway:
        shown = await describe_type(gateway, "shop", ".shop.v1.Order")
        assert shown == await describe_type(gateway, "shop", "shop.v1.Order")
    types = {field["name"]: field["type"] for field in shown["fields"]}
    assert shown["name"] == "shop.v1.Order"
    assert types == {
        "order_id": "string",
        "items": "repeated shop.v1.Item",
        "counts": "map<string, int64>",
        "status": "shop.v1.Status",
        "previous": "shop.v1.Order",
    }
    assert shown["example"]["items"] == [{"sku": "string", "quantity": 1}]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "shop.v1.Orders", "shop.v1.Status", "nope", "\0", "é", "a" * 5000]
)
async def test_what_is_no_message_is_not_found(shop: RecordingBackend, name: str) -> None:
    async with gateway_of({"shop": {"address": shop.address}}) as gateway:
        with pytest.raises(TranscodeError, match="service 'shop' has no message") as caught:
            await describe_type(gateway, "shop", name)
    assert caught.value.kind is NOT_FOUND


async def test_descriptors_can_be_built_from_again(shop: RecordingBackend) -> None:
    async with gateway_of({"shop": {"address": shop.address}}) as gateway:
        wire = await descriptor_set(gateway, "shop")
    files = FileDescriptorSet.FromString(wire)
    assert Schema.from_files(files).services() == shop_schema().services()
