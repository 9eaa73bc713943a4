"""Numbers as JSON: the special ones, and as few digits as a float needs."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import pytest
from google.protobuf.internal.type_checkers import ToShortestFloat
from hypothesis import given, settings
from hypothesis import strategies as st

from transcoder.codec.printing.scalars import doubles, repaired, single


@pytest.mark.parametrize("value", [0.1, 99.9999, 99.99999, 100.5, 1e-45, 3.4028234663852886e38, 16777216.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_floats_have_the_digits_of_json_format(value: float, sign: int) -> None:
    assert_shortest(sign * as_float32(value))


@settings(max_examples=2000)
@given(
    st.floats(width=32, allow_nan=False, allow_infinity=False)
    | st.integers(-(10**7), 10**7).map(lambda n: n / 1e4)
)
def test_any_float_has_the_digits_of_json_format(value: float) -> None:
    assert_shortest(as_float32(value))


def assert_shortest(value: float) -> None:
    assert repr(single(value)) == repr(ToShortestFloat(value))


def as_float32(value: float) -> float:
    number: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return number


@pytest.mark.parametrize("print_one", [single, lambda value: doubles([1.0, value])[1]])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.inf, '"Infinity"'),
        (-math.inf, '"-Infinity"'),
        (math.nan, '"NaN"'),
        (-0.0, "-0.0"),
        (0.0, "0.0"),
        (1.5, "1.5"),
    ],
)
def test_special_numbers(print_one: Any, value: float, text: str) -> None:
    assert json.dumps(print_one(value)) == text


def test_a_sum_that_overflows_makes_no_number_special() -> None:
    assert doubles([1e308, 1e308]) == [1e308, 1e308]
    assert doubles([math.inf, -math.inf, 1.0]) == ["Infinity", "-Infinity", 1.0]


def test_only_bytes_are_repaired() -> None:
    assert repaired(b"a\xffb") == "a\N{REPLACEMENT CHARACTER}b"
    with pytest.raises(TypeError, match="object has no JSON form"):
        repaired(object())
