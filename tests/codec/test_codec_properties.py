"""The codec against json_format, over random schemas; and any input at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transcoder.codec import Codec, JsonOptions
from transcoder.errors import INTERNAL_ERROR, INVALID_ARGUMENT, UNSUPPORTED_MEDIA_TYPE, TranscodeError
from transcoder.schema.example import example
from transcoder.schema.shape import Shapes

from .messages import EVERYTHING, error_of, message
from .schemas import random_message, random_shapes

drawn_schemas = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@drawn_schemas
@given(st.data())
def test_what_is_printed_is_read_back(data: st.DataObject) -> None:
    shapes = data.draw(random_shapes())
    value = data.draw(random_message(shapes, "r.M0"))
    options = JsonOptions(
        preserve_proto_field_names=data.draw(st.booleans()),
        enums_as_ints=data.draw(st.booleans()),
        always_print_fields=data.draw(st.booleans()),
    )
    codec = Codec(shapes, options)
    text, _ = codec.response_decoder("r.M0", response_body=None)(value.SerializeToString())
    assert message(shapes, "r.M0", codec.encode_json("r.M0")(text)) == value
    reference = json_format.MessageToJson(value, descriptor_pool=shapes.pool)
    assert message(shapes, "r.M0", codec.encode_json("r.M0")(reference.encode())) == value


@drawn_schemas
@given(st.data())
def test_examples_of_any_schema_are_valid(data: st.DataObject) -> None:
    shapes = data.draw(random_shapes())
    Codec(shapes, JsonOptions()).encode_json("r.M0")(json.dumps(example(shapes, "r.M0")).encode())


STRICTER = {
    "[]": "an array is no message, even when it is empty",
    "[[]]": "nor is it one in a list",
    '""': "nor is an empty text",
    "true": "a bool is no number",
    "false": "a bool is no number",
    "1.5": "an enum has whole numbers",
    "[1.5]": "in lists as well",
    "4294967296": "and they do not wrap around",
    '"***"': "base64 is decoded whole, nothing is skipped",
    '"1970-01-01T00:00:00Z"': "base64 is decoded whole, nothing is skipped",
    '"1.5s"': "base64 is decoded whole, nothing is skipped",
    '"10.0"': "base64 is decoded whole, nothing is skipped",
    '"1_0"': "digits are not grouped",
    '"\u0661"': "digits are ASCII",
    '" 1"': "numbers are not padded",
    '"+1"': "JSON numbers have no plus",
    '"1."': "JSON numbers have digits on both sides of the point",
    '".5"': "JSON numbers have digits on both sides of the point",
    '"1e39"': "a float does not overflow to infinity",
    '"1e400"': "nor does a double",
    '"inf"': "infinity has one spelling",
    '",a"': "a mask has no empty paths",
}
LOOSER = {
    "9223372036854775807.0": "a whole number is exact however it is spelled",
    "[null]": "null is the value of a NullValue, in lists as well",
    "null": "a repeated Value that is null is unset, as every list is; json_format fails on it",
}
ALIKE = [
    *("0", "-1", "1.0", "-0.0", "1e300", "1e-400", "1e39", "18446744073709551615"),
    *("{}", "[{}]", "[1]", '["1"]', '["x"]', '{"a": 1}', '{"1": 1}', '{"1": null}'),
    *('"1"', '"-0"', '"1e1"', '"SMALL"', '"TWO"', '"true"', '"NaN"', '"-Infinity"', '"YQ=="', '"_"', '"a_b"'),
    *('{"true": "a"}', '{"city": "x"}', '{"@type": "x/google.protobuf.Duration", "value": "1s"}'),
]


@pytest.mark.parametrize("text", [*STRICTER, *LOOSER, *ALIKE])
def test_every_difference_to_json_format_is_known(codec: Codec, shapes: Shapes, text: str) -> None:
    encode = codec.encode_json(EVERYTHING)
    differences = set()
    for field in shapes.message(EVERYTHING).fields:
        body = f"{{{json.dumps(field.json_name)}: {text}}}"
        theirs = outcome(
            lambda: json_format.Parse(body, message(shapes, EVERYTHING), descriptor_pool=shapes.pool)  # noqa: B023
        )
        ours = outcome(lambda: message(shapes, EVERYTHING, encode(body.encode())))  # noqa: B023
        if ours is None and theirs is not None:
            differences.add("stricter")
        elif str(ours) != str(theirs):
            differences.add("looser")
    assert differences == ({"stricter"} if text in STRICTER else {"looser"} if text in LOOSER else set())


def outcome(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (TranscodeError, json_format.ParseError):
        return None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Objects with the keys of Everything, and values that may fit none of them."""
    names = [name for name in NAMES if draw(st.booleans())][:5]
    return json.dumps({name: draw(json_values) for name in names}).encode()


NAMES = [
    "aFloat",
    "an_int64",
    "size",
    "address",
    "numbers",
    "labels",
    "byNumber",
    "at",
    "mask",
    "meta",
    "any",
    "left",
]
PIECES = st.sampled_from(
    [*NAMES, "address.city", "itself.", ".", "=", "&", "%", "%41", "%ff", "+", ";", "1", "\ud800"]
)
texts = st.text() | st.lists(PIECES, max_size=12).map("".join)
content_types = st.sampled_from(["", "application/json"]) | st.text(max_size=20)


@settings(deadline=None, max_examples=300)
@given(
    rule=st.sampled_from([None, "*", "address", "numbers", "labels", "any", "value", "itself.meta"]),
    http_method=st.sampled_from(["PATCH", "POST"]),
    field=st.sampled_from(
        [None, "an_int32", "some_bytes", "at", "mask", "size", "address.city", "float_value"]
    ),
    body=st.binary() | bodies() | json_values.map(lambda value: json.dumps(value).encode()),
    content_type=content_types,
    value=texts,
    query=texts,
)
def test_any_request_is_encoded_or_refused(
    *,
    codec: Codec,
    shapes: Shapes,
    rule: str | None,
    http_method: str,
    field: str | None,
    body: bytes,
    content_type: str,
    value: str,
    query: str,
) -> None:
    encode = codec.request_encoder(EVERYTHING, http_method=http_method, body=rule, path_fields=[field])
    error = error_of(lambda: message(shapes, EVERYTHING, encode(body, content_type, [value], query)))
    if error is not None:
        assert error.kind in {INVALID_ARGUMENT, UNSUPPORTED_MEDIA_TYPE}
        assert error.message.encode()


@settings(deadline=None)
@given(wire=st.binary(), response_body=st.sampled_from([None, "an_int64", "any", "meta", "labels", "itself"]))
def test_any_response_is_printed_or_refused(codec: Codec, wire: bytes, response_body: str | None) -> None:
    decode = codec.response_decoder(EVERYTHING, response_body=response_body)
    error = error_of(lambda: json.loads(decode(wire)[0]))
    assert error is None or error.kind is INTERNAL_ERROR
