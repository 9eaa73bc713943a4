"""Which route a request takes and what binds where, held against what the gateway does with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.inspection.shop import gateway_of, route
from tests.support.backend import RecordingBackend
from tests.support.ports import free_port
from transcoder.backend.backend import Backend
from transcoder.context import RequestContext
from transcoder.gateway import Gateway
from transcoder.inspection.explain import explain
from transcoder.plan.plan import Snapshot
from transcoder.routing.table import ANY_METHOD, RouteTable

GET_ORDER = route("get-order", "GET", "/orders/{order_id}", "GetOrder")


async def explained(
    shop: RecordingBackend, routes: list[dict[str, Any]], http_method: str, target: str, **sections: Any
) -> dict[str, Any]:
    async with gateway_of({"shop": {"address": shop.address}}, *routes, **sections) as gateway:
        answer = await explain(gateway, http_method, target)
    assert shop.calls == []
    return answer


async def status_of(gateway: Gateway, http_method: str, target: str) -> tuple[int, bytes]:
    """What a client is answered."""
    path, _, query = target.partition("?")
    reply = await gateway.handle(
        RequestContext(
            http_method=http_method,
            path=path,
            query=query,
            headers=(),
            body=b"",
            peer="127.0.0.1",
            scheme="http",
            request_id="1",
        )
    )
    return reply.status, reply.body


async def test_schema_is_read_and_everything_told(shop: RecordingBackend) -> None:
    answer = await explained(shop, [GET_ORDER], "GET", "/orders/a%2Fb?limit=5&item.sku=x%20y")
    assert len(shop.reflection_calls) == 1
    assert answer.pop("route")["state"] == "served"
    assert answer == {
        "http_method": "GET",
        "path": "/orders/a%2Fb",
        "query": [
            {"key": "limit", "value": "5", "binds": "limit", "type": "int32", "problem": None},
            {"key": "item.sku", "value": "x y", "binds": "item.sku", "type": "string", "problem": None},
        ],
        "matched": True,
        "why": "no other route answers this request",
        "captures": [
            {
                "variable": "order_id",
                "value": "a/b",
                "metadata": "x-path-order_id",
                "binds": "order_id",
                "type": "string",
                "problem": None,
            }
        ],
        "body": {"binds": None, "type": None},
        "problem": None,
        "others": [],
    }


@pytest.mark.parametrize(
    ("settings", "capture"),
    [
        pytest.param({"params": {"id": "orderId"}}, ("order_id", "string", None), id="renamed"),
        pytest.param({}, ("metadata only", None, None), id="no field"),
        pytest.param(
            {"params": {"id": "item.quantity"}},
            ("item.quantity", "int32", "invalid value for int32 in path: item.quantity"),
            id="bad value",
        ),
    ],
)
async def test_captures(shop: RecordingBackend, settings: Any, capture: Any) -> None:
    routes = [route("get", "GET", "/orders/{id}", "GetOrder", **settings)]
    answer = await explained(shop, routes, "GET", "/orders/seven")
    (told,) = answer["captures"]
    assert (told["binds"], told["type"], told["problem"]) == capture
    assert (told["value"], told["metadata"]) == ("seven", "x-path-id")
    assert answer["problem"] == told["problem"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("*", {"binds": "*", "type": "shop.v1.Order"}),
        ("previous", {"binds": "previous", "type": "shop.v1.Order"}),
        ("items", {"binds": "items", "type": "repeated shop.v1.Item"}),
        ("", {"binds": None, "type": None}),
    ],
)
async def test_body(shop: RecordingBackend, body: str, told: Any) -> None:
    routes = [route("create", "POST", "/orders", "CreateOrder", body=body)]
    assert (await explained(shop, routes, "POST", "/orders"))["body"] == told


@pytest.mark.parametrize(
    ("item", "binds", "problem"),
    [
        pytest.param("tags=a", "tags", None, id="repeated field"),
        pytest.param("item.quantity=%31", "item.quantity", None, id="escape"),
        pytest.param("limit", None, "invalid value for int32 in query: limit", id="no value"),
        pytest.param("limit=x", None, "invalid value for int32 in query: limit", id="bad value"),
        pytest.param("limit=%zz", None, "malformed percent-escape in query", id="bad escape"),
        pytest.param("item=x", None, "shop.v1.Item has no string form in query: item", id="message"),
        pytest.param("nope=1", None, "ignored: no field `nope` in shop.v1.GetOrderRequest", id="no field"),
        pytest.param(
            "orderId=1", None, "not heard: the path or the body binds this field", id="bound by the path"
        ),
    ],
)
async def test_query(shop: RecordingBackend, item: str, binds: Any, problem: Any) -> None:
    async with gateway_of({"shop": {"address": shop.address}}, GET_ORDER) as gateway:
        answer = await explain(gateway, "GET", f"/orders/1?{item}")
        status, body = await status_of(gateway, "GET", f"/orders/1?{item}")
    (told,) = answer["query"]
    assert (told["binds"], told["problem"]) == (binds, problem)
    assert (answer["problem"] is None) is (status == 200)
    assert answer["problem"] is None or answer["problem"].encode() in body


async def test_unknown_query_key_that_is_refused_is_no_longer_ignored(shop: RecordingBackend) -> None:
    sections = {"json": {"unknown_query": "reject"}}
    answer = await explained(shop, [GET_ORDER], "GET", "/orders/1?nope=1", **sections)
    problem = "no field `nope` in shop.v1.GetOrderRequest in query: nope"
    assert answer["query"][0]["problem"] == answer["problem"] == problem


@pytest.mark.parametrize("query", ["limit=1&limit=2", "brief=true&full=true"])
async def test_keys_that_are_refused_together_are_told(shop: RecordingBackend, query: str) -> None:
    answer = await explained(shop, [GET_ORDER], "GET", f"/orders/1?{query}")
    assert [item["problem"] for item in answer["query"]] == [None, None]
    assert answer["problem"].startswith("more than one ")


async def test_query_is_not_used_beside_a_whole_body(shop: RecordingBackend) -> None:
    routes = [route("create", "POST", "/orders", "CreateOrder")]
    answer = await explained(shop, routes, "POST", "/orders?counts=1&&x")
    assert [item["problem"] for item in answer["query"]] == ["not used: the body is the whole message"] * 2
    assert answer["problem"] is None


async def test_query_does_not_reach_into_the_field_of_the_body(shop: RecordingBackend) -> None:
    routes = [route("create", "POST", "/orders", "CreateOrder", body="previous")]
    answer = await explained(shop, routes, "POST", "/orders?previous.order_id=1&order_id=2")
    assert [item["binds"] for item in answer["query"]] == [None, "order_id"]


@pytest.mark.parametrize(
    ("loser", "why"),
    [
        pytest.param(
            ("GET", "/orders/{id}"),
            "answers the same requests as chosen, which comes first",
            id="conflict",
        ),
        pytest.param(("DELETE", "/orders/*"), "answers DELETE only", id="other method"),
        pytest.param(
            ("GET", "/orders/**"), "less specific than chosen: segment 2 is `**`, not `*`", id="rest"
        ),
        pytest.param(("GET", "/*/1"), "less specific than chosen: segment 1 is `*`, not `orders`", id="one"),
        pytest.param(
            ("GET", "/orders/*/**"), "less specific than chosen: segment 3 is `**`, not the end", id="end"
        ),
    ],
)
async def test_routes_that_lost_say_why(shop: RecordingBackend, loser: tuple[str, str], why: str) -> None:
    routes = [route("chosen", "GET", "/orders/{order_id}", "GetOrder"), route("lost", *loser, "GetOrder")]
    routes += [route(f"elsewhere-{number}", "GET", "/elsewhere", "GetOrder") for number in range(2)]
    answer = await explained(shop, routes, "GET", "/orders/1")
    assert answer["route"]["name"] == "chosen"
    assert answer["others"] == [{"name": "lost", "http_method": loser[0], "path": loser[1], "why": why}]
    alone = why == "answers DELETE only"
    assert answer["why"].startswith("no other" if alone else "the most specific")


async def test_verb_is_preferred(shop: RecordingBackend) -> None:
    routes = [GET_ORDER, route("cancel", "GET", "/orders/{order_id}:cancel", "GetOrder")]
    answer = await explained(shop, routes, "GET", "/orders/1:cancel")
    assert answer["route"]["name"] == "cancel"
    assert answer["captures"][0]["value"] == "1"
    assert answer["others"][0]["why"] == "less specific than cancel: verb `:cancel` is preferred to none"


async def test_head_is_answered_by_get(shop: RecordingBackend) -> None:
    answer = await explained(shop, [GET_ORDER], "HEAD", "/orders/1")
    assert answer["route"]["name"] == "get-order"


async def test_head_of_its_own_comes_before_any_get(shop: RecordingBackend) -> None:
    routes = [route("get-one", "GET", "/orders/1", "GetOrder"), route("head", "HEAD", "/**", "GetOrder")]
    answer = await explained(shop, routes, "HEAD", "/orders/1")
    assert answer["route"]["name"] == "head"
    assert [other["why"] for other in answer["others"]] == ["head is for HEAD itself"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """What is looked at, made by hand."""

    snapshot: Snapshot
    backends: Mapping[str, Backend]


async def test_route_for_any_method_gives_way_to_one_for_the_method() -> None:
    wild = route("wild", "POST", "/orders/{id}", "GetOrder")
    async with gateway_of({"shop": {"address": "localhost:1"}}, wild, GET_ORDER) as gateway:
        first, second = gateway.snapshot.routes
        first = replace(first, info=replace(first.info, http_method=ANY_METHOD))
        entries = [(shown.info.http_method, shown.template, shown) for shown in (first, second)]
        snapshot = replace(gateway.snapshot, routes=(first, second), table=RouteTable(entries))
    frozen = Frozen(snapshot=snapshot, backends={})
    answer = await explain(frozen, "GET", "/orders/1")
    (other,) = answer["others"]
    assert other["why"] == "answers any HTTP method; get-order is for GET itself"
    assert (await explain(frozen, "PUT", "/orders/1"))["route"]["name"] == "wild"


@pytest.mark.parametrize(
    ("http_method", "target", "status", "allow", "others"),
    [
        ("GET", "/nowhere", 404, [], []),
        ("GET", "orders/1", 404, [], []),
        ("POST", "/orders/1", 405, ["GET", "HEAD"], ["answers GET only"]),
        ("get", "/orders/1", 405, ["GET", "HEAD"], ["answers GET only"]),
        ("GET", "/orders/%zz", 400, [], []),
        ("GET", "/orders/%ff", 400, [], []),
    ],
)
async def test_request_without_a_route_is_refused_as_the_client_is(
    shop: RecordingBackend, *, http_method: str, target: str, status: int, allow: Any, others: Any
) -> None:
    async with gateway_of({"shop": {"address": shop.address}}, GET_ORDER) as gateway:
        answer = await explain(gateway, http_method, target)
        actual, body = await status_of(gateway, http_method, target)
    assert answer["matched"] is False
    assert answer["status"] == actual == status
    assert answer["message"].encode() in body
    assert answer["code"].encode() in body
    assert answer["allow"] == allow
    assert [other["why"] for other in answer["others"]] == others


async def test_unreachable_backend_leaves_the_route_explained() -> None:
    async with gateway_of({"shop": {"address": f"127.0.0.1:{free_port()}"}}, GET_ORDER) as gateway:
        answer = await explain(gateway, "GET", "/orders/1?limit=1")
        reason = gateway.backends["shop"].last_error
    assert answer["route"]["state"] == "waiting for schema"
    assert answer["route"]["problem"] == reason is not None
    assert answer["captures"][0]["value"] == "1"
    assert answer["captures"][0]["binds"] is None
    assert (answer["body"], answer["query"]) == (None, [])


async def test_route_that_cannot_be_served_is_explained(shop: RecordingBackend) -> None:
    answer = await explained(shop, [route("gone", "GET", "/gone", "NoSuchMethod")], "GET", "/gone")
    assert answer["route"]["state"] == "not served"
    assert answer["body"] is None
