"""The fast encoders against the strict ones, which they must never contradict, and seldom need."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from operator import attrgetter
from threading import Barrier
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from tests.support.protos import Schema as Protos
from transcoder.codec import Codec, JsonOptions
from transcoder.codec.options import Unknown
from transcoder.codec.parsing.fast import FastEncoders
from transcoder.codec.parsing.invalid import Invalid
from transcoder.codec.parsing.message import MessageEncoders
from transcoder.codec.parsing.text import parse_json, read_json
from transcoder.errors import TranscodeError
from transcoder.schema.shape import Shapes

from .messages import EVERYTHING, message
from .schemas import random_message, random_shapes
from .test_codec_properties import ALIKE, LOOSER, STRICTER, drawn_schemas, json_values
from .test_message import ACCEPTED, REFUSED
from .test_wellknown import ACCEPTED as WELL_KNOWN
from .test_wellknown import REFUSED as NOT_WELL_KNOWN


@dataclass(frozen=True)
class Pair:
    """Both encoders of a schema. The answers are wire bytes in one order, None for a refusal."""

    shapes: Shapes
    strict: MessageEncoders
    fast: FastEncoders

    @classmethod
    def of(cls, shapes: Shapes, *, spelling: str = "json_name", unknown: Unknown = "reject") -> Pair:
        options = JsonOptions(unknown_fields=unknown)
        strict = MessageEncoders(shapes, options)
        return cls(shapes, strict, FastEncoders(shapes, strict, options, attrgetter(spelling)))

    def strictly(self, name: str, text: str) -> bytes | None:
        try:
            return self._ordered(name, self.strict.message(name)(parse_json(text.encode())))
        except (Invalid, TranscodeError):
            return None

    def quickly(self, name: str, text: str) -> bytes | None:
        try:
            wire = self.fast.message(name)(read_json(text.encode()))
        except Exception:
            return None
        return self._ordered(name, wire)

    def agree(self, name: str, text: str) -> bool:
        quick = self.quickly(name, text)
        return quick is None or quick == self.strictly(name, text)

    def is_fast(self, name: str, text: str) -> bool:
        quick = self.quickly(name, text)
        return quick is not None and quick == self.strictly(name, text)

    def _ordered(self, name: str, wire: bytes) -> bytes:
        return bytes(message(self.shapes, name, wire).SerializePartialToString(deterministic=True))


@pytest.fixture(scope="module", params=["json_name", "name"])
def pair(shapes: Shapes, request: pytest.FixtureRequest) -> Pair:
    return Pair.of(shapes, spelling=request.param)


@pytest.fixture(scope="module")
def usual(shapes: Shapes) -> Pair:
    return Pair.of(shapes)


LEFT_TO_THE_STRICT = [
    {"anInt32": 5, "a_string": "both spellings"},
    {"address": {"city": "Bern", "zip_code": 3000}},
    {"left": None, "right": 1},
    {'a "custom" name': "x"},
    {"custom": "x", "class": "y"},
]


@pytest.mark.parametrize(
    "value", [*ACCEPTED, *({field: value} for field, value in WELL_KNOWN)], ids=json.dumps
)
def test_usual_values_go_the_fast_way(usual: Pair, value: dict[str, Any]) -> None:
    text = json.dumps(value)
    quick = usual.quickly(EVERYTHING, text)
    assert quick == (None if value in LEFT_TO_THE_STRICT else usual.strictly(EVERYTHING, text))


@pytest.mark.parametrize(
    "text",
    [
        *(text for text, _ in REFUSED),
        *(f'{{"{field}": {text}}}' for field, text, _ in NOT_WELL_KNOWN),
    ],
)
def test_what_is_wrong_is_refused(usual: Pair, text: str) -> None:
    assert usual.quickly(EVERYTHING, text) is None


TEXTS = [
    *("null", "true", "[true]", "[false, true]", "[1, true]", "1.0", "[1.0]", "2.5", "[null]"),
    *('"abc"', '["x", "y"]', "[[]]", '{"a": null}', '{"a": true}', '{"a": "TWO"}', '{"x": {}}'),
    *("3.4028234663852886e38", "3.4028234663852887e38", "3.5e38", "[3.5e38]", '{"a": 3.5e38}', "-3.5e38"),
    *('{"1": {}, "1.0": {}}', '{"01": {}}', '{"true": 1, "false": "LARGE"}', '{"True": 1}'),
    *('"LARGE"', "-2", "99", '["LARGE", 99]', '[{"city": "x"}]', '{"city": true}', '{"city": null}'),
    *('"9223372036854775807"', '"9223372036854775808"', '"-1"', '"1e3"', f'"{"0" * 70}1"', '"\\u0665"'),
    *("9223372036854775808", "9007199254740993.0", "18446744073709551616", "1e18", "-0", "-0.0"),
    *('"YQ"', '["YQ", "-_"]', '{"a": "YQ"}', '"Y"', '"1.5s"', '"2024-02-30T00:00:00Z"', '"a,b"'),
    *('["1970-01-01T00:00:00Z"]', '[{"a": 1}]', '{"a": [{"b": null}]}', '{"seconds": 1}', '{"value": 1}'),
]


@pytest.mark.parametrize("text", [*STRICTER, *LOOSER, *ALIKE, *TEXTS])
def test_no_field_is_read_in_two_ways(pair: Pair, text: str) -> None:
    for field in pair.shapes.message(EVERYTHING).fields:
        assert pair.agree(EVERYTHING, f"{{{json.dumps(pair.fast.spell(field))}: {text}}}"), field.name


@pytest.mark.parametrize(
    "text",
    [
        '{"id": "1", "level": "LOW", "levels": ["HIGH"], "extra": {"note": "x"}, "row": [{"cell": 1}, {}]}',
        '{"id": "1", "count": 0, "numbers": [1, 2], "byName": {"a": "ON"}}',
    ],
)
def test_groups_and_closed_enums_go_the_fast_way(usual: Pair, text: str) -> None:
    assert usual.is_fast("legacy.Record", text)


@pytest.mark.parametrize("text", ['{"level": 2}', '{"levels": [1, 2]}', '{"byName": {"a": 5}}'])
def test_a_closed_enum_knows_all_its_numbers(usual: Pair, text: str) -> None:
    assert usual.quickly("legacy.Record", text) is None


def test_unknown_fields_are_dropped_the_fast_way(shapes: Shapes) -> None:
    pair = Pair.of(shapes, unknown="ignore")
    text = '{"nope": {"a": [1]}, "none": null, "addresses": [{"city": "Bern", "planet": "Earth"}]}'
    assert pair.is_fast(EVERYTHING, text)
    assert pair.quickly(EVERYTHING, '{"an_int32": 1}') is None
    assert pair.quickly(EVERYTHING, '{"addresses": [["city"]]}') is None
    assert pair.quickly(EVERYTHING, '{"size": "HUGE"}') is None
    assert pair.quickly("legacy.Record", '{"id": "1", "[legacy.added]": "x"}') is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("google.protobuf.Timestamp", '"2024-02-29T12:30:15.5Z"'),
        ("google.protobuf.Struct", '{"a": [1, null, {"b": "c"}]}'),
        ("google.protobuf.Any", '{"@type": "x/kitchen.Address", "city": "Bern"}'),
        ("google.protobuf.StringValue", '"x"'),
    ],
)
def test_forms_of_their_own_need_no_second_reading(usual: Pair, name: str, text: str) -> None:
    assert usual.quickly(EVERYTHING, f'{{"any": {{"@type": "x/{name}", "value": {text}}}}}') is not None
    assert usual.is_fast(name, text)


def test_what_is_far_away_and_what_has_very_many_fields_is_bytes_in_an_image() -> None:
    some = " ".join(f"int64 n{number} = {number};" for number in range(10, 30))
    many = " ".join(f"int64 n{number} = {number};" for number in range(1, 400))
    links = "".join(
        f"message M{number} {{ M{number + 1} next = 1; repeated M0 back = 2; Wide wide = 3; "
        f"double d = 4; {some} }}"
        for number in range(90)
    )
    schema = Protos.from_protos(
        f'syntax = "proto3"; package far; message Wide {{ {many} }} {links} message M90 {{ double d = 1; }}'
    )
    pair = Pair.of(Shapes(schema.pool))
    for depth in (1, 40, 90):
        text = '{"d": 1.5, "n20": "7", "wide": {"n7": "8"}, "back": [{"d": 1}, {}], "next": ' * depth
        text += '{"d": 2}' + "}" * depth
        assert pair.is_fast("far.M0", text)
        assert pair.quickly("far.M0", text.replace('{"d": 2}', '{"d": true}')) is None
    assert pair.is_fast("far.Wide", '{"n399": "5"}')


def test_names_that_an_image_uses_itself() -> None:
    schema = Protos.from_protos(
        """syntax = "proto3"; package mirror;
        message M1 { enum E { V = 0; E0 = 1; M0 = 2; } }
        message M0 {
          M1.E e = 1;
          M0 f1 = 2;
          string self = 3;
          int32 SerializeToString = 4;
          map<string, M1.E> M0Entry5 = 5;
        }
        """
    )
    text = '{"e": "E0", "f1": {"e": "V"}, "self": "x", "SerializeToString": 1, "M0Entry5": {"d": "M0"}}'
    assert Pair.of(Shapes(schema.pool)).is_fast("mirror.M0", text)


def test_first_uses_at_the_same_time(shapes: Shapes) -> None:
    """Bodies are read by the event loop and by a thread for big ones."""
    text = '{"address": {"city": "Bern"}, "byNumber": {"1": {}}, "anInt64": "5", "itself": {"aBool": true}}'
    for _ in range(20):
        pair = Pair.of(shapes)
        start = Barrier(4)

        def encode(text: str, pair: Pair = pair, start: Barrier = start) -> bytes | None:
            start.wait(10)
            return pair.quickly(EVERYTHING, text)

        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(encode, [text, text.replace("true", "1"), text, text]))
        right = pair.strictly(EVERYTHING, text)
        assert answers == [right, None, right, right]


def test_both_spellings_in_turn(codec: Codec, shapes: Shapes) -> None:
    encode = codec.encode_json(EVERYTHING)
    for text in (
        '{"anInt32": 1}',
        '{"an_int32": 1}',
        '{"an_int32": 1}',
        '{"anInt32": 1}',
        '{"anInt32": "1"}',
    ):
        assert message(shapes, EVERYTHING, encode(text.encode())).an_int32 == 1


@drawn_schemas
@given(st.data())
def test_what_is_printed_goes_the_fast_way(data: st.DataObject) -> None:
    shapes = data.draw(random_shapes())
    value = data.draw(random_message(shapes, "r.M0"))
    by_proto_name = data.draw(st.booleans())
    pair = Pair.of(shapes, spelling="name" if by_proto_name else "json_name")
    text = json_format.MessageToJson(
        value, preserving_proto_field_name=by_proto_name, descriptor_pool=shapes.pool
    )
    wire = value.SerializeToString(deterministic=True)
    assert pair.strictly("r.M0", text) == wire
    if not any(word in text for word in SELDOM):
        assert pair.quickly("r.M0", text) == wire


SELDOM = ('"NaN"', '"Infinity"', '"-Infinity"', "e+38")


@drawn_schemas
@given(st.data())
def test_what_is_changed_is_never_read_in_two_ways(data: st.DataObject) -> None:
    shapes = data.draw(random_shapes())
    pair = Pair.of(
        shapes,
        spelling=data.draw(st.sampled_from(["name", "json_name"])),
        unknown=data.draw(st.sampled_from(["reject", "ignore"])),
    )
    value = json_format.MessageToDict(data.draw(random_message(shapes, "r.M0")), descriptor_pool=shapes.pool)
    text = json.dumps(changed(data.draw, value))
    assert pair.agree("r.M0", text)


JUNK = st.sampled_from(
    [True, 0, 1, -1.0, "", "1", "1.0", "YQ", "abc", [], {}, [1], [True], {"1": 1}, 2**63, 3.5e38]
)


def changed(draw: Callable[[st.SearchStrategy[Any]], Any], value: Any) -> Any:
    """The value with something else at some places."""
    choice = draw(st.integers(0, 9))
    if choice == 0:
        return draw(JUNK | json_values)
    if choice == 1:
        return [value]
    if type(value) is dict:
        made = {key: changed(draw, item) for key, item in value.items()}
        return made | draw(st.sampled_from([{}, {}, {}, {"field_0": None}, {"field0": 1}, {"nope": None}]))
    if type(value) is list:
        return [changed(draw, item) for item in value]
    return value
