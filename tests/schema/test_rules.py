"""Bindings: what configured routes and exposed methods ask for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from tests.support.protos import Schema as Compiled
from transcoder.config.model import RouteConfig
from transcoder.schema.rules import Binding, from_annotations, from_methods, from_route
from transcoder.schema.schema import Schema, SchemaError
from transcoder.schema.source import FileSet, from_descriptor_set

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


ANNOTATED = """
    syntax = "proto3"; package shop; import "google/api/annotations.proto";
    service Orders {
      rpc Get(Order) returns (Order) {
        option (google.api.http) = {
          get: "/v1/{id}" response_body: "id"
          additional_bindings { post: "/v1:find" body: "*" }
          additional_bindings { custom: {kind: "PURGE" path: "/v1/cache"} }
          additional_bindings { custom: {kind: "*" path: "/v1/any"} }
          additional_bindings { custom: {kind: "no method" path: "/v1/bad"} }
          additional_bindings { custom: {kind: "TRACE" path: "/v1/bad"} }
          additional_bindings { body: "id" }
        };
      }
      rpc Put(Order) returns (Order) { option (google.api.http) = {put: "/v1/{id}" body: "note"}; }
      rpc Change(Order) returns (Order) { option (google.api.http) = {patch: "/v1/{id}"}; }
      rpc Drop(Order) returns (Order) { option (google.api.http) = {delete: "/v1/{id}"}; }
      rpc Plain(Order) returns (Order);
    }
    message Order { string id = 1; string note = 2; }
"""


def annotated() -> Schema:
    return Schema.from_files(from_descriptor_set(Compiled.from_protos(ANNOTATED).files.SerializeToString()))


def test_annotations_with_all_their_bindings() -> None:
    refused: list[str] = []
    found = list(from_annotations(annotated(), refused))
    assert [(one.http_method, one.template, one.body, one.response_body) for one in found] == [
        ("GET", "/v1/{id}", None, "id"),
        ("POST", "/v1:find", "*", None),
        ("PURGE", "/v1/cache", None, None),
        ("*", "/v1/any", None, None),
        ("PUT", "/v1/{id}", "note", None),
        ("PATCH", "/v1/{id}", None, None),
        ("DELETE", "/v1/{id}", None, None),
    ]
    assert {one.origin for one in found} == {"annotations"}
    assert refused == [
        "shop.Orders/Get: google.api.http: 'no method' is no HTTP method",
        "shop.Orders/Get: google.api.http: 'TRACE' is no HTTP method",
        "shop.Orders/Get: google.api.http without a path",
    ]


def test_annotation_is_found_without_its_extension() -> None:
    """Whether or not the backend describes google.api.http."""
    schema = annotated()
    files = {
        file.name: file
        for file in map(FileDescriptorProto.FromString, schema.files)
        if not file.name.startswith("google/")
    }
    del files["test.proto"].dependency[:]
    source = FileSet(
        files={name: file.SerializeToString() for name, file in files.items()},
        services=("shop.Orders",),
        origin="v1",
    )
    bare = Schema.from_files(source)
    assert bare.problems == ()
    assert len(list(from_annotations(bare, []))) == 7


def test_annotation_that_cannot_be_read_costs_itself() -> None:
    schema = annotated()
    orders = schema.service("Orders")
    broken = replace(orders.methods["Get"], options=b"\xff\xff")
    services = {"shop.Orders": replace(orders, methods={**orders.methods, "Get": broken})}
    refused: list[str] = []
    found = list(from_annotations(replace(schema, services=services), refused))
    assert [one.method.name for one in found] == ["Put", "Change", "Drop"]
    assert refused == ["shop.Orders/Get: google.api.http cannot be read"]
