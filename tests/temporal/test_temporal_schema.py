"""What the gateway serves of 186 methods, held against what grpc's own reflection client reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.support.gateway import RunningGateway
from tests.temporal.server import TemporalServer


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    http_method: str
    template: str
    method: str


@pytest.fixture(scope="module")
def methods(temporal: TemporalServer) -> dict[str, MethodDescriptor]:
    with grpc.insecure_channel(temporal.address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        return methods_of(DescriptorPool(database), list(database.get_services()))


def methods_of(pool: DescriptorPool, services: list[str]) -> dict[str, MethodDescriptor]:
    return {
        f"{service}/{method.name}": method
        for service in services
        for method in pool.FindServiceByName(service).methods
    }


def rules(methods: dict[str, MethodDescriptor]) -> Iterator[Rule]:
    for name, method in methods.items():
        first = method.GetOptions().Extensions[annotations_pb2.http]
        for rule in (first, *first.additional_bindings):
            kind = rule.WhichOneof("pattern")
            if kind is not None:
                yield Rule(kind.upper(), getattr(rule, kind), name)


def kind_of(method: MethodDescriptor) -> str:
    kinds = {(False, False): "unary", (False, True): "server", (True, False): "client", (True, True): "bidi"}
    return kinds[method.client_streaming, method.server_streaming]


def is_reflection(name: str) -> bool:
    return name.startswith("grpc.reflection.")


def test_the_server_is_worth_it(methods: dict[str, MethodDescriptor]) -> None:
    """Or the rest would be true of nothing."""
    assert len(methods) > 150
    assert len(list(rules(methods))) > 200


async def test_every_method_is_listed(gateway: RunningGateway, methods: dict[str, MethodDescriptor]) -> None:
    listed = (await gateway.admin.get("/services/temporal/methods")).json()["methods"]
    assert {(one["full_name"], one["streaming"], one["input"], one["output"]) for one in listed} == {
        (name, kind_of(method), method.input_type.full_name, method.output_type.full_name)
        for name, method in methods.items()
    }
    assert len(listed) == len(methods)


async def test_every_binding_is_listed_with_its_method(
    gateway: RunningGateway, methods: dict[str, MethodDescriptor]
) -> None:
    listed = (await gateway.admin.get("/services/temporal/methods")).json()["methods"]
    bindings = [(one["full_name"], binding) for one in listed for binding in one["bindings"]]
    assert all(binding["served"] for _, binding in bindings)
    annotated = [
        Rule(binding["http_method"], binding["path"], name)
        for name, binding in bindings
        if binding["origin"] == "annotations"
    ]
    assert sorted(annotated) == sorted(rules(methods))


async def test_every_rule_and_every_method_is_a_route(
    gateway: RunningGateway, methods: dict[str, MethodDescriptor]
) -> None:
    """Only a streaming method may be left out, and then it is reported."""
    table = (await gateway.admin.get("/routes")).json()
    assert {route["state"] for route in table["routes"]} == {"served"}
    assert table["conflicts"] == []
    served = [Rule(route["http_method"], route["path"], route["method"]) for route in table["routes"]]
    by_name = [Rule("POST", f"/{name}", name) for name in methods if not is_reflection(name)]
    left_out = [
        rule
        for rule in by_name
        if f"temporal: POST {rule.template}: {rule.method} is a {kind_of(methods[rule.method])}"
        " streaming method" in table["problems"]
    ]
    assert len(table["problems"]) == len(left_out)
    assert {kind_of(methods[rule.method]) for rule in left_out} <= {"server", "client", "bidi"}
    assert sorted([*served, *left_out]) == sorted([*rules(methods), *by_name])


async def test_the_descriptors_describe_the_same_methods(
    gateway: RunningGateway, methods: dict[str, MethodDescriptor]
) -> None:
    files = FileDescriptorSet.FromString((await gateway.admin.get("/services/temporal/descriptors")).content)
    pool = DescriptorPool()
    for file in files.file:
        pool.Add(file)
    services = [f"{file.package}.{service.name}" for file in files.file for service in file.service]
    described = methods_of(pool, services)
    assert described.keys() == methods.keys()
    assert sorted(rules(described)) == sorted(rules(methods))
