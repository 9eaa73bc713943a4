"""Backends that describe themselves only to some, or only in part: what is missing costs what needs it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final, cast

import grpc
from google.protobuf.message import Message
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionResponse

from tests.support.backend import REFLECTION_V1, Call, RecordingBackend, reflect
from tests.support.gateway import running_gateway
from tests.support.protos import Schema

SCHEMA: Final = Schema.from_protos(
    {
        name: f"""
            syntax = "proto3";
            package {name}.v1;
            service Orders {{ rpc Get(Order) returns (Order); }}
            message Order {{ string id = 1; }}
        """
        for name in ("shop", "depot")
    }
)
KEY: Final = "Bearer of-the-gateway"


async def to_those_with_a_key(call: Call) -> AsyncGenerator[Message, None]:
    if call.values("authorization") != [KEY]:
        await call.context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you")
    async for response in cast(AsyncGenerator[Message, None], reflect(SCHEMA)(call)):
        yield response


async def without_the_depot(call: Call) -> AsyncGenerator[Message, None]:
    refusal = ServerReflectionResponse()
    refusal.error_response.error_message = "no idea"
    async for response in cast(AsyncGenerator[Any, None], reflect(SCHEMA)(call)):
        is_about_it = response.original_request.file_containing_symbol == "depot.v1.Orders"
        yield refusal if is_about_it else response


async def test_reflection_for_those_with_a_key(tmp_path: Path) -> None:
    async with RecordingBackend(SCHEMA, {REFLECTION_V1: to_those_with_a_key}) as backend:
        stranger = {"address": backend.address}
        known = {**stranger, "expose": ["methods"], "metadata": {"authorization": KEY}}
        route = {"name": "get", "path": "/get", "method": "GET", "service": "stranger"}
        config = {
            "services": {"stranger": stranger, "known": known},
            "routes": [{**route, "grpc_service": "shop.v1.Orders", "grpc_method": "Get"}],
        }
        async with running_gateway(config, tmp_path) as gateway:
            assert (await gateway.client.post("/shop.v1.Orders/Get")).status_code == 200
            for _ in range(3):
                assert (await gateway.client.get("/get")).status_code == 503
                assert (await gateway.admin.post("/services/stranger/refresh")).status_code == 503
            reason = (await gateway.admin.get("/services/stranger")).json()["last_error"]
            assert reason == "reflection: v1: UNAUTHENTICATED who are you"
            said = [line for line in gateway.lines if line["event"] == "schema not loaded"]
            assert [(line["backend"], line["reason"]) for line in said] == [("stranger", reason)]


async def test_reflection_of_a_part(tmp_path: Path) -> None:
    async with RecordingBackend(SCHEMA, {REFLECTION_V1: without_the_depot}) as backend:
        config = {"services": {"shop": {"address": backend.address, "expose": ["methods"]}}}
        async with running_gateway(config, tmp_path) as gateway:
            assert (await gateway.client.post("/shop.v1.Orders/Get")).status_code == 200
            assert (await gateway.client.post("/depot.v1.Orders/Get")).status_code == 404
            said = [line["problem"] for line in gateway.lines if line["event"] == "schema incomplete"]
            assert said == ["service 'depot.v1.Orders' left out: no idea"]
            assert said[0] in (await gateway.admin.get("/services/shop")).text
