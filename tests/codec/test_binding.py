"""Path variables and query parameters."""

from __future__ import annotations

from typing import Any

import pytest

from transcoder.codec import BindingError, Codec, JsonOptions
from transcoder.errors import INVALID_ARGUMENT, TranscodeError
from transcoder.schema.shape import Shapes

from .messages import EVERYTHING, expected, message


def from_query(codec: Codec, shapes: Shapes, query: str, name: str = EVERYTHING) -> Any:
    encode = codec.request_encoder(name, http_method="GET", body=None, path_fields=[])
    return message(shapes, name, encode(b"", "", [], query))


def from_path(codec: Codec, shapes: Shapes, field: str, value: str) -> Any:
    encode = codec.request_encoder(EVERYTHING, http_method="GET", body=None, path_fields=[field])
    return message(shapes, EVERYTHING, encode(b"", "", [value], ""))


TEXTS: list[tuple[str, str, dict[str, Any]]] = [
    ("a_double", "2.5", {"aDouble": 2.5}),
    ("aDouble", "-Infinity", {"aDouble": "-Infinity"}),
    ("a_float", "1.5", {"aFloat": 1.5}),
    ("an_int32", "-2", {"anInt32": -2}),
    ("anInt64", "9223372036854775807", {"anInt64": "9223372036854775807"}),
    ("a_uint64", "18446744073709551615", {"aUint64": "18446744073709551615"}),
    ("a_sint32", "-1", {"aSint32": -1}),
    ("a_fixed32", "7", {"aFixed32": 7}),
    ("a_bool", "true", {"aBool": True}),
    ("a_string", "x y/ü", {"aString": "x y/ü"}),
    ("some_bytes", "-_8", {"someBytes": "+/8="}),
    ("size", "SMALL", {"size": "SMALL"}),
    ("size", "-2", {"size": -2}),
    ("address.zip_code", "3000", {"address": {"zipCode": 3000}}),
    ("address.zipCode", "3000", {"address": {"zipCode": 3000}}),
    ("itself.itself.middle.city", "Bern", {"itself": {"itself": {"middle": {"city": "Bern"}}}}),
    ("maybe_int", "0", {"maybeInt": 0}),
    ("left", "", {"left": ""}),
    ("at", "1970-01-01T00:00:01Z", {"at": "1970-01-01T00:00:01Z"}),
    ("at.seconds", "1", {"at": "1970-01-01T00:00:01Z"}),
    ("ttl", "-1.5s", {"ttl": "-1.5s"}),
    ("mask", "fooBar,baz", {"mask": "fooBar,baz"}),
    ("mask", "foo_bar,baz.qux_quux", {"mask": "fooBar,baz.quxQuux"}),
    ("mask", "", {"mask": ""}),
    ("double_value", "NaN", {"doubleValue": "NaN"}),
    ("int64_value", "-5", {"int64Value": "-5"}),
    ("bool_value", "false", {"boolValue": False}),
    ("string_value", "", {"stringValue": ""}),
    ("bytes_value", "YQ", {"bytesValue": "YQ=="}),
    ("class", "c", {"class": "c"}),
    ('a "custom" name', "c", {"custom": "c"}),
]


@pytest.mark.parametrize(("key", "text", "value"), TEXTS)
def test_texts_in_path_and_query(
    codec: Codec, shapes: Shapes, key: str, text: str, value: dict[str, Any]
) -> None:
    want = expected(shapes, EVERYTHING, value)
    assert from_path(codec, shapes, key, text).SerializeToString() == want.SerializeToString()
    assert from_query(codec, shapes, f"{key}={text}").SerializeToString() == want.SerializeToString()


BAD_TEXTS: list[tuple[str, str, str]] = [
    ("an_int32", "2147483648", "invalid value for int32"),
    ("an_int32", "", "invalid value for int32"),
    ("an_int32", "1_0", "invalid value for int32"),
    ("a_uint64", "-1", "invalid value for uint64"),
    ("a_float", "1e39", "invalid value for float"),
    ("a_double", "nan", "invalid value for double"),
    ("a_bool", "yes", "invalid value for bool"),
    ("a_bool", "True", "invalid value for bool"),
    ("a_bool", "1", "invalid value for bool"),
    ("bool_value", "1", "invalid value for bool"),
    ("some_bytes", "***", "invalid value for bytes"),
    ("size", "HUGE", "invalid value for kitchen.Size"),
    ("at", "yesterday", "invalid value for google.protobuf.Timestamp"),
    ("ttl", "1", "invalid value for google.protobuf.Duration"),
    ("mask", "a,,b", "invalid value for google.protobuf.FieldMask"),
    ("address.zipCode", "x", "invalid value for int32"),
    ("a_string", "\ud800", "invalid value for string"),
]


@pytest.mark.parametrize(("key", "text", "problem"), BAD_TEXTS)
def test_bad_texts_name_the_field(codec: Codec, shapes: Shapes, key: str, text: str, problem: str) -> None:
    with pytest.raises(TranscodeError) as caught:
        from_path(codec, shapes, key, text)
    assert (caught.value.kind, caught.value.message) == (INVALID_ARGUMENT, f"{problem} in path: {key}")
    with pytest.raises(TranscodeError) as caught:
        from_query(codec, shapes, f"{key}={text}")
    assert (caught.value.kind, caught.value.message) == (INVALID_ARGUMENT, f"{problem} in query: {key}")


QUERIES: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    ("&&", {}),
    ("a_string", {"aString": ""}),
    ("a_string=", {"aString": ""}),
    ("a_string=a=b", {"aString": "a=b"}),
    ("a_string=a+b%2Bc%20d%26", {"aString": "a b+c d&"}),
    ("a%5Fstring=%C3%BC", {"aString": "ü"}),
    ("a+%22custom%22+name=x", {"custom": "x"}),
    ("numbers=3&numbers=1&numbers=2", {"numbers": [3, 1, 2]}),
    ("tags=a&anInt32=1&tags=b&tags=", {"tags": ["a", "b", ""], "anInt32": 1}),
    ("sizes=SMALL&sizes=-2", {"sizes": ["SMALL", -2]}),
    (
        "times=1970-01-01T00:00:01Z&times=1970-01-01T00:00:00Z",
        {"times": ["1970-01-01T00:00:01Z", "1970-01-01T00:00:00Z"]},
    ),
    ("address.city=Bern&address.zip_code=1", {"address": {"city": "Bern", "zipCode": 1}}),
    ("itself.tags=a&itself.tags=b", {"itself": {"tags": ["a", "b"]}}),
    ("mask.paths=a_b&mask.paths=c", {"mask": "aB,c"}),
    ("middle.city=Bern&middle.zip_code=1", {"middle": {"city": "Bern", "zipCode": 1}}),
    ("nope=1", {}),
    ("address.nope=1", {}),
    ("nope.city=1&a_bool=true", {"aBool": True}),
    ("a_string=x;a_bool=true", {"aString": "x;a_bool=true"}),
]


@pytest.mark.parametrize(("query", "value"), QUERIES)
def test_queries(codec: Codec, shapes: Shapes, query: str, value: dict[str, Any]) -> None:
    assert from_query(codec, shapes, query) == expected(shapes, EVERYTHING, value)


BAD_QUERIES: list[tuple[str, str]] = [
    ("a_string=%zz", "malformed percent-escape in query"),
    ("nope=%4", "malformed percent-escape in query"),
    ("%=1", "malformed percent-escape in query"),
    ("a_string=%ff", "query is not UTF-8"),
    ("%ff=1", "query is not UTF-8"),
    ("a_string=%41\ud800", "query is not UTF-8"),
    ("address=x", "kitchen.Address has no string form in query: address"),
    ("meta=x", "google.protobuf.Struct has no string form in query: meta"),
    ("value=x", "google.protobuf.Value has no string form in query: value"),
    ("any=x", "google.protobuf.Any has no string form in query: any"),
    ("addresses=x", "kitchen.Address has no string form in query: addresses"),
    ("labels=x", "a map has no string form in query: labels"),
    ("addresses.city=x", "`addresses` in kitchen.Everything is repeated in query: addresses.city"),
    ("labels.key=x", "`labels` in kitchen.Everything is repeated in query: labels.key"),
    ("address.city.x=1", "`city` in kitchen.Address is not a message in query: address.city.x"),
    ("a_string=a&a_string=b", "more than one value in query: a_string"),
    ("a_string=a&aString=a", "more than one value in query: aString"),
    ("address.city=a&address.city=a", "more than one value in query: address.city"),
    ("left=a&right=1", "more than one field of oneof `choice` in query: right"),
    ("left=a&middle.city=b", "more than one field of oneof `choice` in query: middle.city"),
    ("itself.left=a&itself.right=1", "more than one field of oneof `choice` in query: itself.right"),
    ("itself." * 40 + "a_bool=true", "nested too deeply in query: " + ("itself." * 40)[:100] + "..."),
]


@pytest.mark.parametrize(("query", "problem"), BAD_QUERIES)
def test_bad_queries(codec: Codec, shapes: Shapes, query: str, problem: str) -> None:
    with pytest.raises(TranscodeError) as caught:
        from_query(codec, shapes, query)
    assert (caught.value.kind, caught.value.message) == (INVALID_ARGUMENT, problem)


def test_oneofs_of_different_messages_do_not_meet(codec: Codec, shapes: Shapes) -> None:
    found = from_query(codec, shapes, "left=a&itself.right=1")
    assert found == expected(shapes, EVERYTHING, {"left": "a", "itself": {"right": 1}})


def test_an_unknown_key_creates_no_parent(codec: Codec, shapes: Shapes) -> None:
    assert not from_query(codec, shapes, "address.nope=1").HasField("address")


def test_unknown_keys_can_be_rejected(shapes: Shapes) -> None:
    strict = Codec(shapes, JsonOptions(unknown_query="reject"))
    for query, problem in (
        ("nope=1", "no field `nope` in kitchen.Everything in query: nope"),
        ("address.nope=1", "no field `nope` in kitchen.Address in query: address.nope"),
    ):
        with pytest.raises(TranscodeError) as caught:
            from_query(strict, shapes, query)
        assert caught.value.message == problem


def test_groups_can_be_bound_into(codec: Codec, shapes: Shapes) -> None:
    found = from_query(codec, shapes, "id=1&extra.note=x", "legacy.Record")
    assert found == expected(shapes, "legacy.Record", {"id": "1", "extra": {"note": "x"}})
    with pytest.raises(TranscodeError, match=r"legacy\.Record\.Extra has no string form in query: extra"):
        from_query(codec, shapes, "id=1&extra=x", "legacy.Record")


def test_the_query_never_overwrites_the_path(codec: Codec, shapes: Shapes) -> None:
    encode = codec.request_encoder(
        EVERYTHING, http_method="GET", body=None, path_fields=["address.city", None, "at", "an_int32"]
    )
    query = "address.city=Rome&address.zipCode=1&at=bad&at.nanos=5&anInt32=1&a_bool=true"
    wire = encode(b"", "", ["Bern", "unbound", "1970-01-01T00:00:01Z", "0"], query)
    value = {"address": {"city": "Bern", "zipCode": 1}, "at": "1970-01-01T00:00:01Z", "aBool": True}
    assert message(shapes, EVERYTHING, wire) == expected(shapes, EVERYTHING, value)


def test_path_bound_keys_are_known_keys(shapes: Shapes) -> None:
    strict = Codec(shapes, JsonOptions(unknown_query="reject"))
    encode = strict.request_encoder(EVERYTHING, http_method="GET", body=None, path_fields=["a_string"])
    assert message(shapes, EVERYTHING, encode(b"", "", ["p"], "aString=q")).a_string == "p"


@pytest.mark.parametrize(
    ("field", "query"), [("left", "right=1"), ("middle.city", "left=a"), ("itself.left", "itself.right=1")]
)
def test_the_query_sets_no_other_member_of_a_oneof_than_the_path(
    codec: Codec, shapes: Shapes, field: str, query: str
) -> None:
    encode = codec.request_encoder(EVERYTHING, http_method="GET", body=None, path_fields=[field])
    key = query.partition("=")[0]
    with pytest.raises(TranscodeError, match=f"^more than one field of oneof `choice` in query: {key}$"):
        encode(b"", "", ["p"], query)


@pytest.mark.parametrize(
    ("path_fields", "problem"),
    [
        (["nope"], "path variable `nope`: no field `nope` in kitchen.Everything"),
        (["address.nope"], "path variable `address.nope`: no field `nope` in kitchen.Address"),
        (["a_string.x"], "path variable `a_string.x`: `a_string` in kitchen.Everything is not a message"),
        (["addresses.city"], "path variable `addresses.city`: `addresses` in kitchen.Everything is repeated"),
        (
            ["itself.labels.key"],
            "path variable `itself.labels.key`: `labels` in kitchen.Everything is repeated",
        ),
        (["tags"], "path variable `tags`: `tags` is repeated"),
        (["addresses"], "path variable `addresses`: kitchen.Address has no string form"),
        (["labels"], "path variable `labels`: a map has no string form"),
        (["address"], "path variable `address`: kitchen.Address has no string form"),
        (["meta"], "path variable `meta`: google.protobuf.Struct has no string form"),
        (["a_bool", None, "aBool"], "path variable `aBool`: bound twice"),
        (["left", "right"], "path variable `right`: more than one field of oneof `choice`"),
        ([""], "path variable ``: no field `` in kitchen.Everything"),
    ],
)
def test_rules_that_do_not_fit(codec: Codec, path_fields: list[str | None], problem: str) -> None:
    for body in (None, "*", "itself"):
        with pytest.raises(BindingError) as caught:
            codec.request_encoder(EVERYTHING, http_method="POST", body=body, path_fields=path_fields)
        assert str(caught.value) == problem


def test_many_keys_leave_nothing_behind(codec: Codec, shapes: Shapes) -> None:
    query = "&".join(f"unknown{number}=1" for number in range(2000))
    assert from_query(codec, shapes, query) == message(shapes, EVERYTHING)
