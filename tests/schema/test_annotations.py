"""google.api.http options, as bindings."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from google.api import annotations_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodOptions

from transcoder.schema.rules import Binding, from_annotations
from transcoder.schema.schema import Schema
from transcoder.schema.source import FileSet


def schema_of(*options: bytes) -> Schema:
    """A service with one method for each serialized MethodOptions."""
    file = FileDescriptorProto(name="s.proto", package="s", syntax="proto3")
    file.message_type.add(name="M")
    service = file.service.add(name="S")
    for number, data in enumerate(options):
        method = service.method.add(name=f"Call{number}", input_type=".s.M", output_type=".s.M")
        method.options.MergeFromString(data)
    return Schema.from_files(
        FileSet(files={file.name: file.SerializeToString()}, services=("s.S",), origin="v1")
    )


def option(rule: HttpRule) -> bytes:
    options = MethodOptions()
    options.Extensions[annotations_pb2.http].CopyFrom(rule)
    return options.SerializeToString()


def bindings_of(*rules: HttpRule) -> tuple[list[Binding], list[str]]:
    refused: list[str] = []
    found = list(from_annotations(schema_of(*map(option, rules)), refused))
    return found, refused


@pytest.mark.parametrize("http_method", ["GET", "PUT", "POST", "DELETE", "PATCH"])
def test_every_pattern_names_its_http_method(http_method: str) -> None:
    (binding,), refused = bindings_of(HttpRule(**{http_method.lower(): "/v1/{id}"}))
    assert (binding.http_method, binding.template, binding.origin) == (http_method, "/v1/{id}", "annotations")
    assert binding.method.full_name == "s.S/Call0"
    assert refused == []


def test_custom_patterns_name_any_http_method() -> None:
    rules = [HttpRule(custom={"kind": kind, "path": "/v1"}) for kind in ("HEAD", "*", "PROPFIND")]
    found, _ = bindings_of(*rules)
    assert [binding.http_method for binding in found] == ["HEAD", "*", "PROPFIND"]


def test_additional_bindings_follow_the_first_with_rules_of_their_own() -> None:
    rule = HttpRule(get="/v1", response_body="a")
    rule.additional_bindings.add(post="/v2", body="*")
    rule.additional_bindings.add(put="/v3", body="b")
    found, _ = bindings_of(rule)
    assert [(b.http_method, b.template, b.body, b.response_body) for b in found] == [
        ("GET", "/v1", None, "a"),
        ("POST", "/v2", "*", None),
        ("PUT", "/v3", "b", None),
    ]


def test_methods_without_the_option_have_no_binding() -> None:
    assert (
        list(from_annotations(schema_of(b"", MethodOptions(deprecated=True).SerializeToString()), [])) == []
    )


def add_bad_kind(rule: HttpRule) -> None:
    rule.additional_bindings.add(custom={"kind": "GET\r\nX: y", "path": "/bad"})


def add_lower_case(rule: HttpRule) -> None:
    rule.additional_bindings.add(custom={"kind": "get", "path": "/bad"})


def add_connect(rule: HttpRule) -> None:
    rule.additional_bindings.add(custom={"kind": "CONNECT", "path": "/bad"})


def add_nothing(rule: HttpRule) -> None:
    rule.additional_bindings.add(body="*")


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (add_bad_kind, r"s.S/Call0: google.api.http: 'GET\r\nX: y' is no HTTP method"),
        (add_lower_case, "s.S/Call0: google.api.http: 'get' is no HTTP method"),
        (add_connect, "s.S/Call0: google.api.http: 'CONNECT' is no HTTP method"),
        (add_nothing, "s.S/Call0: google.api.http without a path"),
    ],
)
def test_a_rule_that_cannot_be_used_costs_itself_only(
    spoil: Callable[[HttpRule], None], complaint: str
) -> None:
    rule = HttpRule(get="/v1")
    spoil(rule)
    rule.additional_bindings.add(get="/v2")
    found, refused = bindings_of(rule, HttpRule(get="/v3"))
    assert [binding.template for binding in found] == ["/v1", "/v2", "/v3"]
    assert refused == [complaint]
