"""Long messages are read in slices as they are in one."""

from __future__ import annotations

from functools import reduce
from typing import Any
from unittest.mock import patch

import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.codec.schemas import random_message, random_shapes
from tests.support.protos import Schema
from transcoder.codec import wire
from transcoder.codec.printing import slices
from transcoder.schema.classes import message_class

drawn = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def outcome(cls: Any, message: bytes, size: int) -> bytes | None:
    """What is read in slices of so many bytes; None if it is no message."""
    with patch.object(slices, "SLICE", size):
        try:
            made = slices.read_in_slices(cls, message)
        except DecodeError:
            return None
    return bytes(cls.SerializePartialToString(made, deterministic=True))


def assert_same(cls: Any, message: bytes, size: int) -> None:
    assert outcome(cls, message, size) == outcome(cls, message, 1 << 20)


@drawn
@given(st.data(), st.sampled_from(["proto2", "proto3"]), st.integers(0, 8))
def test_messages_of_any_schema(data: st.DataObject, syntax: str, size: int) -> None:
    shapes = data.draw(random_shapes(syntax=syntax))
    cls = message_class(shapes.pool, "r.M0")
    message = b"".join(
        data.draw(random_message(shapes, "r.M0")).SerializePartialToString()
        for _ in range(data.draw(st.integers(1, 3)))
    )
    assert_same(cls, message, size)
    place = data.draw(st.integers(0, len(message)))
    assert_same(cls, message[:place], size)
    assert_same(cls, message[:place] + data.draw(st.binary(max_size=3)) + message[place:], size)


PROTO = """
    syntax = "proto2"; package p;
    message M {
      optional string id = 1; repeated M many = 2; optional M one = 3; map<string, M> by_name = 4;
      oneof choice { M left = 5; M right = 6; }
      optional string MergeFromString = 7; optional string DESCRIPTOR = 8; optional string add = 9;
      map<string, bytes> plain = 10; optional group Old = 11 { optional M m = 1; }
    }
"""
LONG = b"\x0a\x03abc"


def field(number: int, payload: bytes) -> bytes:
    return wire.tag(number, wire.LENGTH) + wire.delimited(payload)


ENTRY = field(1, b"k") + field(2, LONG)
MESSAGES = {
    "a list": field(2, LONG) * 3,
    "one in two pieces": field(3, LONG) + field(1, b"x") + field(3, field(2, LONG)),
    "an entry": field(4, ENTRY),
    "an entry twice": field(4, ENTRY) + field(4, field(1, b"k") + field(2, field(2, LONG))),
    "the value of an entry first": field(4, field(2, LONG) + field(1, b"k")),
    "two values of an entry": field(4, ENTRY + field(2, field(2, LONG))),
    "an entry that says more": field(4, ENTRY + field(9, LONG)),
    "an entry without its key": field(4, field(2, LONG)),
    "a key of another type": field(4, wire.tag(1, wire.FIXED64) + b"12345678" + field(2, LONG)),
    "a message of another type": wire.tag(2, wire.FIXED64) + LONG + b"123" + field(2, LONG),
    "an entry that is cut off": field(4, ENTRY[:-1]),
    "bytes for values": field(10, ENTRY),
    "a oneof": field(5, LONG) + field(6, LONG),
    "names of methods": field(7, LONG) + field(8, LONG) + field(9, LONG) + field(2, LONG),
    "a group": wire.tag(11, wire.START_GROUP)
    + field(1, LONG)
    + wire.tag(11, wire.END_GROUP)
    + field(2, LONG),
    "unknown ones": field(99, LONG) + wire.tag(98, wire.FIXED32) + b"1234" + field(2, LONG),
    "a long varint": wire.tag(98, wire.VARINT) + b"\xff" * 9 + b"\x01" + field(2, LONG),
    "too long a varint": wire.tag(98, wire.VARINT) + b"\xff" * 10 + b"\x01" + field(2, LONG),
    "a length that is too long": field(2, LONG) + b"\x12\x7f" + LONG,
    "no field": field(2, LONG) + b"\x00" + field(2, LONG),
    "deep": reduce(lambda inner, _: field(2, inner + field(1, b"x")), range(40), LONG),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(name: str) -> None:
    cls = message_class(Schema.from_protos(PROTO).pool, "p.M")
    for size in range(12):
        assert_same(cls, MESSAGES[name], size)
