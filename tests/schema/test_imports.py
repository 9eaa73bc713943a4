"""Servers that forget imports, as grpc-node's proto-loader does."""

from __future__ import annotations

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from transcoder.schema.pool import build_pool
from transcoder.schema.schema import Schema
from transcoder.schema.source import FileSet

MESSAGE = 11


def message_file(name: str, package: str, message: str, *refers_to: str) -> FileDescriptorProto:
    file = FileDescriptorProto(name=name, package=package, syntax="proto3")
    fields = file.message_type.add(name=message).field
    for number, type_name in enumerate(refers_to, 1):
        fields.add(name=f"f{number}", number=number, label=1, type=MESSAGE, type_name=type_name)
    return file


def serialized(*files: FileDescriptorProto) -> dict[str, bytes]:
    return {file.name: file.SerializeToString() for file in files}


def test_well_known_types_are_found_without_an_import() -> None:
    built = build_pool(serialized(message_file("a.proto", "a", "M", ".google.protobuf.Timestamp")))
    assert built.problems == ()
    field = built.pool.FindMessageTypeByName("a.M").fields[0]
    assert field.message_type.file.name == "google/protobuf/timestamp.proto"


def test_types_of_other_files_are_found_without_an_import() -> None:
    built = build_pool(
        serialized(
            message_file("a.proto", "a", "M", ".b.M", ".c.M.Inner"),
            message_file("b.proto", "b", "M", ".c.M.Inner"),
            nested := message_file("c.proto", "c", "M"),
        )
        | serialized(with_inner(nested))
    )
    assert built.problems == ()
    assert [field.message_type.full_name for field in built.pool.FindMessageTypeByName("a.M").fields] == [
        "b.M",
        "c.M.Inner",
    ]


def with_inner(file: FileDescriptorProto) -> FileDescriptorProto:
    file.message_type[0].nested_type.add(name="Inner")
    return file


def test_a_backends_own_version_of_a_well_known_type_is_not_taken() -> None:
    fake = message_file("google_protobuf.proto", "google.protobuf", "Timestamp")
    real = message_file("a.proto", "a", "M", ".google.protobuf.Timestamp")
    real.dependency.append("google_protobuf.proto")
    built = build_pool(serialized(fake, real))
    assert built.problems == ()
    timestamp = built.pool.FindMessageTypeByName("a.M").fields[0].message_type
    assert [field.name for field in timestamp.fields] == ["seconds", "nanos"]


def test_a_method_is_served_though_its_types_were_not_imported() -> None:
    file = FileDescriptorProto(name="s.proto", package="s", syntax="proto3")
    service = file.service.add(name="S")
    service.method.add(name="Get", input_type=".google.protobuf.Empty", output_type=".m.M")
    files = serialized(file, message_file("m.proto", "m", "M"))
    schema = Schema.from_files(FileSet(files=files, services=("s.S",), origin="v1"))
    assert schema.problems == ()
    assert schema.method("S", "Get").response == "m.M"


def test_names_without_a_leading_dot_are_looked_for_from_their_scope() -> None:
    built = build_pool(
        serialized(
            message_file("a.proto", "x.a", "M", "google.protobuf.Timestamp", "b.M", "N"),
            message_file("b.proto", "x.b", "M"),
            message_file("n.proto", "x.a", "N"),
        )
    )
    assert built.problems == ()
    assert [field.message_type.full_name for field in built.pool.FindMessageTypeByName("x.a.M").fields] == [
        "google.protobuf.Timestamp",
        "x.b.M",
        "x.a.N",
    ]


def test_what_stays_unknown_costs_its_file_only() -> None:
    built = build_pool(
        serialized(message_file("a.proto", "a", "M", ".nowhere.X"), message_file("b.proto", "b", "M", ".b.M"))
    )
    assert len(built.problems) == 1
    assert built.problems[0].startswith("file 'a.proto' left out: ")
    assert built.pool.FindMessageTypeByName("b.M").full_name == "b.M"
