"""Long and dense documents and messages: coded in other ways, to the same result."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.codec.messages import refusal
from tests.support.protos import Schema
from transcoder.codec import Codec, JsonOptions
from transcoder.codec.parsing.text import is_dense
from transcoder.codec.values import take_apart
from transcoder.schema.classes import message_class
from transcoder.schema.shape import Shapes

PROTO = """
    syntax = "proto3"; package p;
    message M {
      string id = 1; repeated M many = 2; map<string, int64> counts = 3;
      repeated double numbers = 4; M one = 5;
    }
"""
FEW, LOTS = 1_000, 70_000
VALUES: dict[str, Any] = {
    "messages": lambda count: {"many": [{"id": str(number)} for number in range(count)]},
    "entries": lambda count: {"counts": {f"key {number}": str(number) for number in range(count)}},
    "numbers": lambda count: {"numbers": [number / 4 for number in range(8 * count)]},
    "further down": lambda count: {"one": {"many": [{"id": "a", "many": [{"id": "b"}] * count}]}},
}


@pytest.fixture(scope="module")
def shapes() -> Shapes:
    return Shapes(Schema.from_protos(PROTO).pool)


@pytest.fixture(scope="module")
def codec(shapes: Shapes) -> Codec:
    return Codec(shapes, JsonOptions())


@pytest.mark.parametrize("count", [FEW, LOTS])
@pytest.mark.parametrize("what", VALUES)
def test_there_and_back(codec: Codec, shapes: Shapes, what: str, count: int) -> None:
    value = VALUES[what](count)
    text = json.dumps(value).encode()
    assert is_dense(text) == (count == LOTS)
    wire = codec.encode_json("p.M")(text)
    cls = message_class(shapes.pool, "p.M")
    assert cls.FromString(wire) == cls(**_plain(value))
    printed, _ = codec.response_decoder("p.M", response_body=None)(wire)
    assert json.loads(printed) == value


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """As keyword arguments of the message."""
    if "counts" in value:
        return {"counts": {key: int(count) for key, count in value["counts"].items()}}
    return value


def test_places_of_errors(codec: Codec) -> None:
    text = json.dumps({"many": [{}] * LOTS + [{"id": 1}]})
    assert refusal(codec, "p.M", text) == f"invalid value for string @ $.many[{LOTS}].id"
    assert refusal(codec, "p.M", text + ",") == f"malformed JSON: line 1 column {len(text) + 1}"


def test_values_are_taken_apart() -> None:
    inner: list[Any] = [1, "a", None]
    value = {"a": [inner, {"b": inner}], "c": {}}
    take_apart(value)
    assert (value, inner) == ({}, [])
    take_apart("text")
