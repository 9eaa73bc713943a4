"""Responses: ProtoJSON with its options, one field of the message, raw bodies, and what cannot be printed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.api.httpbody_pb2 import HttpBody

from transcoder.codec import BindingError, Codec, JsonOptions
from transcoder.errors import INTERNAL_ERROR, INTERNAL_MESSAGE, TranscodeError
from transcoder.schema.shape import Shapes

from ..messages import EVERYTHING, error_of, expected, message


def printed(
    shapes: Shapes, value: Any, name: str = EVERYTHING, response_body: str | None = None, **options: Any
) -> Any:
    codec = Codec(shapes, JsonOptions(**options))
    wire = expected(shapes, name, value).SerializeToString()
    body, content_type = codec.response_decoder(name, response_body=response_body)(wire)
    assert content_type == "application/json"
    return json.loads(body)


VALUE = {
    "anInt64": "9007199254740993",
    "aUint64": "1",
    "aDouble": "NaN",
    "aFloat": 0.1,
    "someBytes": "+/8=",
    "size": "SMALL",
    "sizes": ["LARGE", 42],
    "address": {"zipCode": 3000},
    "labels": {"é": "\N{GRINNING FACE}"},
    "byFlag": {"true": "SMALL"},
    "at": "1970-01-01T00:00:00.500Z",
    "ttl": "-1.500s",
    "mask": "fooBar,baz",
    "meta": {"a": [None, 1.5, {"b": True}]},
    "value": None,
    "int64Value": "5",
    "nullValue": None,
    'a "custom" name': "x",
}


def test_protojson(shapes: Shapes) -> None:
    value = VALUE | {"any": {"@type": "type.googleapis.com/kitchen.Address", "city": "Bern"}}
    want = {key: item for key, item in value.items() if key != "nullValue"}
    assert printed(shapes, value) == want
    assert printed(shapes, {}) == {}


def test_the_body_is_compact_utf_8(codec: Codec, shapes: Shapes) -> None:
    wire = expected(shapes, "kitchen.Address", {"city": "Zürich", "zipCode": 1}).SerializeToString()
    body, _ = codec.response_decoder("kitchen.Address", response_body=None)(wire)
    assert body == '{"city":"Zürich","zipCode":1}'.encode()


def test_options(shapes: Shapes) -> None:
    value = {"anInt32": 1, "size": "SMALL", "address": {"zipCode": 1}}
    assert printed(shapes, value, preserve_proto_field_names=True, enums_as_ints=True) == {
        "an_int32": 1,
        "size": 1,
        "address": {"zip_code": 1},
    }
    everything = printed(shapes, {}, always_print_fields=True)
    assert everything["anInt64"] == "0"
    assert everything["size"] == "SIZE_UNSPECIFIED"
    assert (everything["tags"], everything["labels"], everything["aString"]) == ([], {}, "")
    assert not everything.keys() & {"address", "left", "right", "maybeInt", "at", "value"}


@pytest.mark.parametrize(
    ("field", "value", "body"),
    [
        ("a_string", {"aString": "x", "aBool": True}, "x"),
        ("aString", {"aString": "x"}, "x"),
        ("a_string", {}, ""),
        ("an_int64", {"anInt64": "5"}, "5"),
        ("an_int64", {}, "0"),
        ("a_double", {}, 0.0),
        ("a_bool", {}, False),
        ("some_bytes", {}, ""),
        ("size", {}, "SIZE_UNSPECIFIED"),
        ("size", {"size": 42}, 42),
        ("maybe_int", {}, 0),
        ("left", {}, ""),
        ("left", {"right": 1}, ""),
        ("tags", {}, []),
        ("tags", {"tags": ["a"], "aString": "x"}, ["a"]),
        ("addresses", {"addresses": [{}]}, [{}]),
        ("labels", {}, {}),
        ("labels", {"labels": {"a": "b"}}, {"a": "b"}),
        ("address", {}, None),
        ("address", {"address": {}}, {}),
        ("at", {}, None),
        ("at", {"at": "1970-01-01T00:00:00Z"}, "1970-01-01T00:00:00Z"),
        ("string_value", {}, None),
        ("string_value", {"stringValue": ""}, ""),
        ("meta", {"meta": {"a": 1}}, {"a": 1.0}),
        ("value", {"value": None}, None),
        ("custom", {"custom": "x"}, "x"),
    ],
)
@pytest.mark.parametrize("preserve", [False, True])
def test_one_field_of_the_message(
    shapes: Shapes, field: str, value: dict[str, Any], body: Any, preserve: bool
) -> None:
    got = printed(shapes, value, response_body=field, preserve_proto_field_names=preserve)
    assert got == body
    assert type(got) is type(body)


def test_one_field_of_a_proto2_message(shapes: Shapes) -> None:
    assert printed(shapes, {"id": "1"}, "legacy.Record", "count") == 7
    assert printed(shapes, {"id": "1", "[legacy.added]": "x"}, "legacy.Record", "level") == "HIGH"
    assert printed(shapes, {"id": "1", "extra": {"note": "x"}}, "legacy.Record", "extra") == {"note": "x"}


def test_the_rest_of_the_message_cannot_spoil_the_field(codec: Codec, shapes: Shapes) -> None:
    wire = message(shapes, EVERYTHING)
    wire.any.type_url = "x/no.Such"
    wire.a_string = "x"
    assert codec.response_decoder(EVERYTHING, response_body="a_string")(wire.SerializeToString())[0] == b'"x"'


def test_a_response_body_that_names_no_field(codec: Codec) -> None:
    with pytest.raises(BindingError, match=r"response_body `nope`: no field `nope` in kitchen\.Everything"):
        codec.response_decoder(EVERYTHING, response_body="nope")
    with pytest.raises(KeyError):
        codec.response_decoder("no.Such", response_body=None)


@pytest.mark.parametrize(
    ("content_type", "sent"),
    [
        ("text/html", "text/html"),
        ("application/jwk-set+json", "application/jwk-set+json"),
        ('image/png; name="a b"; q=1', 'image/png; name="a b"; q=1'),
        ("", "application/octet-stream"),
        ("html", "application/octet-stream"),
        ("text/html\r\nset-cookie: a=b", "application/octet-stream"),
        ("text/html; x=\n", "application/octet-stream"),
        ("text/é", "application/octet-stream"),
        ("text/" + "x" * 300, "application/octet-stream"),
        ("text/html" + "; " * 100 + "!", "application/octet-stream"),
    ],
)
def test_an_http_body_is_sent_as_it_is(codec: Codec, shapes: Shapes, content_type: str, sent: str) -> None:
    body = HttpBody(content_type=content_type, data=b"\xff\x00")
    decode = codec.response_decoder("google.api.HttpBody", response_body=None)
    assert decode(body.SerializeToString()) == (b"\xff\x00", sent)
    upload = message(shapes, "kitchen.Upload")
    upload.file.ParseFromString(body.SerializeToString())
    decode = codec.response_decoder("kitchen.Upload", response_body="file")
    assert decode(upload.SerializeToString()) == (b"\xff\x00", sent)
    assert decode(b"") == (b"", "application/octet-stream")
    error = error_of(lambda: decode(b"\x0a\x01\xff"))
    assert error is not None
    assert error.kind is INTERNAL_ERROR


def struct(shapes: Shapes, number: float) -> bytes:
    value = message(shapes, EVERYTHING)
    value.meta.fields["a"].number_value = number
    return bytes(value.SerializeToString())


def unprintable(shapes: Shapes) -> list[tuple[str, bytes]]:
    unknown, malformed = message(shapes, EVERYTHING), message(shapes, EVERYTHING)
    unknown.any.type_url = "type.googleapis.com/no.Such"
    malformed.any.type_url = "type.googleapis.com/kitchen.Address"
    malformed.any.value = b"\xff"
    late = message(shapes, EVERYTHING)
    late.at.seconds = 10**15
    mask = message(shapes, EVERYTHING)
    mask.mask.paths.append("fooBar")
    return [
        ("truncated", b"\x0a\xff"),
        ("invalid UTF-8", b"\x72\x01\xff"),
        ("nan in a Struct", struct(shapes, float("nan"))),
        ("infinity in a Struct", struct(shapes, float("inf"))),
        ("unknown Any", unknown.SerializeToString()),
        ("malformed Any", malformed.SerializeToString()),
        ("Timestamp out of range", late.SerializeToString()),
        ("path without a JSON form", mask.SerializeToString()),
    ]


def test_what_cannot_be_printed_is_an_internal_error(codec: Codec, shapes: Shapes) -> None:
    decode = codec.response_decoder(EVERYTHING, response_body=None)
    for case, wire in unprintable(shapes):
        with pytest.raises(TranscodeError) as caught:
            decode(wire)
        assert (caught.value.kind, caught.value.message) == (INTERNAL_ERROR, INTERNAL_MESSAGE), case
        assert caught.value.reason.startswith("cannot print kitchen.Everything: "), case


def test_deep_responses_are_answered(codec: Codec, shapes: Shapes) -> None:
    decode = codec.response_decoder(EVERYTHING, response_body=None)
    assert decode(nested(90))[0].count(b"{") == 91
    for depth in (200, 2000):
        error = error_of(lambda: decode(nested(depth)))  # noqa: B023
        assert error is not None
        assert error.kind is INTERNAL_ERROR


def nested(depth: int) -> bytes:
    wire = b""
    for _ in range(depth):
        wire = b"\x92\x01" + bytes(length(len(wire))) + wire
    return wire


def length(number: int) -> list[int]:
    out = []
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return [*out, number]
