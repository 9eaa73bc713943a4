"""JSON objects: names, nulls, oneofs, lists, maps, groups, and where an error stands."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from transcoder.codec import Codec, JsonOptions
from transcoder.schema.shape import Shapes

from .messages import EVERYTHING, encoded, expected, refusal

ACCEPTED: list[dict[str, Any]] = [
    {},
    {"anInt32": 5, "a_string": "both spellings"},
    {"address": {}},
    {"address": {"city": "Bern", "zip_code": 3000}},
    {"itself": {"itself": {"itself": {"anInt32": 1}}}},
    {"maybeInt": 0, "maybeText": ""},
    {"left": ""},
    {"right": 0},
    {"middle": {}},
    {"nothing": None},
    {"left": None, "right": 1},
    {"numbers": []},
    {"numbers": [0, 1, -1]},
    {"tags": ["", "a", "a"]},
    {"sizes": ["SMALL", -2, 0]},
    {"addresses": [{}, {"city": "Bern"}]},
    {"loose": [1, 2.5]},
    {"labels": {}},
    {"labels": {"": "", "b": "2"}},
    {"byNumber": {"-1": {}, "2": {"city": "Bern"}}},
    {"byFlag": {"true": "SMALL", "false": 0}},
    {"byBig": {"18446744073709551615": None, "0": [1]}},
    {'a "custom" name': "x"},
    {"custom": "x", "class": "y"},
]


@pytest.mark.parametrize("value", ACCEPTED, ids=json.dumps)
def test_accepts_what_the_reference_does(codec: Codec, shapes: Shapes, value: dict[str, Any]) -> None:
    assert encoded(codec, shapes, EVERYTHING, value) == expected(shapes, EVERYTHING, value)


def test_null_is_unset(codec: Codec, shapes: Shapes) -> None:
    fields = [
        field
        for field in shapes.message(EVERYTHING).fields
        if field.name not in {"value", "null_value", "nothing"}
    ]
    value = {field.json_name: None for field in fields}
    assert encoded(codec, shapes, EVERYTHING, value) == expected(shapes, EVERYTHING, {})


def test_null_is_the_value_of_some_elements(codec: Codec, shapes: Shapes) -> None:
    message = encoded(codec, shapes, EVERYTHING, {"values": [None], "nulls": [None, 0], "nullValue": None})
    assert message.values[0].WhichOneof("kind") == "null_value"
    assert list(message.nulls) == [0, 0]


REFUSED: list[tuple[str, str]] = [
    ("[]", "invalid value for kitchen.Everything @ $"),
    ("null", "invalid value for kitchen.Everything @ $"),
    ('"x"', "invalid value for kitchen.Everything @ $"),
    ('{"nope": 1}', "no field `nope` in kitchen.Everything @ $"),
    ('{"AnInt32": 1}', "no field `AnInt32` in kitchen.Everything @ $"),
    ('{"itself": {"address": {"nope": 1}}}', "no field `nope` in kitchen.Address @ $.itself.address"),
    ('{"anInt32": 1, "an_int32": 1}', "`anInt32` and `an_int32` are one field @ $"),
    ('{"an_int32": 1, "anInt32": null}', "`an_int32` and `anInt32` are one field @ $"),
    ('{"left": "a", "right": 1}', "more than one field of oneof `choice` @ $"),
    ('{"left": "a", "nothing": null}', "more than one field of oneof `choice` @ $"),
    ('{"address": []}', "invalid value for kitchen.Address @ $.address"),
    ('{"numbers": 1}', "expected an array @ $.numbers"),
    ('{"numbers": {}}', "expected an array @ $.numbers"),
    ('{"numbers": [1, null]}', "invalid value for int32 @ $.numbers[1]"),
    ('{"numbers": [[1]]}', "invalid value for int32 @ $.numbers[0]"),
    ('{"tags": ["a", null]}', "invalid value for string @ $.tags[1]"),
    ('{"addresses": [{}, null]}', "invalid value for kitchen.Address @ $.addresses[1]"),
    ('{"addresses": [{}, {"zipCode": "x"}]}', "invalid value for int32 @ $.addresses[1].zipCode"),
    ('{"times": [null]}', "invalid value for google.protobuf.Timestamp @ $.times[0]"),
    ('{"labels": []}', "expected an object @ $.labels"),
    ('{"labels": {"a b": 1}}', 'invalid value for string @ $.labels["a b"]'),
    ('{"labels": {"a": null}}', "invalid value for string @ $.labels.a"),
    ('{"byNumber": {"x": {}}}', "invalid value for int32 @ $.byNumber.x"),
    ('{"byNumber": {"1": {}, "1.0": {}}}', "two spellings of one key @ $.byNumber"),
    ('{"byNumber": {"2147483648": {}}}', 'invalid value for int32 @ $.byNumber["2147483648"]'),
    ('{"byFlag": {"1": 0}}', 'invalid value for bool @ $.byFlag["1"]'),
    ('{"byBig": {"-1": 0}}', 'invalid value for uint64 @ $.byBig["-1"]'),
    ('{"[legacy.added]": 1}', "no field `[legacy.added]` in kitchen.Everything @ $"),
]


@pytest.mark.parametrize(("text", "problem"), REFUSED)
def test_refuses(codec: Codec, text: str, problem: str) -> None:
    assert refusal(codec, EVERYTHING, text) == problem


def test_a_long_name_is_cut_in_the_message(codec: Codec) -> None:
    text = json.dumps({"n" * 10_000: 1})
    assert refusal(codec, EVERYTHING, text) == f"no field `{'n' * 100}...` in kitchen.Everything @ $"


def test_unknown_fields_can_be_ignored_but_not_bad_values(shapes: Shapes) -> None:
    lenient = Codec(shapes, JsonOptions(unknown_fields="ignore"))
    value = {"nope": {"a": [1]}, "none": None, "address": {"city": "Bern", "planet": "Earth"}}
    assert encoded(lenient, shapes, EVERYTHING, value) == expected(
        shapes, EVERYTHING, {"address": {"city": "Bern"}}
    )
    assert refusal(lenient, EVERYTHING, '{"size": true}') == "invalid value for kitchen.Size @ $.size"


def test_unknown_names_are_not_remembered(shapes: Shapes) -> None:
    """Names are the client's: memory must not grow with them."""
    encode = Codec(shapes, JsonOptions(unknown_fields="ignore")).encode_json("kitchen.Address")
    tracemalloc.start()
    for number in range(100):
        encode(json.dumps({f"{number:010000}": 1, "city": "Bern"}).encode())
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 100_000


def test_groups_and_proto2(codec: Codec, shapes: Shapes) -> None:
    value = {
        "id": "1",
        "level": "LOW",
        "levels": ["HIGH"],
        "extra": {"note": "x"},
        "row": [{"cell": 1}, {}],
        "count": 0,
        "numbers": [1, 2],
        "byName": {"a": "ON"},
    }
    assert encoded(codec, shapes, "legacy.Record", value) == expected(shapes, "legacy.Record", value)
    problem = "invalid value for int32 @ $.row[1].cell"
    assert refusal(codec, "legacy.Record", '{"row": [{}, {"cell": "x"}]}') == problem


def test_extensions(codec: Codec, shapes: Shapes) -> None:
    record = encoded(codec, shapes, "legacy.Record", {"id": "1", "[legacy.added]": "x"})
    assert record.Extensions[shapes.pool.FindExtensionByName("legacy.added")] == "x"


@pytest.mark.parametrize("key", ["[legacy.added", "legacy.added]", "[legacy.nothing]", "[]", "["])
def test_what_is_no_extension_is_unknown(codec: Codec, key: str) -> None:
    problem = f"no field `{key}` in legacy.Record @ $"
    assert refusal(codec, "legacy.Record", json.dumps({key: "x"})) == problem


@pytest.mark.parametrize(
    ("value", "rest"),
    [
        ({"level": "TALL", "id": "1"}, {"id": "1"}),
        ({"levels": ["LOW", "TALL", 5]}, {"levels": ["LOW", "HIGH"]}),
        ({"byName": {"a": "ON", "b": "DIM"}}, {"byName": {"a": "ON"}}),
    ],
)
def test_unknown_names_of_enums_can_be_ignored(shapes: Shapes, value: object, rest: object) -> None:
    lenient = Codec(shapes, JsonOptions(unknown_fields="ignore"))
    assert encoded(lenient, shapes, "legacy.Record", value) == expected(shapes, "legacy.Record", rest)


def test_a_list_or_map_of_enums_is_still_one(shapes: Shapes) -> None:
    lenient = Codec(shapes, JsonOptions(unknown_fields="ignore"))
    assert refusal(lenient, EVERYTHING, '{"sizes": "SMALL"}') == "expected an array @ $.sizes"
    assert refusal(lenient, EVERYTHING, '{"byFlag": []}') == "expected an object @ $.byFlag"


def clashing() -> Shapes:
    """Two fields where the JSON name of one is the proto name of the other."""
    string, optional = FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.LABEL_OPTIONAL
    fields = [
        FieldDescriptorProto(name="one", json_name="two", number=1, type=string, label=optional),
        FieldDescriptorProto(name="two", json_name="three", number=2, type=string, label=optional),
    ]
    file = FileDescriptorProto(
        name="c.proto", package="c", syntax="proto3", message_type=[DescriptorProto(name="M", field=fields)]
    )
    pool = DescriptorPool()
    pool.Add(file)
    return Shapes(pool)


def test_the_json_name_wins_a_clash() -> None:
    shapes = clashing()
    codec = Codec(shapes, JsonOptions())
    message = encoded(codec, shapes, "c.M", {"two": "is one", "three": "is two"})
    assert (message.one, message.two) == ("is one", "is two")
    assert refusal(codec, "c.M", '{"one": "x", "two": "y"}') == "`one` and `two` are one field @ $"


def test_deep_but_legal_nesting(codec: Codec, shapes: Shapes) -> None:
    text = '{"itself":' * 99 + '{"value":1}' + "}" * 99
    assert codec.encode_json(EVERYTHING)(text.encode())
    text = '{"meta":' + '{"a":[' * 49 + "1" + "]}" * 49 + "}"
    assert codec.encode_json(EVERYTHING)(text.encode())
    too_deep = '{"itself":' * 101 + "{}" + "}" * 101
    assert refusal(codec, EVERYTHING, too_deep) == "malformed JSON: nested deeper than 100"


def test_an_unknown_message_is_a_key_error(codec: Codec) -> None:
    with pytest.raises(KeyError):
        codec.encode_json("no.Such")
