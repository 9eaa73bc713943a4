"""Compiled printers of messages: odd names, many fields, fields of others, types that contain themselves."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from tests.support.protos import Schema
from transcoder.codec import Codec, JsonOptions
from transcoder.errors import INTERNAL_ERROR, TranscodeError
from transcoder.schema.shape import Shapes

NAMES = """\
syntax = "proto2";
package names;
message Odd {
  optional string DESCRIPTOR = 1;
  optional int64 ListFields = 2;
  optional double HasField = 3;
  optional Odd WhichOneof = 4;
  repeated Odd FromString = 5;
  map<string, Odd> SerializeToString = 6;
  optional string class = 7;
  optional string __class__ = 8;
  optional string __dict__ = 9;
  optional string Extensions = 10;
  optional string message = 11;
  optional string c6 = 12;
  optional string f0 = 13;
  optional string str = 14;
  optional string quoted = 15 [json_name = "a \\"b\\"\\n{}%s"];
  oneof return { string None = 16; string def = 17; string None1 = 18; }
}
"""


def decoded(schema: Schema, name: str, wire: bytes, response_body: str | None = None, **options: Any) -> Any:
    codec = Codec(Shapes(schema.pool), JsonOptions(**options))
    return json.loads(codec.response_decoder(name, response_body=response_body)(wire)[0])


def test_any_name_may_be_that_of_a_field() -> None:
    schema = Schema.from_protos(NAMES)
    inner = {"DESCRIPTOR": "a", 'a "b"\n{}%s': "q", "None": "n"}
    value = {
        "DESCRIPTOR": "x",
        "ListFields": "5",
        "HasField": 1.5,
        "WhichOneof": inner,
        "FromString": [inner, {}],
        "SerializeToString": {"k": inner},
        "class": "y",
        "Class": "c",
        "Dict": "d",
        "Extensions": "e",
        "message": "m",
        "c6": "6",
        "f0": "0",
        "str": "s",
        "def": "t",
    }
    wire = Codec(Shapes(schema.pool), JsonOptions()).encode_json("names.Odd")(json.dumps(value).encode())
    assert decoded(schema, "names.Odd", wire) == value
    for name, body in value.items():
        assert decoded(schema, "names.Odd", wire, name) == body


@pytest.mark.parametrize("options", [{}, {"always_print_fields": True}, {"preserve_proto_field_names": True}])
@pytest.mark.parametrize("count", [16, 17])
def test_types_of_few_and_of_many_fields_are_printed_alike(count: int, options: dict[str, Any]) -> None:
    kinds = ["int64", "string", "repeated int32", "optional bool", "map<string, double>", "W", "repeated W"]
    fields = "".join(f"{kinds[number % 7]} the_field{number} = {number + 1};" for number in range(count))
    schema = Schema.from_protos(f'syntax = "proto3"; package w; message W {{ {fields} }}')
    full: dict[str, Any] = {
        f"the_field{number}": value for number, value in enumerate([5, "x", [1, 2], False])
    }
    full |= {"the_field4": {"a": -0.0}, "the_field5": {}, "the_field7": 7, "the_field8": "8"}
    for value in ({}, full, {"the_field6": [full, {}]}, {"the_field6": [{}, full], "the_field13": [full]}):
        message = schema.message("w.W", **value)
        want = json_format.MessageToDict(
            message,
            always_print_fields_with_no_presence="always_print_fields" in options,
            preserving_proto_field_name="preserve_proto_field_names" in options,
        )
        got = decoded(schema, "w.W", message.SerializeToString(), **options)
        assert json.dumps(got, sort_keys=True) == json.dumps(want, sort_keys=True)


EXTENDED = """\
syntax = "proto2";
package ext;
message Base {
  optional int32 id = 1;
  repeated int32 numbers = 2;
  extensions 100 to max;
}
message Bases { repeated Base bases = 1; }
message Other {
  optional string text = 1;
  extend Base { optional Other nested = 101; }
}
enum Level { LOW = 1; HIGH = 2; }
extend Base {
  optional int64 big = 100;
  repeated Other others = 102;
  optional Level level = 103;
  repeated double weights = 104;
}
message Set {
  option message_set_wire_format = true;
  extensions 4 to max;
}
message Element {
  extend Set { optional Element element = 5; }
  optional string text = 1;
}
"""


def test_extensions_stand_under_their_full_names() -> None:
    schema = Schema.from_protos(EXTENDED)
    wire = b"\x08\x01\xa0\x06\x05\xaa\x06\x03\x0a\x01x\xb2\x06\x00\xb2\x06\x03\x0a\x01y\xb8\x06\x02"
    wire += b"\xc1\x06" + b"\0" * 8
    value = {
        "id": 1,
        "[ext.big]": "5",
        "[ext.Other.nested]": {"text": "x"},
        "[ext.others]": [{}, {"text": "y"}],
        "[ext.level]": "HIGH",
        "[ext.weights]": [0.0],
    }
    assert decoded(schema, "ext.Base", wire) == value
    assert decoded(schema, "ext.Base", wire, always_print_fields=True) == value | {"numbers": []}
    assert decoded(schema, "ext.Base", wire, enums_as_ints=True)["[ext.level]"] == 2
    assert decoded(schema, "ext.Base", wire, "id") == 1
    listed = b"\x0a" + bytes([len(wire)]) + wire + b"\x0a\x00"
    assert decoded(schema, "ext.Bases", listed) == {"bases": [value, {}]}


def test_elements_of_a_message_set() -> None:
    schema = Schema.from_protos(EXTENDED)
    wire = b"\x0b\x10\x05\x1a\x03\x0a\x01x\x0c"
    assert decoded(schema, "ext.Set", wire) == {"[ext.Element.element]": {"text": "x"}}


EDITION = """\
edition = "2023";
package edition;
enum Level { option features.enum_type = CLOSED; LOW = 0; HIGH = 1; }
message M {
  int32 tracked = 1;
  int32 untracked = 2 [features.field_presence = IMPLICIT];
  M delimited = 3 [features.message_encoding = DELIMITED];
  Level level = 4;
  repeated Level levels = 5;
  map<string, Level> by_name = 6;
  string unchecked = 7 [features.utf8_validation = NONE];
}
"""


def test_features_of_editions() -> None:
    schema = Schema.from_protos(EDITION)
    unknown = b"\x20\x05\x28\x01\x28\x05\x32\x05\x0a\x01a\x10\x05\x32\x05\x0a\x01b\x10\x01"
    wire = b"\x08\x00\x10\x00\x1b\x10\x07\x1c" + unknown + b"\x3a\x02x\xff"
    value = {"tracked": 0, "delimited": {"untracked": 7}, "levels": ["HIGH"], "byName": {"b": "HIGH"}}
    assert decoded(schema, "edition.M", wire) == value | {"unchecked": "x\N{REPLACEMENT CHARACTER}"}


def test_of_two_fields_with_one_key_the_one_that_is_set_counts() -> None:
    file = FileDescriptorProto(name="k.proto", package="k", syntax="proto2")
    message = file.message_type.add(name="M", options={"deprecated_legacy_json_field_conflicts": True})
    for number, name in enumerate(["a_b", "aB"], start=1):
        message.field.add(name=name, number=number, label=3, type=5, json_name="aB")
    pool = DescriptorPool()
    pool.Add(file)
    codec = Codec(Shapes(pool), JsonOptions(always_print_fields=True))
    decode = codec.response_decoder("k.M", response_body=None)
    assert [decode(wire)[0] for wire in (b"\x08\x05", b"\x10\x05", b"\x08\x05\x10\x06", b"")] == [
        b'{"aB":[5]}',
        b'{"aB":[5]}',
        b'{"aB":[6]}',
        b'{"aB":[]}',
    ]


@pytest.mark.parametrize("field", ["message", "messages", "group", "groups", "messageByKey"])
def test_messages_may_be_nested_as_deeply_as_they_can_be_read(field: str) -> None:
    schema = Schema.from_protos(
        """syntax = "proto2"; package deep;
        message M {
          optional M message = 1; repeated M messages = 2; map<int32, M> message_by_key = 3;
          optional group Group = 4 { optional M message = 1; }
          repeated group Groups = 5 { optional M message = 1; }
        }"""
    )
    wraps = {
        "message": lambda inner: {"message": inner},
        "messages": lambda inner: {"messages": [inner]},
        "group": lambda inner: {"group": {"message": inner}},
        "groups": lambda inner: {"groups": [{"message": inner}]},
        "messageByKey": lambda inner: {"messageByKey": {"-1": inner}},
    }
    value: dict[str, Any] = {}
    for _ in range(49):
        value = wraps[field](value)
    wire = json_format.ParseDict(value, schema.message("deep.M")).SerializeToString()
    assert decoded(schema, "deep.M", wire) == value


def test_a_long_chain_of_types() -> None:
    chain = "".join(f"message M{index} {{ M{index + 1} next = 1; }}" for index in range(3000))
    schema = Schema.from_protos(f'syntax = "proto3"; package chain; {chain} message M3000 {{}}')
    assert decoded(schema, "chain.M0", b"\x0a\x02\x0a\x00") == {"next": {"next": {}}}


def test_the_traceback_of_a_failure_shows_the_text_but_no_names_of_the_schema() -> None:
    schema = Schema.from_protos(
        """syntax = "proto3"; package trace; import "google/protobuf/timestamp.proto";
        message Secret { google.protobuf.Timestamp hidden_name = 1; }"""
    )
    decode = Codec(Shapes(schema.pool), JsonOptions()).response_decoder("trace.Secret", response_body=None)
    wire = schema.message("trace.Secret", hidden_name={"nanos": -1}).SerializeToString()
    with pytest.raises(TranscodeError) as caught:
        decode(wire)
    assert caught.value.kind is INTERNAL_ERROR
    text = "".join(traceback.format_exception(caught.value))
    assert 'File "<generated> for trace.Secret"' in text
    assert "out[" in text
    assert "hidden_name" not in text
