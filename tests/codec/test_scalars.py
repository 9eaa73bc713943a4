"""Scalars from JSON, and the numbers, texts and bytes that are none."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from transcoder.codec import Codec
from transcoder.schema.shape import Shapes

from .messages import EVERYTHING, encoded, message, refusal

INT32 = (-(2**31), 2**31 - 1)
INT64 = (-(2**63), 2**63 - 1)
UINT32 = (0, 2**32 - 1)
UINT64 = (0, 2**64 - 1)

RANGES = {
    "int32": INT32,
    "sint32": INT32,
    "sfixed32": INT32,
    "int64": INT64,
    "sint64": INT64,
    "sfixed64": INT64,
    "uint32": UINT32,
    "fixed32": UINT32,
    "uint64": UINT64,
    "fixed64": UINT64,
}


def field(kind: str) -> str:
    article = "an" if kind.startswith("i") else "a"
    return f"{article}_{kind}"


@pytest.mark.parametrize("kind", RANGES)
def test_integers_are_exact_to_the_ends_of_their_range(codec: Codec, shapes: Shapes, kind: str) -> None:
    low, high = RANGES[kind]
    for number in (low, low + 1, 0, 1, 127, 128, 300, high - 1, high):
        for spelled in (number, str(number)):
            parsed = encoded(codec, shapes, EVERYTHING, {field(kind): spelled})
            assert getattr(parsed, field(kind)) == number
    for number in (low - 1, high + 1, 10**40):
        for spelled in (str(number), f'"{number}"'):
            text = f'{{"{field(kind)}": {spelled}}}'
            assert refusal(codec, EVERYTHING, text) == f"invalid value for {kind} @ $.{field(kind)}"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("10.0", 10),
        ("1e1", 10),
        ("100E-1", 10),
        ('"10.0"', 10),
        ('"1e1"', 10),
        ('"1E+1"', 10),
        ('"100e-1"', 10),
        ('"010"', 10),
        ('"-10"', -10),
        ("-0", 0),
        ("9007199254740993.0", 9007199254740993),
        ("9.223372036854775807e18", 2**63 - 1),
        ('"9.223372036854775807e18"', 2**63 - 1),
    ],
)
def test_spellings_of_an_integer(codec: Codec, shapes: Shapes, text: str, number: int) -> None:
    wire = codec.encode_json(EVERYTHING)(f'{{"anInt64": {text}}}'.encode())
    assert message(shapes, EVERYTHING, wire).an_int64 == number


@pytest.mark.parametrize(
    "text",
    [
        "1.5",
        "true",
        '""',
        '" 1"',
        '"1 "',
        '"1_0"',
        '"0x1"',
        '"+1"',
        '"1.5"',
        '"1."',
        '".5"',
        '"1e"',
        '"1e-1"',
        '"١"',
        '"²"',
        '"NaN"',
        '"1e99999"',
        '"1e9999"',
        "9223372036854775808.0",
        "1e300",
        '"' + "9" * 5000 + '"',
        "[]",
        "{}",
        "[1]",
    ],
)
def test_what_is_no_integer(codec: Codec, text: str) -> None:
    assert refusal(codec, EVERYTHING, f'{{"anInt64": {text}}}') == "invalid value for int64 @ $.anInt64"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1.0),
        ("1.5", 1.5),
        ('"1.5"', 1.5),
        ('"-1.5e-3"', -0.0015),
        ('"Infinity"', math.inf),
        ('"-Infinity"', -math.inf),
        ("1e38", 1e38),
        ("3.4028234663852886e38", 3.4028234663852886e38),
        ("1e-50", 0.0),
        ("18014398509481984", 2.0**54),
    ],
)
def test_floats(codec: Codec, shapes: Shapes, text: str, number: float) -> None:
    value = {"aDouble": json.loads(text), "aFloat": json.loads(text)}
    parsed = encoded(codec, shapes, EVERYTHING, value)
    assert parsed.a_double == float(json.loads(text))
    assert parsed.a_float == pytest.approx(number, rel=1e-6)


def test_not_a_number(codec: Codec, shapes: Shapes) -> None:
    parsed = encoded(codec, shapes, EVERYTHING, {"aDouble": "NaN", "aFloat": "NaN"})
    assert math.isnan(parsed.a_double)
    assert math.isnan(parsed.a_float)


@pytest.mark.parametrize(
    "text", ['"nan"', '"inf"', '"1e400"', '" 1"', '"1_0"', '"1."', '"١"', "true", "[]", '""']
)
@pytest.mark.parametrize("kind", ["double", "float"])
def test_what_is_no_float(codec: Codec, kind: str, text: str) -> None:
    assert refusal(codec, EVERYTHING, f'{{"a_{kind}": {text}}}') == f"invalid value for {kind} @ $.a_{kind}"


@pytest.mark.parametrize("text", ["1e39", "-1e39", '"1e39"', "3.5e38"])
def test_a_float_does_not_overflow_to_infinity(codec: Codec, text: str) -> None:
    assert refusal(codec, EVERYTHING, f'{{"aFloat": {text}}}') == "invalid value for float @ $.aFloat"


def test_a_double_does_not_overflow_to_infinity(codec: Codec) -> None:
    text = f'{{"aDouble": 1{"0" * 400}}}'
    assert refusal(codec, EVERYTHING, text) == "invalid value for double @ $.aDouble"


def test_bools(codec: Codec, shapes: Shapes) -> None:
    assert encoded(codec, shapes, EVERYTHING, {"aBool": True}).a_bool is True
    assert encoded(codec, shapes, EVERYTHING, {"aBool": False}).a_bool is False
    for text in ("1", "0", '"true"', '"false"', "[]"):
        assert refusal(codec, EVERYTHING, f'{{"aBool": {text}}}') == "invalid value for bool @ $.aBool"


def test_strings(codec: Codec, shapes: Shapes) -> None:
    for text in ("", "x", "é\N{GRINNING FACE}\x00", "y" * 300):
        assert encoded(codec, shapes, EVERYTHING, {"aString": text}).a_string == text
    for text in ("1", "true", "[]", "{}"):
        assert refusal(codec, EVERYTHING, f'{{"aString": {text}}}') == "invalid value for string @ $.aString"


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", b""),
        ("YQ==", b"a"),
        ("YQ", b"a"),
        ("YWI", b"ab"),
        ("YWI=", b"ab"),
        ("-_-_", b"\xfb\xff\xbf"),
        ("+/+/", b"\xfb\xff\xbf"),
        ("-_8", b"\xfb\xff"),
    ],
)
def test_bytes_are_base64_of_either_alphabet(codec: Codec, shapes: Shapes, text: str, data: bytes) -> None:
    assert encoded(codec, shapes, EVERYTHING, {"someBytes": text}).some_bytes == data


@pytest.mark.parametrize(
    "text",
    ['"***"', '"Y"', '"YQ="', '"YQ==="', '"Y=Q="', '"YQ==YQ=="', '"YQ==\\n"', '" YQ=="', '"é"', "1", "[]"],
)
def test_what_is_no_base64(codec: Codec, text: str) -> None:
    assert refusal(codec, EVERYTHING, f'{{"someBytes": {text}}}') == "invalid value for bytes @ $.someBytes"


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("SMALL", 1),
        ("LITTLE", 1),
        ("LARGE", -2),
        (1, 1),
        (1.0, 1),
        (-2, -2),
        (99, 99),
        ("1", 1),
        (2**31 - 1, 2**31 - 1),
    ],
)
def test_enums(codec: Codec, shapes: Shapes, value: Any, number: int) -> None:
    assert encoded(codec, shapes, EVERYTHING, {"size": value}).size == number
    assert list(encoded(codec, shapes, EVERYTHING, {"sizes": [value, 0]}).sizes) == [number, 0]


@pytest.mark.parametrize(
    "text", ['"small"', '"HUGE"', '""', "true", "1.5", "2147483648", "-2147483649", "[]"]
)
def test_what_is_no_enum(codec: Codec, text: str) -> None:
    assert refusal(codec, EVERYTHING, f'{{"size": {text}}}') == "invalid value for kitchen.Size @ $.size"


def test_a_closed_enum_knows_all_its_numbers(codec: Codec, shapes: Shapes) -> None:
    assert encoded(codec, shapes, "legacy.Record", {"level": "HIGH", "levels": [1, 5]}).levels == [1, 5]
    problem = "invalid value for legacy.Level @ $.levels[1]"
    assert refusal(codec, "legacy.Record", '{"levels": [1, 2]}') == problem
