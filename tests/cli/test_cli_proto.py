"""Descriptors printed as source text."""

from __future__ import annotations

import pytest

from tests.support.protos import Schema
from transcoder.cli.proto import proto_text
from transcoder.schema.shape import Shapes

HEAD = """
syntax = "proto3";
package a.b;
import "google/api/annotations.proto";
import "google/protobuf/descriptor.proto";
import "google/protobuf/timestamp.proto";
message Extra { string x = 1; repeated int32 n = 2; }
extend google.protobuf.MethodOptions { Extra extra = 50001; repeated string tags = 50002; }
extend google.protobuf.FieldOptions { bool secret = 50003; }
extend google.protobuf.MessageOptions { string owner = 50004; }
"""

PROTO3 = {
    "a.b.Everything": """
message Everything {
  option (a.b.owner) = "shop\\"s";
  enum Kind {
    option allow_alias = true;
    KIND_UNSPECIFIED = 0;
    NONE = 0 [deprecated = true];
    MINUS = -1;
  }
  message Inner {
    message Deep {}
    a.b.Everything.Inner.Deep deep = 1;
  }
  string plain = 1;
  optional int32 maybe = 2;
  repeated a.b.Everything.Kind kinds = 3;
  repeated fixed64 loose = 4 [packed = false];
  map<string, a.b.Everything.Inner> by_name = 5;
  map<int32, bool> flags = 6;
  google.protobuf.Timestamp at = 7;
  oneof choice {
    string text = 8;
    a.b.Everything.Inner inner = 9;
  }
  string after = 10;
  string pass_word = 11 [json_name = "pw", deprecated = true, (a.b.secret) = true];
  oneof other {
    bytes raw = 12 [(a.b.secret) = true];
  }
}
""",
    "a.b.S": """
service S {
  option deprecated = true;
  rpc Plain(a.b.Extra) returns (a.b.Extra);
  rpc Rich(a.b.Extra) returns (stream a.b.Extra) {
    option deprecated = true;
    option idempotency_level = NO_SIDE_EFFECTS;
    option (a.b.extra) = { x: "q" n: 1 n: 2 };
    option (a.b.tags) = "t1";
    option (a.b.tags) = "t2";
    option (google.api.http) = { get: "/v1/{x}" additional_bindings { post: "/v1" body: "*" } };
  }
  rpc Up(stream a.b.Extra) returns (a.b.Extra);
}
""",
    "a.b.Empty": """
message Empty {}
""",
}

PROTO2 = """
message Old {
  required string id = 1;
  optional int32 count = 2 [default = -5];
  optional string text = 3 [default = "a\\"b"];
  optional a.b.Old.Color color = 4 [default = RED];
  a.b.Old parent = 5;
  repeated int32 many = 6;
}
"""


def pool_text(proto: str, symbol: str) -> str:
    shapes = Shapes(Schema.from_protos(proto).pool)
    is_service = symbol == "a.b.S"
    find = shapes.pool.FindServiceByName if is_service else shapes.pool.FindMessageTypeByName
    return proto_text(find(symbol), shapes)


@pytest.mark.parametrize("symbol", PROTO3)
def test_what_is_printed_is_what_protoc_read(symbol: str) -> None:
    proto = HEAD + "".join(PROTO3.values())
    first, _, text = pool_text(proto, symbol).partition("\n")
    assert first == f"// {symbol} in test.proto"
    assert text == PROTO3[symbol].strip("\n")


def test_proto2_has_labels_and_defaults() -> None:
    enum = "  enum Color { RED = 1; }\n"
    source = PROTO2.replace("{\n", "{\n" + enum, 1).replace("  a.b.Old parent", "  optional a.b.Old parent")
    text = pool_text('syntax = "proto2";\npackage a.b;' + source, "a.b.Old")
    lines = [line for line in text.splitlines()[1:] if "Color {" not in line]
    assert "\n".join(lines).replace("    RED = 1;\n  }\n", "") == PROTO2.strip("\n")


def test_options_of_well_known_types_need_no_descriptor_proto() -> None:
    text = pool_text(
        'syntax = "proto3"; package a.b; message M { string old = 1 [deprecated = true]; }', "a.b.M"
    )
    assert "  string old = 1 [deprecated = true];" in text.splitlines()
