"""The JSON forms of google/protobuf."""

from __future__ import annotations

import json
from typing import Any

import pytest

from transcoder.codec import Codec, JsonOptions
from transcoder.schema.shape import Shapes

from .messages import EVERYTHING, encoded, expected, refusal

ANY = "type.googleapis.com"

ACCEPTED: list[tuple[str, Any]] = [
    ("at", "1970-01-01T00:00:00Z"),
    ("at", "0001-01-01T00:00:00Z"),
    ("at", "9999-12-31T23:59:59.999999999Z"),
    ("at", "2024-02-29T12:30:15.5Z"),
    ("at", "1969-12-31T23:59:59.999Z"),
    ("at", "2016-12-15T12:23:32.000000049Z"),
    ("at", "2024-01-01T00:00:00+05:30"),
    ("at", "2024-01-01T00:00:00.1-08:00"),
    ("ttl", "0s"),
    ("ttl", "1.5s"),
    ("ttl", "-0.5s"),
    ("ttl", "-1.000000001s"),
    ("ttl", "315576000000s"),
    ("ttl", "-315576000000s"),
    ("mask", ""),
    ("mask", "a,fooBar.bazQux"),
    ("meta", {}),
    ("meta", {"a": None, "": [1, "x", True, {"b": []}], "c": -1.5}),
    ("value", None),
    ("value", 1),
    ("value", "text"),
    ("value", False),
    ("value", {"a": {}}),
    ("value", [None, [[]]]),
    ("list", []),
    ("list", [None, 1, "x"]),
    ("empty", {}),
    ("nullValue", None),
    ("nullValue", "NULL_VALUE"),
    ("any", {}),
    ("any", {"@type": f"{ANY}/kitchen.Address", "city": "Bern"}),
    ("any", {"city": "Bern", "@type": f"{ANY}/kitchen.Address", "zipCode": 3000}),
    ("any", {"@type": f"{ANY}/google.protobuf.Duration", "value": "1.5s"}),
    ("any", {"@type": f"{ANY}/google.protobuf.Int64Value", "value": "5"}),
    ("any", {"@type": f"{ANY}/google.protobuf.Value", "value": None}),
    ("any", {"@type": f"{ANY}/google.protobuf.Struct", "value": {"a": 1}}),
    ("any", {"@type": f"{ANY}/google.protobuf.Empty"}),
    (
        "any",
        {"@type": f"{ANY}/google.protobuf.Any", "value": {"@type": f"{ANY}/kitchen.Address", "city": "Bern"}},
    ),
    ("doubleValue", 1.5),
    ("floatValue", "Infinity"),
    ("int64Value", "-5"),
    ("uint64Value", 5),
    ("int32Value", 0),
    ("uint32Value", 5),
    ("boolValue", True),
    ("stringValue", ""),
    ("bytesValue", "YQ=="),
    ("times", ["1970-01-01T00:00:01Z", "1970-01-01T00:00:00Z"]),
    ("values", [None, 1, [None]]),
]


@pytest.mark.parametrize(("field", "value"), ACCEPTED)
def test_accepts_what_the_reference_does(codec: Codec, shapes: Shapes, field: str, value: Any) -> None:
    assert encoded(codec, shapes, EVERYTHING, {field: value}) == expected(shapes, EVERYTHING, {field: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("google.protobuf.Timestamp", "1970-01-01T00:00:01Z"),
        ("google.protobuf.Value", None),
        ("google.protobuf.Struct", {"a": 1}),
        ("google.protobuf.StringValue", "x"),
        ("google.protobuf.Any", {"@type": f"{ANY}/kitchen.Address", "city": "Bern"}),
        ("google.protobuf.Empty", {}),
    ],
)
def test_at_the_top_level(codec: Codec, shapes: Shapes, name: str, value: Any) -> None:
    assert encoded(codec, shapes, name, value) == expected(shapes, name, value)


TIMESTAMP = "invalid value for google.protobuf.Timestamp @ $.at"
DURATION = "invalid value for google.protobuf.Duration @ $.ttl"
MASK = "invalid value for google.protobuf.FieldMask @ $.mask"

REFUSED: list[tuple[str, str, str]] = [
    *(
        ("at", json.dumps(value), TIMESTAMP)
        for value in (
            "",
            "2024-01-01",
            "2024-01-01T00:00:00",
            "2024-01-01t00:00:00Z",
            "2024-01-01T00:00:00z",
            "2024-01-01 00:00:00Z",
            "2024-1-01T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00.0000000001Z",
            "2024-01-01T00:00:00+24:00",
            "2024-01-01T00:00:00+0530",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "٢٠24-01-01T00:00:00Z",
            "2024-01-01T00:00:00Z\n",
            1,
        )
    ),
    *(
        ("ttl", json.dumps(value), DURATION)
        for value in (
            "",
            "1",
            "s",
            "1.s",
            ".5s",
            "1s ",
            "+1s",
            "1.0000000001s",
            "315576000001s",
            "1m",
            "١s",
            1,
            {},
        )
    ),
    *(("mask", json.dumps(value), MASK) for value in ("foo_bar", "a,,b", ",", 1, ["a"])),
    ("meta", "[]", "invalid value for google.protobuf.Struct @ $.meta"),
    (
        "meta",
        '{"a": {"b": [1, {"c d": ' + "9" * 400 + "}]}}",
        'invalid value for google.protobuf.Value @ $.meta.a.b[1]["c d"]',
    ),
    ("list", "{}", "invalid value for google.protobuf.ListValue @ $.list"),
    ("empty", "[]", "invalid value for google.protobuf.Empty @ $.empty"),
    ("empty", '{"a": 1}', "no field `a` in google.protobuf.Empty @ $.empty"),
    ("nullValue", '"x"', "invalid value for google.protobuf.NullValue @ $.nullValue"),
    ("any", "1", "invalid value for google.protobuf.Any @ $.any"),
    ("any", '{"city": "Bern"}', "invalid value for google.protobuf.Any @ $.any"),
    ("any", '{"@type": ""}', "invalid value for google.protobuf.Any @ $.any"),
    ("any", '{"@type": 1}', "invalid value for google.protobuf.Any @ $.any"),
    ("any", '{"@type": "kitchen.Address"}', "invalid value for google.protobuf.Any @ $.any"),
    ("any", '{"@type": "x/"}', "unknown type `` @ $.any"),
    ("any", '{"@type": "x/no.Such\\u0000"}', "unknown type `no.Such\x00` @ $.any"),
    ("any", '{"@type": "x/kitchen.Address", "zipCode": "x"}', "invalid value for int32 @ $.any.zipCode"),
    ("any", '{"@type": "x/google.protobuf.Duration"}', "expected `@type` and `value` only @ $.any"),
    (
        "any",
        '{"@type": "x/google.protobuf.Duration", "value": 1}',
        "invalid value for google.protobuf.Duration @ $.any.value",
    ),
    (
        "any",
        '{"@type": "x/google.protobuf.Duration", "value": "1s", "a": 1}',
        "expected `@type` and `value` only @ $.any",
    ),
    ("int32Value", "2147483648", "invalid value for int32 @ $.int32Value"),
    ("int32Value", '{"value": 1}', "invalid value for int32 @ $.int32Value"),
    ("boolValue", '"true"', "invalid value for bool @ $.boolValue"),
]


@pytest.mark.parametrize(("field", "text", "problem"), REFUSED)
def test_refuses(codec: Codec, field: str, text: str, problem: str) -> None:
    assert refusal(codec, EVERYTHING, f'{{"{field}": {text}}}') == problem


def test_an_empty_in_an_any_may_be_spelled_both_ways(codec: Codec, shapes: Shapes) -> None:
    value = {"@type": f"{ANY}/google.protobuf.Empty", "value": {}}
    bare = {"@type": f"{ANY}/google.protobuf.Empty"}
    assert encoded(codec, shapes, EVERYTHING, {"any": value}) == encoded(
        codec, shapes, EVERYTHING, {"any": bare}
    )


def test_unknown_fields_in_an_any_can_be_ignored(shapes: Shapes) -> None:
    lenient = Codec(shapes, JsonOptions(unknown_fields="ignore"))
    value = {"@type": f"{ANY}/kitchen.Address", "city": "Bern"}
    more = value | {"planet": "Earth"}
    assert encoded(lenient, shapes, EVERYTHING, {"any": more}) == expected(shapes, EVERYTHING, {"any": value})
