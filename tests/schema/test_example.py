"""Examples and descriptions of messages."""

from __future__ import annotations

import json

import pytest
from google.protobuf import descriptor_pb2 as pb
from google.protobuf import descriptor_pool, json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.struct_pb2 import Struct  # noqa: F401 - registers struct.proto
from google.protobuf.timestamp_pb2 import Timestamp  # noqa: F401 - registers timestamp.proto
from google.protobuf.wrappers_pb2 import Int64Value  # noqa: F401 - registers wrappers.proto

from transcoder.schema.example import describe, example
from transcoder.schema.shape import Shapes

FILES = ["google/protobuf/timestamp.proto", "google/protobuf/wrappers.proto", "google/protobuf/struct.proto"]
Type = pb.FieldDescriptorProto.Type
ONE, MANY = pb.FieldDescriptorProto.LABEL_OPTIONAL, pb.FieldDescriptorProto.LABEL_REPEATED


def new_field(name: str, number: int, kind: str, label: int = ONE, **more: object) -> pb.FieldDescriptorProto:
    return pb.FieldDescriptorProto(
        name=name, number=number, type=Type.Value(f"TYPE_{kind}"), label=label, **more
    )


def add_map(
    message: pb.DescriptorProto, name: str, number: int, key: str, value: str, **more: object
) -> None:
    entry = message.nested_type.add(name=f"{name.capitalize()}Entry")
    entry.options.map_entry = True
    entry.field.extend([new_field("key", 1, key), new_field("value", 2, value, **more)])
    message.field.append(new_field(name, number, "MESSAGE", MANY, type_name=f".e.M.{entry.name}"))


def shapes_of(file: pb.FileDescriptorProto) -> Shapes:
    pool = DescriptorPool()
    for name in file.dependency:
        pool.AddSerializedFile(descriptor_pool.Default().FindFileByName(name).serialized_pb)
    pool.Add(file)
    return Shapes(pool)


@pytest.fixture(scope="module")
def shapes() -> Shapes:
    file = pb.FileDescriptorProto(name="e.proto", package="e", syntax="proto3", dependency=FILES)
    enum = file.enum_type.add(name="Size")
    enum.value.add(name="SMALL", number=0)
    enum.value.add(name="LARGE", number=1)
    message = file.message_type.add(name="M")
    message.oneof_decl.add(name="choice")
    message.oneof_decl.add(name="_maybe")
    message.field.extend(
        [
            new_field("some_text", 1, "STRING"),
            new_field("big", 2, "INT64"),
            new_field("tags", 3, "STRING", MANY),
            new_field("size", 4, "ENUM", type_name=".e.Size"),
            new_field("sizes", 5, "ENUM", MANY, type_name=".e.Size"),
            new_field("left", 6, "INT32", oneof_index=0),
            new_field("right", 7, "STRING", oneof_index=0),
            new_field("at", 8, "MESSAGE", type_name=".google.protobuf.Timestamp"),
            new_field("count", 9, "MESSAGE", type_name=".google.protobuf.Int64Value"),
            new_field("meta", 10, "MESSAGE", type_name=".google.protobuf.Struct"),
            new_field("itself", 11, "MESSAGE", type_name=".e.M"),
            new_field("all_of_it", 12, "MESSAGE", MANY, type_name=".e.M"),
            new_field("other", 13, "MESSAGE", MANY, type_name=".e.Other"),
            new_field("data", 14, "BYTES"),
            new_field("maybe", 15, "BOOL", oneof_index=1, proto3_optional=True),
        ]
    )
    add_map(message, "labels", 20, "STRING", "STRING")
    add_map(message, "flags", 21, "BOOL", "ENUM", type_name=".e.Size")
    add_map(message, "numbers", 22, "INT32", "MESSAGE", type_name=".e.Other")
    add_map(message, "own", 23, "INT32", "MESSAGE", type_name=".e.M")
    other = file.message_type.add(name="Other")
    other.field.extend([new_field("back", 1, "MESSAGE", type_name=".e.M"), new_field("ratio", 2, "DOUBLE")])
    return shapes_of(file)


def test_an_example_shows_every_field_once(shapes: Shapes) -> None:
    assert example(shapes, "e.M") == {
        "someText": "string",
        "big": "1",
        "tags": ["string"],
        "size": "SMALL",
        "sizes": ["SMALL"],
        "left": 1,
        "at": "2030-01-01T00:00:00Z",
        "count": "1",
        "meta": {"key": "value"},
        "other": [{"ratio": 1.5}],
        "data": "Ynl0ZXM=",
        "maybe": True,
        "labels": {"key": "string"},
        "flags": {"true": "SMALL"},
        "numbers": {"1": {"ratio": 1.5}},
    }


@pytest.mark.parametrize("name", ["e.M", "e.Other", "google.protobuf.Timestamp", "google.protobuf.Struct"])
def test_an_example_is_valid_protojson(shapes: Shapes, name: str) -> None:
    message = GetMessageClass(shapes.pool.FindMessageTypeByName(name))()
    text = json.dumps(example(shapes, name))
    assert json_format.Parse(text, message, descriptor_pool=shapes.pool).ByteSize()


def test_an_unknown_message_is_a_key_error(shapes: Shapes) -> None:
    for show in (example, describe):
        with pytest.raises(KeyError):
            show(shapes, "e.None")


def wide(levels: int, fields: int) -> Shapes:
    """A schema whose full example has fields ** levels leaves."""
    file = pb.FileDescriptorProto(name="w.proto", package="w", syntax="proto3")
    for level in range(levels):
        message = file.message_type.add(name=f"L{level}")
        for number in range(1, fields + 1):
            leaf = level == levels - 1
            kind = {} if leaf else {"type_name": f".w.L{level + 1}"}
            message.field.append(new_field(f"f{number}", number, "STRING" if leaf else "MESSAGE", **kind))
    return shapes_of(file)


def test_an_example_of_a_hostile_schema_stays_small() -> None:
    assert len(json.dumps(example(wide(levels=20, fields=10), "w.L0"))) < 20_000
    assert len(json.dumps(example(wide(levels=300, fields=1), "w.L0"))) < 1_000
    assert len(example(wide(levels=1, fields=3000), "w.L0")) == 1000


def test_a_description_lists_the_fields(shapes: Shapes) -> None:
    described = describe(shapes, "e.M")
    assert described["name"] == "e.M"
    assert json.dumps(described)
    fields = {field["name"]: field for field in described["fields"]}
    assert list(fields)[:2] == ["some_text", "big"]
    assert fields["some_text"] == {
        "name": "some_text",
        "json_name": "someText",
        "number": 1,
        "type": "string",
        "required": False,
        "optional": False,
    }
    assert fields["left"]["oneof"] == "choice"
    assert fields["left"]["optional"] is True
    assert "oneof" not in fields["maybe"]
    assert fields["maybe"]["optional"] is True
    sizes = [{"name": "SMALL", "number": 0}, {"name": "LARGE", "number": 1}]
    assert fields["size"]["values"] == fields["sizes"]["values"] == fields["flags"]["values"] == sizes
    assert "values" not in fields["tags"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("big", "int64"),
        ("tags", "repeated string"),
        ("size", "e.Size"),
        ("sizes", "repeated e.Size"),
        ("at", "google.protobuf.Timestamp"),
        ("all_of_it", "repeated e.M"),
        ("labels", "map<string, string>"),
        ("flags", "map<bool, e.Size>"),
        ("numbers", "map<int32, e.Other>"),
    ],
)
def test_types_as_a_proto_file_says_them(shapes: Shapes, name: str, text: str) -> None:
    fields = {field["name"]: field for field in describe(shapes, "e.M")["fields"]}
    assert fields[name]["type"] == text


def test_required_fields_are_marked() -> None:
    file = pb.FileDescriptorProto(name="q.proto", package="q", syntax="proto2")
    message = file.message_type.add(name="M")
    message.field.append(new_field("id", 1, "STRING", pb.FieldDescriptorProto.LABEL_REQUIRED))
    message.field.append(
        new_field("me", 2, "MESSAGE", pb.FieldDescriptorProto.LABEL_REQUIRED, type_name=".q.M")
    )
    shapes = shapes_of(file)
    (field, _) = describe(shapes, "q.M")["fields"]
    assert (field["required"], field["optional"]) == (True, False)
    assert example(shapes, "q.M") == {"id": "string"}
