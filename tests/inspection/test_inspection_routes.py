"""The route table as operators see it."""

from __future__ import annotations

import time

import orjson

from tests.inspection.shop import gateway_of, route
from tests.support.backend import RecordingBackend
from tests.support.tokens import SECRET
from transcoder.inspection.routes import list_routes
from transcoder.inspection.services import list_methods

AUTH = {"issuers": [{"name": "main", "algorithms": ["HS256"], "secret": SECRET}]}


async def test_route_waits_until_the_schema_is_read_and_is_then_served(shop: RecordingBackend) -> None:
    get_order = route("get-order", "GET", "/orders/{order_id}", "GetOrder", timeout="1500ms")
    async with gateway_of({"shop": {"address": shop.address}}, get_order) as gateway:
        before = list_routes(gateway.snapshot)
        await list_methods(gateway, "shop")
        after = list_routes(gateway.snapshot)
    (waiting,), (served,) = before["routes"], after["routes"]
    assert waiting == {
        "name": "get-order",
        "http_method": "GET",
        "path": "/orders/{order_id}",
        "backend": "shop",
        "method": "Orders/GetOrder",
        "origin": "config",
        "auth_required": False,
        "roles": (),
        "scopes": (),
        "timeout": "1500ms",
        "state": "waiting for schema",
        "problem": None,
        "notes": (),
    }
    assert served == waiting | {"method": "shop.v1.Orders/GetOrder", "state": "served"}
    assert after["generation"] > before["generation"]


async def test_route_that_cannot_be_served_says_why(shop: RecordingBackend) -> None:
    gone = route("gone", "POST", "/gone", "NoSuchMethod")
    noted = route("noted", "GET", "/noted/{nothing}", "GetOrder")
    async with gateway_of({"shop": {"address": shop.address}}, gone, noted) as gateway:
        await list_methods(gateway, "shop")
        table = list_routes(gateway.snapshot)
    refused, served = table["routes"]
    assert refused["state"] == "not served"
    assert "has no method 'NoSuchMethod'" in refused["problem"]
    assert served["state"] == "served"
    (note,) = served["notes"]
    assert "'nothing'" in note
    assert table["problems"] == [f"gone: {refused['problem']}", f"noted: {note}"]


async def test_conflict_names_winner_and_loser(shop: RecordingBackend) -> None:
    routes = (
        route("first", "GET", "/orders/{order_id}", "GetOrder"),
        route("second", "GET", "/orders/{id}", "GetOrder"),
        route("third", "DELETE", "/orders/{id}", "GetOrder"),
    )
    async with gateway_of({"shop": {"address": shop.address}}, *routes) as gateway:
        table = list_routes(gateway.snapshot)
    assert table["conflicts"] == [
        {
            "http_method": "GET",
            "winner": {"name": "first", "path": "/orders/{order_id}"},
            "loser": {"name": "second", "path": "/orders/{id}"},
        }
    ]
    assert [shown["state"] for shown in table["routes"]] == [
        "waiting for schema",
        "not served",
        "waiting for schema",
    ]
    assert table["routes"][1]["problem"] == (
        "the same requests go to first (/orders/{order_id}), which comes first"
    )
    (problem,) = table["problems"]
    assert "second" in problem


async def test_what_callers_must_be_is_shown(shop: RecordingBackend) -> None:
    routes = (
        route("open", "GET", "/open", "GetOrder", auth_required=False),
        route("closed", "GET", "/closed", "GetOrder", require={"roles": ["clerk"], "scopes": ["a", "b"]}),
    )
    async with gateway_of({"shop": {"address": shop.address}}, *routes, auth=AUTH) as gateway:
        shown = {route["name"]: route for route in list_routes(gateway.snapshot)["routes"]}
    assert shown["open"]["auth_required"] is False
    assert shown["closed"]["auth_required"] is True
    assert shown["closed"]["roles"] == ("clerk",)
    assert shown["closed"]["scopes"] == ("a", "b")


async def test_exposed_routes_follow_the_configured_ones(shop: RecordingBackend) -> None:
    get_order = route("get-order", "GET", "/orders/{order_id}", "GetOrder")
    service = {"address": shop.address, "expose": ["methods"], "timeout": "10s"}
    async with gateway_of({"shop": service}, get_order) as gateway:
        configured, *exposed = list_routes(gateway.snapshot)["routes"]
    assert configured["name"] == "get-order"
    assert [(shown["origin"], shown["path"], shown["timeout"]) for shown in exposed] == [
        ("methods", "/shop.v1.Orders/GetOrder", "10s"),
        ("methods", "/shop.v1.Orders/CreateOrder", "10s"),
        ("methods", "/shop.v1.Orders/WatchOrders", None),
        ("methods", "/shop.v1.Orders/ImportOrders", None),
        ("methods", "/shop.v1.Orders/Chat", None),
        ("methods", "/shop.v1.Stock/Count", "10s"),
    ]


async def test_thousands_of_routes_and_conflicts_are_listed_at_once() -> None:
    routes = [route(f"r{number}", "GET", f"/orders/{number % 4000}", "GetOrder") for number in range(5000)]
    async with gateway_of({"shop": {"address": "localhost:1"}}, *routes) as gateway:
        started = time.process_time()
        table = list_routes(gateway.snapshot)
        body = orjson.dumps(table)
        assert time.process_time() - started < 2
    assert len(table["routes"]) == 5000
    assert len(table["conflicts"]) == 1000
    assert body
