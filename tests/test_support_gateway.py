"""The gateway as end-to-end tests run it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.backend import RecordingBackend
from tests.support.gateway import running_gateway
from tests.support.protos import Schema

PROTO = """
syntax = "proto3";
package shop.v1;
service Orders { rpc GetOrder(Order) returns (Order); }
message Order { string id = 1; }
"""
ROUTES = """
routes:
- {name: get, path: "/orders/{id}", method: GET, service: shop, grpc_service: Orders, grpc_method: GetOrder}
"""
METHOD = "shop.v1.Orders/GetOrder"


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema.from_protos(PROTO)


def _config(backend: RecordingBackend) -> dict[str, Any]:
    return {"services": {"shop": {"address": backend.address, "expose": ["methods"]}}}


async def test_request_goes_through_the_gateway(schema: Schema, tmp_path: Path) -> None:
    order = schema.message("shop.v1.Order", id="7")
    async with (
        RecordingBackend(schema, {METHOD: order}) as backend,
        running_gateway(_config(backend), tmp_path) as gateway,
    ):
        answer = await gateway.client.post(f"/{METHOD}", json={"id": "6"})
        assert (answer.status_code, answer.json()) == (200, {"id": "7"})
        assert [call.message.id for call in backend.calls] == ["6"]
        assert (await gateway.admin.get("/services")).status_code == 200
        gateway.process.terminate()
        assert await gateway.process.wait() == 0
    assert gateway.lines


async def test_text_and_files_beside_it(schema: Schema, tmp_path: Path) -> None:
    async with RecordingBackend(schema) as backend:
        config = "services: {shop: {address: '${SHOP}'}}\nroutes_file: routes.yaml\n"
        async with running_gateway(
            config, tmp_path, files={"routes.yaml": ROUTES}, env={"SHOP": backend.address}
        ) as gateway:
            assert (await gateway.client.get("/orders/7")).json() == {}
        assert backend.calls[0].message.id == "7"


async def test_refused_configuration_is_shown(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"did not become ready\nexit code: [1-9](.|\n)*no_such_key"):
        await running_gateway({"no_such_key": 1}, tmp_path).__aenter__()
