"""Bindings: what configured routes and exposed methods ask for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.protos import Schema as Compiled
from transcoder.config.model import RouteConfig
from transcoder.schema.rules import Binding, from_methods, from_route
from transcoder.schema.schema import Schema, SchemaError
from transcoder.schema.source import from_descriptor_set

PROTOS = {
    "shop.proto": """
        syntax = "proto3"; package shop;
        service Orders { rpc Get(Order) returns (Order); rpc Watch(Order) returns (stream Order); }
        message Order { string id = 1; }
    """,
    "reflection.proto": """
        syntax = "proto3"; package grpc.reflection.v1;
        service ServerReflection { rpc ServerReflectionInfo(stream Ask) returns (stream Ask); } message Ask {}
    """,
}


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema.from_files(from_descriptor_set(Compiled.from_protos(PROTOS).files.SerializeToString()))


def route(**more: Any) -> RouteConfig:
    keys = {
        "name": "get",
        "path": "/o/{key}",
        "service": "shop",
        "grpc_service": "Orders",
        "grpc_method": "Get",
    }
    return RouteConfig.model_validate({"method": "GET", **keys, **more})


def test_route_names_its_method_in_short(schema: Schema) -> None:
    asked = route(params={"key": "id"}, response_body="id")
    assert from_route(asked, schema) == Binding(
        http_method="GET",
        template="/o/{key}",
        method=schema.method("shop.Orders", "Get"),
        origin="config",
        body=None,
        response_body="id",
        params={"key": "id"},
    )


@pytest.mark.parametrize(
    ("keys", "body"),
    [
        ({"method": "GET"}, None),
        ({"method": "DELETE"}, None),
        ({"method": "POST"}, "*"),
        ({"method": "PUT"}, "*"),
        ({"method": "PATCH"}, "*"),
        ({"method": "POST", "body": "id"}, "id"),
        ({"method": "POST", "body": ""}, None),
        ({"method": "GET", "body": "*"}, "*"),
    ],
)
def test_body_of_a_route(schema: Schema, keys: dict[str, str], body: str | None) -> None:
    assert from_route(route(**keys), schema).body == body


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"grpc_service": "Nothing"}, "no service 'Nothing'"),
        ({"grpc_method": "Nothing"}, "service 'shop.Orders' has no method 'Nothing'"),
    ],
)
def test_route_to_nothing_is_refused(schema: Schema, keys: dict[str, str], problem: str) -> None:
    with pytest.raises(SchemaError, match=problem):
        from_route(route(**keys), schema)


def test_exposed_methods_are_all_but_those_of_reflection(schema: Schema) -> None:
    bindings = list(from_methods(schema))
    assert [(one.http_method, one.template, one.body, one.origin) for one in bindings] == [
        ("POST", "/shop.Orders/Get", "*", "methods"),
        ("POST", "/shop.Orders/Watch", "*", "methods"),
    ]
    assert bindings[0].method is schema.method("shop.Orders", "Get")
