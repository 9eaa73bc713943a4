"""Messages in an Any: of the schema, of google.rpc, in one another, and those that nobody knows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Value
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from tests.support.protos import Schema
from transcoder.codec import Codec, JsonOptions
from transcoder.errors import INTERNAL_ERROR, TranscodeError
from transcoder.schema.shape import Shapes

PROTO = """\
syntax = "proto3";
package any;
import "google/protobuf/any.proto";
message Holder { google.protobuf.Any any = 1; repeated google.protobuf.Any list = 2; }
message Item { string the_id = 1; Item next = 2; }
"""
URL = "type.googleapis.com"


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema.from_protos(PROTO)


def packed(message: Message, url: str = URL) -> AnyMessage:
    return AnyMessage(type_url=f"{url}/{message.DESCRIPTOR.full_name}", value=message.SerializeToString())


def printed(schema: Schema, any_message: AnyMessage, **options: bool) -> Any:
    holder = schema.type("any.Holder").FromString(b"")
    holder.any.MergeFromString(any_message.SerializeToString())
    decode = Codec(Shapes(schema.pool), JsonOptions(**options)).response_decoder(
        "any.Holder", response_body="any"
    )
    return json.loads(decode(holder.SerializeToString())[0])


def test_a_message_of_the_schema(schema: Schema) -> None:
    item = packed(schema.message("any.Item", the_id="1", next={"the_id": "2"}))
    assert printed(schema, item) == {"@type": f"{URL}/any.Item", "theId": "1", "next": {"theId": "2"}}
    assert printed(schema, item, preserve_proto_field_names=True)["the_id"] == "1"


@pytest.mark.parametrize(
    ("message", "content"),
    [
        (Duration(seconds=5), {"value": "5s"}),
        (StringValue(value="x"), {"value": "x"}),
        (Value(null_value=0), {"value": None}),
        (Empty(), {}),
        (ErrorInfo(reason="GONE", metadata={"a": "b"}), {"reason": "GONE", "metadata": {"a": "b"}}),
        (RetryInfo(retry_delay=Duration(nanos=500_000_000)), {"retryDelay": "0.500s"}),
        (
            BadRequest(field_violations=[{"field": "a", "description": "bad"}]),
            {"fieldViolations": [{"field": "a", "description": "bad"}]},
        ),
        (packed(Duration(seconds=1)), {"value": {"@type": f"{URL}/google.protobuf.Duration", "value": "1s"}}),
        (AnyMessage(), {"value": {}}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_messages_the_schema_does_not_know(schema: Schema, message: Message, content: Any) -> None:
    url = f"{URL}/{message.DESCRIPTOR.full_name}"
    assert printed(schema, packed(message)) == {"@type": url, **content}


def test_a_message_of_the_schema_inside_one_of_google_rpc(schema: Schema) -> None:
    status = Status(code=5, details=[packed(schema.message("any.Item", the_id="1"))])
    assert printed(schema, packed(status)) == {
        "@type": f"{URL}/google.rpc.Status",
        "code": 5,
        "details": [{"@type": f"{URL}/any.Item", "theId": "1"}],
    }


def test_a_schema_has_the_first_word_on_its_types() -> None:
    schema = Schema.from_protos(
        {
            "any.proto": PROTO,
            "rpc.proto": 'syntax = "proto3"; package google.rpc; message ErrorInfo { int32 own = 1; }',
        }
    )
    own = packed(schema.message("google.rpc.ErrorInfo", own=5))
    assert printed(schema, own) == {"@type": f"{URL}/google.rpc.ErrorInfo", "own": 5}


@pytest.mark.parametrize("url", ["", "x", "https://example.com/types"])
def test_only_what_stands_after_the_last_slash_counts(schema: Schema, url: str) -> None:
    assert printed(schema, packed(Duration(seconds=1), url))["value"] == "1s"


@pytest.mark.parametrize(
    ("any_message", "reason"),
    [
        (AnyMessage(type_url=f"{URL}/no.Such"), "unknown type 'no.Such' of an Any"),
        (AnyMessage(type_url=f"{URL}/"), "unknown type '' of an Any"),
        (AnyMessage(value=b"x"), "unknown type '' of an Any"),
        (AnyMessage(type_url=f"{URL}/any.Item", value=b"\xff"), "DecodeError"),
        (AnyMessage(type_url=f"{URL}/google.rpc.Code"), "unknown type 'google.rpc.Code' of an Any"),
    ],
)
def test_what_cannot_be_read(schema: Schema, any_message: AnyMessage, reason: str) -> None:
    for _ in range(2):
        with pytest.raises(TranscodeError) as caught:
            printed(schema, any_message)
        assert caught.value.kind is INTERNAL_ERROR
        assert reason in caught.value.reason


def test_an_entry_of_a_map_is_a_message_like_any_other(schema: Schema) -> None:
    entry = AnyMessage(type_url="x/google.rpc.ErrorInfo.MetadataEntry", value=b"\x0a\x01k\x12\x01v")
    assert printed(schema, entry) == {"@type": entry.type_url, "key": "k", "value": "v"}


def test_an_unset_and_an_empty_one(schema: Schema) -> None:
    decode = Codec(Shapes(schema.pool), JsonOptions()).response_decoder("any.Holder", response_body=None)
    assert decode(b"")[0] == b"{}"
    assert decode(b"\x0a\x00\x12\x00")[0] == b'{"any":{},"list":[{}]}'


def test_messages_may_be_packed_in_one_another_until_it_is_too_deep(schema: Schema) -> None:
    message: Message = Duration(seconds=1)
    for _ in range(50):
        message = packed(message)
    text = json.dumps(printed(schema, packed(message)))
    assert text.count("@type") == 51
    for _ in range(500):
        message = packed(message)
    with pytest.raises(TranscodeError) as caught:
        printed(schema, packed(message))
    assert caught.value.kind is INTERNAL_ERROR
