"""What a backend offers, as read from its descriptors."""

from __future__ import annotations

from dataclasses import replace

import pytest
from google.protobuf import descriptor_pb2 as pb
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.protos import Schema as Compiled
from transcoder.codec import Codec, JsonOptions
from transcoder.codec.parsing.encode import BindingError
from transcoder.schema.schema import MethodShape, Schema, SchemaError
from transcoder.schema.source import FileSet, from_descriptor_set

PROTOS = {
    "shop/v1/orders.proto": """
        syntax = "proto3"; package shop.v1;
        import "google/api/annotations.proto"; import "shop/v1/types.proto";
        service Orders {
          rpc Get(Order) returns (Order) { option (google.api.http) = {get: "/v1/{id}"}; }
          rpc Watch(Order) returns (stream Order);
          rpc Load(stream Order) returns (Order);
          rpc Chat(stream Order) returns (stream Order);
        }
        service Log { rpc Write(Order) returns (Order); }
    """,
    "shop/v1/types.proto": """
        syntax = "proto3"; package shop.v1; import "google/protobuf/timestamp.proto";
        message Order { string id = 1; google.protobuf.Timestamp at = 2; map<string, Order> parts = 3; }
    """,
    "log/v1/log.proto": """
        syntax = "proto3"; package log.v1;
        service Log { rpc Write(Line) returns (Line); } message Line { string text = 1; }
    """,
}


@pytest.fixture(scope="module")
def source() -> FileSet:
    return from_descriptor_set(Compiled.from_protos(PROTOS).files.SerializeToString())


@pytest.fixture(scope="module")
def schema(source: FileSet) -> Schema:
    return Schema.from_files(source)


def test_services_and_methods(schema: Schema, source: FileSet) -> None:
    assert list(schema.services) == ["shop.v1.Orders", "shop.v1.Log", "log.v1.Log"]
    assert [method.full_name for method in schema.methods()] == [
        "shop.v1.Orders/Get",
        "shop.v1.Orders/Watch",
        "shop.v1.Orders/Load",
        "shop.v1.Orders/Chat",
        "shop.v1.Log/Write",
        "log.v1.Log/Write",
    ]
    assert schema.origin == "descriptor_set"
    assert schema.problems == ()
    assert schema.fingerprint == source.fingerprint()


def test_methods_know_their_types_and_kind(schema: Schema) -> None:
    get = schema.method("shop.v1.Orders", "Get")
    assert replace(get, options=b"") == MethodShape(
        service="shop.v1.Orders",
        name="Get",
        request="shop.v1.Order",
        response="shop.v1.Order",
        client_streaming=False,
        server_streaming=False,
    )
    assert get.path == "/shop.v1.Orders/Get"
    kinds = {name: method.streaming for name, method in schema.service("Orders").methods.items()}
    assert kinds == {"Get": "unary", "Watch": "server", "Load": "client", "Chat": "bidi"}


@pytest.mark.parametrize(
    ("service", "full_name"), [("Orders", "shop.v1.Orders"), ("log.v1.Log", "log.v1.Log")]
)
def test_service_by_full_or_short_name(schema: Schema, service: str, full_name: str) -> None:
    assert schema.service(service).full_name == full_name


@pytest.mark.parametrize(
    ("service", "method", "problem"),
    [
        ("Log", "Write", "service name 'Log' is ambiguous: log.v1.Log, shop.v1.Log"),
        ("v1.Log", "Write", "no service 'v1.Log'; there are: log.v1.Log, shop.v1.Log, shop.v1.Orders"),
        ("log.v1.Log", "Read", "service 'log.v1.Log' has no method 'Read'; there are: Write"),
        ("Orders", "get", "service 'shop.v1.Orders' has no method 'get'; there are: Get, Watch, Load, Chat"),
    ],
)
def test_unknown_and_ambiguous_names_are_refused(
    schema: Schema, service: str, method: str, problem: str
) -> None:
    with pytest.raises(SchemaError) as caught:
        schema.method(service, method)
    assert str(caught.value) == problem


def test_empty_schema_has_nothing_to_offer() -> None:
    schema = Schema.from_files(FileSet(files={}, services=(), origin="v1"))
    with pytest.raises(SchemaError, match="no service 'S'; there are: none"):
        schema.service("S")


def test_empty_service_has_no_methods() -> None:
    file = pb.FileDescriptorProto(name="a.proto")
    file.service.add(name="S")
    schema = Schema.from_files(
        FileSet(files={"a.proto": file.SerializeToString()}, services=("S",), origin="v1")
    )
    with pytest.raises(SchemaError, match="service 'S' has no method 'M'; there are: none"):
        schema.method("S", "M")


def test_problems_are_bounded() -> None:
    services = ("x" * 10_000, *(f"s{n}.S" for n in range(999)))
    schema = Schema.from_files(FileSet(files={}, services=services, origin="v1"))
    first, second, *_, last = schema.problems
    assert first == f"service '{'x' * 491}"
    assert second == "service 's0.S' left out: its description is missing or broken"
    assert (len(schema.problems), last) == (101, "900 more were left out or missing")


def test_listed_service_without_description_is_reported(source: FileSet) -> None:
    schema = Schema.from_files(
        FileSet(
            files=source.files,
            services=("nowhere.S", "shop.v1.Order", "log.v1.Log"),
            origin="v1",
            problems=("said before",),
        )
    )
    assert list(schema.services) == ["log.v1.Log"]
    assert schema.problems == (
        "said before",
        "service 'nowhere.S' left out: its description is missing or broken",
        "service 'shop.v1.Order' left out: its description is missing or broken",
    )


def test_broken_file_costs_its_services_only(source: FileSet) -> None:
    broken = {**source.files, "shop/v1/types.proto": b"\xff"}
    schema = Schema.from_files(FileSet(files=broken, services=source.services, origin="v1"))
    assert list(schema.services) == ["log.v1.Log"]
    assert "service 'shop.v1.Orders' left out: its description is missing or broken" in schema.problems


def test_descriptor_set_makes_the_same_schema_again(schema: Schema) -> None:
    again = Schema.from_files(from_descriptor_set(schema.descriptor_set()))
    assert again.services == schema.services
    assert again.files == schema.files
    assert again.descriptor_set() == schema.descriptor_set()


def test_two_generations_with_equal_names_coexist(schema: Schema) -> None:
    changed = PROTOS | {
        "shop/v1/types.proto": 'syntax = "proto3"; package shop.v1; message Order { int64 number = 1; }'
    }
    data = Compiled.from_protos(changed).files.SerializeToString()
    other = Schema.from_files(from_descriptor_set(data))
    assert schema.shapes.message("shop.v1.Order").field("id") is not None
    assert other.shapes.message("shop.v1.Order").field("id") is None
    assert other.fingerprint != schema.fingerprint


def _read_all(schema: Schema) -> None:
    """Compile everything a schema offers; only what says that it cannot be compiled may be raised."""
    codec = Codec(schema.shapes, JsonOptions())
    for method in schema.methods():
        try:
            codec.request_encoder(method.request, http_method="POST", body="*", path_fields=())
            codec.response_decoder(method.response, response_body=None)
        except BindingError:
            continue


@st.composite
def _mutations(draw: st.DrawFn, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(changed) - 1))
        changed[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
        changed = changed or bytearray(data)
    return bytes(changed)


@settings(max_examples=200)
@given(data=st.data())
def test_hostile_descriptors_never_raise(source: FileSet, data: st.DataObject) -> None:
    files = {
        name: data.draw(_mutations(content)) if not name.startswith("google/") else content
        for name, content in source.files.items()
    }
    hostile = FileSet(files=files, services=source.services, origin="v1")
    assert hostile.fingerprint()
    schema = Schema.from_files(hostile)
    assert schema.descriptor_set() is not None
    _read_all(schema)


@settings(max_examples=100)
@given(data=st.data())
def test_hostile_descriptor_sets_never_raise_but_value_error(source: FileSet, data: st.DataObject) -> None:
    content = Compiled.from_protos(PROTOS).files.SerializeToString()
    try:
        hostile = from_descriptor_set(data.draw(_mutations(content)))
    except ValueError:
        return
    assert hostile.fingerprint()
    _read_all(Schema.from_files(hostile))
