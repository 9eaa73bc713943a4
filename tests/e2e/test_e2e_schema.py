"""Where the schema comes from, and what happens when it becomes another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from tests.e2e.asking import asking
from tests.e2e.shop import CREATE_ORDER, GET_ORDER, eventually, route, schema
from tests.support.backend import (
    REFLECTION,
    REFLECTION_V1,
    REFLECTION_V1ALPHA,
    Answer,
    Call,
    Handler,
    RecordingBackend,
    failure,
    reflect,
)
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.protos import Schema

NEXT: Final = """
syntax = "proto3";
package shop.v1;
service Orders {
  rpc GetOrder(GetOrderRequest) returns (Order);
  rpc CancelOrder(GetOrderRequest) returns (Order);
}
message GetOrderRequest { string order_id = 1; string view = 2; repeated string tags = 3; int32 limit = 4; }
message Order { string id = 1; string colour = 9; }
"""
CANCEL_ORDER: Final = "shop.v1.Orders/CancelOrder"


def _next() -> Schema:
    return Schema.from_protos(NEXT)


def _backend() -> RecordingBackend:
    """One that is already the next version, as to what it serves."""
    order = _next().message("shop.v1.Order", id="7", colour="red")
    return RecordingBackend(_next(), {GET_ORDER: order})


def _config(backend: RecordingBackend, **service: Any) -> dict[str, Any]:
    return {
        "services": {"shop": {"address": backend.address, "expose": ["methods"], **service}},
        "routes": [
            route("get", "GET", "/orders/{order_id}"),
            route("create", "POST", "/orders", "CreateOrder"),
            route("cancel", "DELETE", "/orders/{order_id}", "CancelOrder"),
        ],
    }


def _refusing(code: grpc.StatusCode) -> Handler:
    """Reflection that refuses without reading what it is asked."""

    async def refuse(_: Call) -> Answer:
        return failure(code, "not for you")

    return refuse


async def _assert_old(gateway: RunningGateway) -> None:
    assert (await gateway.client.get("/orders/7")).json() == {"id": "7"}
    assert (await gateway.client.delete("/orders/7")).status_code == 501
    assert (await gateway.client.post(f"/{CANCEL_ORDER}")).status_code == 404


async def _assert_new(gateway: RunningGateway) -> None:
    assert (await gateway.client.get("/orders/7")).json() == {"id": "7", "colour": "red"}
    assert (await gateway.client.delete("/orders/7")).status_code == 200
    assert (await gateway.client.post(f"/{CANCEL_ORDER}")).status_code == 200
    removed = await gateway.client.post("/orders")
    assert (removed.status_code, removed.json()["error"]["code"]) == (501, "UNIMPLEMENTED")
    assert (await gateway.client.post(f"/{CREATE_ORDER}")).status_code == 404


async def test_backend_restarts_with_another_schema(tmp_path: Path) -> None:
    backend = _backend()
    backend.schema = schema()
    await backend.start()
    async with running_gateway(_config(backend), tmp_path) as gateway:
        await _assert_old(gateway)
        assert (await gateway.client.post("/orders")).status_code == 200
        await backend.stop()
        backend.schema = _next()
        async with backend:
            await eventually(200, lambda: gateway.client.get("/orders/7"), within=2)
            async with asking(gateway, "/orders/7") as answers:
                await eventually(200, lambda: gateway.client.delete("/orders/7"), within=2)
            assert {answer.status_code for answer in answers} == {200}
            assert answers[-1].json() == {"id": "7", "colour": "red"}
            await _assert_new(gateway)


async def _refresh(gateway: RunningGateway) -> None:
    for is_first in (True, False):
        answer = await gateway.admin.post("/services/shop/refresh")
        assert answer.status_code == 200
        assert [outcome["changed"] for outcome in answer.json()["workers"]] == [is_first]


async def _call_what_is_gone(gateway: RunningGateway) -> None:
    assert (await gateway.client.post("/orders")).status_code == 501


async def _wait(_: RunningGateway) -> None:
    """For the next look."""


@pytest.mark.parametrize(
    ("interval", "trigger"), [("1h", _refresh), ("1h", _call_what_is_gone), ("500ms", _wait)]
)
async def test_schema_changes_without_a_restart(
    tmp_path: Path, interval: str, trigger: Callable[[RunningGateway], Awaitable[None]]
) -> None:
    backend = _backend()
    backend.replies[REFLECTION_V1] = reflect(schema())
    async with backend, running_gateway(_config(backend, refresh_interval=interval), tmp_path) as gateway:
        await _assert_old(gateway)
        async with asking(gateway, "/orders/7") as answers:
            backend.replies[REFLECTION_V1] = reflect(_next())
            await trigger(gateway)
            await eventually(200, lambda: gateway.client.delete("/orders/7"))
        assert {answer.status_code for answer in answers} == {200}
        assert [answer.json() for answer in (answers[0], answers[-1])] == [
            {"id": "7"},
            {"id": "7", "colour": "red"},
        ]
        await _assert_new(gateway)


async def test_failed_look_keeps_the_schema_and_says_why(tmp_path: Path) -> None:
    async with _backend() as backend, running_gateway(_config(backend), tmp_path) as gateway:
        backend.replies |= dict.fromkeys(REFLECTION, _refusing(grpc.StatusCode.PERMISSION_DENIED))
        answer = await gateway.admin.post("/services/shop/refresh")
        assert answer.status_code == 503
        assert "not for you" in answer.text
        described = (await gateway.admin.get("/services/shop")).json()
        assert "not for you" in described["last_error"]
        assert described["reflection"] == "v1"
        await _assert_new(gateway)
        backend.replies = {GET_ORDER: backend.replies[GET_ORDER]}
        assert (await gateway.admin.post("/services/shop/refresh")).status_code == 200
        assert (await gateway.admin.get("/services/shop")).json()["last_error"] is None


async def test_every_way_to_a_schema(tmp_path: Path) -> None:
    """Versions of reflection, none of it, and a file in its place; each costs only its own backend."""
    (tmp_path / "shop.binpb").write_bytes(schema().files.SerializeToString())
    async with (
        RecordingBackend(schema(), reflection=[REFLECTION_V1]) as v1,
        RecordingBackend(schema(), reflection=[REFLECTION_V1ALPHA]) as v1alpha,
        RecordingBackend(schema(), {REFLECTION_V1: _refusing(grpc.StatusCode.UNAVAILABLE)}) as fallback,
        RecordingBackend(schema(), reflection=[]) as none,
        RecordingBackend(schema(), reflection=[]) as described,
    ):
        backends = {"v1": v1, "v1alpha": v1alpha, "fallback": fallback, "none": none, "file": described}
        services: dict[str, dict[str, Any]] = {
            name: {"address": backend.address} for name, backend in backends.items()
        }
        services["file"]["descriptor_set"] = "shop.binpb"
        routes = [route(name, "GET", f"/{name}/{{order_id}}", service=name) for name in backends]
        async with running_gateway({"services": services, "routes": routes}, tmp_path) as gateway:
            statuses = {name: (await gateway.client.get(f"/{name}/7")).status_code for name in backends}
            listed = (await gateway.admin.get("/services")).json()["services"]
            reason = await gateway.admin.get("/services/none/methods")
    assert statuses == {"v1": 200, "v1alpha": 200, "fallback": 200, "none": 503, "file": 200}
    assert {service["name"]: service["reflection"] for service in listed} == {
        "v1": "v1",
        "v1alpha": "v1alpha",
        "fallback": "v1alpha",
        "none": None,
        "file": "descriptor_set",
    }
    errors = {service["name"]: service["last_error"] for service in listed if service["last_error"]}
    assert errors.keys() == {"none"}
    assert "UNIMPLEMENTED" in errors["none"]
    assert reason.status_code == 503
    assert "UNIMPLEMENTED" in reason.text
    assert described.reflection_calls == []
    assert len({line["reason"] for line in gateway.lines if line["event"] == "schema not loaded"}) == 1


async def test_old_reflection_is_found_at_the_first_look(tmp_path: Path) -> None:
    """A stream that is refused while it is written to is refused for what the backend said, every time."""
    async with RecordingBackend(schema(), reflection=[REFLECTION_V1ALPHA]) as backend:
        service = {"address": backend.address, "expose": ["methods"]}
        config = {"services": {f"shop-{number}": service for number in range(12)}}
        async with running_gateway(config, tmp_path) as gateway:
            listed = (await gateway.admin.get("/services")).json()["services"]
    assert [service["reflection"] for service in listed] == ["v1alpha"] * 12
