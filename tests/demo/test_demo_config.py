"""The shipped configuration and the demo belong together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodDescriptorProto

import transcoder.demo
from transcoder.demo import config_file
from transcoder.demo.backends import HOST, demo_services
from transcoder.demo.ports import PORTS
from transcoder.demo.users import AUDIENCE, DEFAULT_SECRET, ISSUER

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
ROUTES = yaml.safe_load((ROOT / "config" / "routes.yaml").read_text())["routes"]
COMPILED = FileDescriptorSet.FromString((ROOT / "transcoder" / "demo" / "demo.binpb").read_bytes())
SERVICES = {f"{file.package}.{service.name}": service for file in COMPILED.file for service in file.service}


def annotation(method: MethodDescriptorProto) -> tuple[str, str, str]:
    """Its google.api.http rule: HTTP method, path, body."""
    rule = method.options.Extensions[annotations_pb2.http]
    http_method = rule.WhichOneof("pattern")
    return http_method.upper(), getattr(rule, http_method), rule.body


def routed(route: dict[str, Any]) -> tuple[str, str, str]:
    """What an annotation of the same meaning says."""
    path = route["path"]
    for variable, field in route.get("params", {}).items():
        path = path.replace(f"{{{variable}}}", f"{{{field}}}")
    return route["method"], path, "*" if route["method"] == "POST" else ""


def method_of(route: dict[str, Any]) -> MethodDescriptorProto:
    (service,) = [each for name, each in SERVICES.items() if name.endswith(f".{route['grpc_service']}")]
    (method,) = [each for each in service.method if each.name == route["grpc_method"]]
    return method


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route["name"])
def test_a_route_says_what_its_method_is_annotated_with(route: dict[str, Any]) -> None:
    assert routed(route) == annotation(method_of(route))


def test_every_unary_method_has_a_route() -> None:
    unary = [
        method.name
        for service in demo_services()
        for method in SERVICES[service.name].method
        if not method.server_streaming
    ]
    assert sorted(route["grpc_method"] for route in ROUTES) == sorted(unary)


def test_only_login_and_quotes_are_open() -> None:
    assert [route["name"] for route in ROUTES if not route.get("auth_required", True)] == [
        "login",
        "get-quote",
    ]


def test_services_are_where_the_demo_serves_them() -> None:
    assert {name: service["address"] for name, service in CONFIG["services"].items()} == {
        service.backend: f"{HOST}:{port}" for service, port in zip(demo_services(), PORTS, strict=True)
    }
    assert {route["service"] for route in ROUTES} == CONFIG["services"].keys()


def test_the_gateway_trusts_the_tokens_of_the_demo() -> None:
    (issuer,) = CONFIG["auth"]["issuers"]
    assert issuer["secret"] == f"${{JWT_SECRET:-{DEFAULT_SECRET}}}"
    assert len(DEFAULT_SECRET) >= 32
    assert (issuer["issuer"], issuer["audience"], issuer["algorithms"]) == (ISSUER, [AUDIENCE], ["HS256"])


def test_the_descriptor_set_is_complete_and_has_the_comments() -> None:
    names = {file.name for file in COMPILED.file}
    assert all(dependency in names for file in COMPILED.file for dependency in file.dependency)
    assert {path.name for path in ROOT.glob("transcoder/demo/protos/*.proto")} <= names

    (order,) = [file for file in COMPILED.file if file.name == "order.proto"]
    comments = [location.leading_comments for location in order.source_code_info.location]
    assert " One order, or NOT_FOUND.\n" in comments


def test_short_service_names_are_unique() -> None:
    short = [re.sub(r".*\.", "", name) for name in SERVICES]
    assert len(set(short)) == len(short) == 5


def test_a_checkout_uses_its_own_configuration() -> None:
    assert config_file() == ROOT / "config" / "config.yaml"


def test_an_installed_package_uses_its_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "transcoder" / "demo"
    monkeypatch.setattr(transcoder.demo, "__file__", str(package / "__init__.py"))
    assert config_file() == package / "config" / "config.yaml"
