"""What is printed, held against json_format over random schemas, values and bytes; where the two differ."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.protos import Schema
from transcoder.codec import Codec, JsonOptions
from transcoder.errors import TranscodeError
from transcoder.schema.shape import Shapes

from ..messages import EVERYTHING, message
from ..schemas import random_message, random_shapes

drawn_schemas = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
json_options = st.builds(
    JsonOptions,
    preserve_proto_field_names=st.booleans(),
    always_print_fields=st.booleans(),
    enums_as_ints=st.booleans(),
)
sizes = st.sampled_from([2, 8, 40])
"""Of messages: asked for each of their fields, or which they have."""


def ours(shapes: Shapes, name: str, wire: bytes, options: JsonOptions) -> str:
    return comparable(Codec(shapes, options).response_decoder(name, response_body=None)(wire)[0])


def theirs(shapes: Shapes, name: str, wire: bytes, options: JsonOptions) -> str:
    text = json_format.MessageToJson(
        message(shapes, name, wire),
        preserving_proto_field_name=options.preserve_proto_field_names,
        always_print_fields_with_no_presence=options.always_print_fields,
        use_integers_for_enums=options.enums_as_ints,
        descriptor_pool=shapes.pool,
    )
    return comparable(text)


def comparable(text: str | bytes) -> str:
    """Texts that are equal if two JSON texts mean the same, the sign of zero and 1 or 1.0 included."""
    return json.dumps(json.loads(text), sort_keys=True)


def outcome(printed: Callable[[], str], refusal: type[Exception]) -> str | None:
    """None for what is refused."""
    try:
        return printed()
    except refusal:
        return None


@drawn_schemas
@given(st.data(), st.sampled_from(["proto2", "proto3"]), sizes, json_options)
def test_messages_of_any_schema(data: st.DataObject, syntax: str, size: int, options: JsonOptions) -> None:
    shapes = data.draw(random_shapes(syntax=syntax, size=size))
    wire = data.draw(random_message(shapes, "r.M0")).SerializePartialToString()
    assert ours(shapes, "r.M0", wire, options) == theirs(shapes, "r.M0", wire, options)


@settings(deadline=None, max_examples=60)
@given(data=st.data(), options=json_options)
def test_damaged_messages(shapes: Shapes, data: st.DataObject, options: JsonOptions) -> None:
    """Bytes that are changed are read as something else, or refused by both."""
    wire = bytearray(data.draw(random_message(shapes, EVERYTHING)).SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        if wire:
            wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(wire)
    printed = outcome(lambda: ours(shapes, EVERYTHING, damaged, options), TranscodeError)
    assert printed == outcome(lambda: theirs(shapes, EVERYTHING, damaged, options), Exception)


ODD_PROTO = """\
syntax = "proto2";
package odd;
import "google/protobuf/any.proto";
message Text { optional string text = 1; repeated string texts = 2; map<string, string> by_text = 3; }
message Named { optional string DESCRIPTOR = 1; }
message Listed { optional string ListFields = 1; }
message Holder { optional google.protobuf.Any any = 1; }
"""

DIFFERENCES = {
    "a string that is not UTF-8 is repaired, not printed as Python prints bytes": (
        "odd.Text",
        b"\x0a\x02a\xff",
        """{"text": "b'a\\\\xff'"}""",
        '{"text": "a\\ufffd"}',
    ),
    "a list of such strings, too": (
        "odd.Text",
        b"\x12\x01\xff\x12\x01b",
        """{"texts": ["b'\\\\xff'", "b"]}""",
        '{"texts": ["\\ufffd", "b"]}',
    ),
    "a field may be called as an attribute of its class": (
        "odd.Named",
        b"\x0a\x01x",
        None,
        '{"DESCRIPTOR": "x"}',
    ),
    "or as a method of it": (
        "odd.Listed",
        b"\x0a\x01x",
        None,
        '{"ListFields": "x"}',
    ),
    "an Any may hold what errors are described with, though the schema does not": (
        "odd.Holder",
        b"\x0a\x1c\x0a\x16x/google.rpc.ErrorInfo\x12\x02\x0a\x00",
        None,
        '{"any": {"@type": "x/google.rpc.ErrorInfo"}}',
    ),
}


@pytest.mark.parametrize("reason", DIFFERENCES)
def test_every_difference_to_json_format_has_its_reason(reason: str) -> None:
    name, wire, their_text, our_text = DIFFERENCES[reason]
    shapes = Shapes(Schema.from_protos(ODD_PROTO).pool)
    assert ours(shapes, name, wire, JsonOptions()) == our_text
    assert outcome(lambda: theirs(shapes, name, wire, JsonOptions()), Exception) == their_text
