"""Strict JSON text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcoder.codec.parsing.text import MAX_DEPTH, parse_json, read_json
from transcoder.errors import INVALID_ARGUMENT, TranscodeError

from .messages import error_of

ACCEPTED: list[tuple[bytes, Any]] = [
    (b' \t\r\n{"a": [1, -2.5, true, false, null, "x"]} ', {"a": [1, -2.5, True, False, None, "x"]}),
    (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
    ('"é"'.encode(), "é"),
    (b'"\\\\ud800"', "\\ud800"),
    (b"1e3", 1000.0),
    (b"9007199254740993.0", 9007199254740993),
    (b"1e16", 10**16),
    (b"9007199254740993.5", 9007199254740994.0),
    (b"1e-400", 0.0),
    (b"18446744073709551615", 2**64 - 1),
    (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, None),
    (b'"' + b"[{" * 200 + b'"', "[{" * 200),
    (b'{"a\\"[[[": "' + b"{" * 150 + b'"}', {'a"[[[': "{" * 150}),
    (b'["\\\\","' + b"[" * 300 + b'\\\\\\"","]"]', None),
]

REFUSED: list[tuple[bytes, str]] = [
    (b"", "line 1 column 1"),
    (b" ", "line 1 column 2"),
    (b"{", "line 1 column 2"),
    (b'{\n"a")', "line 2 column 4"),
    (b"[1,]", "line 1 column 4"),
    (b"{} {}", "line 1 column 4"),
    (b"'a'", "line 1 column 1"),
    (b"01", "line 1 column 2"),
    (b"+1", "line 1 column 1"),
    (b'"\x01"', "line 1 column 2"),
    (b"\xef\xbb\xbf{}", "line 1 column 1"),
    (b'"\xff\x80"', "not UTF-8"),
    (b'"\xed\xa0\x80"', "not UTF-8"),
    ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
    (b"NaN", "`NaN` is not a JSON value"),
    (b"[-Infinity]", "`-Infinity` is not a JSON value"),
    (b'{"a": 1, "b": 2, "\\u0061": 3}', "duplicate key `a`"),
    (b'[{"x": {"a": 1, "a": 1}}]', "duplicate key `a`"),
    (b'"\\ud800"', "lone surrogate in a string"),
    (b'{"\\uDFFF": 1}', "lone surrogate in a string"),
    (b'{"\\ud800": 1, "\\ud800": 1}', "duplicate key `?`"),
    (b"1e400", "number out of range"),
    (b"-1e400", "number out of range"),
    (b"1" * 5000, "number out of range"),
    (b"[" * 101 + b"]" * 101, "nested deeper than 100"),
    (b'{"a":' * 101 + b"1" + b"}" * 101, "nested deeper than 100"),
    (b'["[",' * 101 + b"1" + b"]" * 101, "nested deeper than 100"),
    (b'["\\\\","\\"]",' * 101 + b"1" + b"]" * 101, "nested deeper than 100"),
    (b"[" * 100_000, "nested deeper than 100"),
    (b"[" * 100_000 + b"]" * 100_000, "nested deeper than 100"),
]


@pytest.mark.parametrize(("body", "value"), ACCEPTED)
def test_accepts(body: bytes, value: Any) -> None:
    parsed = parse_json(body)
    assert value is None or (parsed == value and type(parsed) is type(value))


@pytest.mark.parametrize(("body", "problem"), REFUSED)
def test_refuses(body: bytes, problem: str) -> None:
    with pytest.raises(TranscodeError) as caught:
        parse_json(body)
    assert caught.value.kind is INVALID_ARGUMENT
    assert caught.value.message == f"malformed JSON: {problem}"


def test_a_long_key_is_cut_in_the_message() -> None:
    key = "k" * 1000
    with pytest.raises(TranscodeError) as caught:
        parse_json(f'{{"{key}": 1, "{key}": 2}}'.encode())
    assert caught.value.message == f"malformed JSON: duplicate key `{'k' * 100}...`"


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(-(2.0**53), 2.0**53, exclude_min=True, exclude_max=True)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON_VALUES)
def test_reads_what_the_standard_library_writes(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary())
def test_any_bytes_give_a_value_or_the_one_error(body: bytes) -> None:
    error = error_of(lambda: parse_json(body))
    assert error is None or error.kind is INVALID_ARGUMENT


@pytest.mark.parametrize(("body", "_value"), ACCEPTED)
def test_the_fast_parser_reads_the_same(body: bytes, _value: Any) -> None:
    assert same(read_json(body), parse_json(body))


@pytest.mark.parametrize(("body", "_problem"), REFUSED)
def test_the_fast_parser_refuses_the_same(body: bytes, _problem: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - it says no more
        read_json(body)


COLONS = [
    b'{"a": "b:c", ":": ":"}',
    b'[{"a" : "1:2"}, {"a"\n: "\\":"}]',
    b'{"\\\\":1,"b":{"c":":"}}',
    b'{"\\u00e9":"\\ud83d\\ude00:"}',
]
HIDDEN = [
    b'{"a":1,"a":"\\u003a"}',
    b'{"a":1,"a":"\\u003A"}',
    b'{"a":1,"\\u0061":":"}',
    b'[{"x":{"a":":","a":"::"}}]',
    b'{"a":"::::","a":1}',
]


@pytest.mark.parametrize("body", COLONS)
def test_colons_are_no_obstacle_to_the_fast_parser(body: bytes) -> None:
    assert read_json(body) == json.loads(body)


@pytest.mark.parametrize("body", HIDDEN)
def test_no_key_is_lost_behind_colons(body: bytes) -> None:
    with pytest.raises(ValueError, match="a key may be there twice"):
        read_json(body)


NUMBERS = [
    *("0", "-0", "-0.0", "1.0", "1e2", "0.1e1", "1e16", "1e300", "1e400", "1e-400"),
    *("9007199254740993", "9007199254740993.0", "9223372036854775808", "18446744073709551616"),
]
STRINGS = [*('"a"', '"b:"', '":"', '"\\":"', '"\\u0061"', '"\\u003a"', '"é"', '"\\\\"', '""')]
DAMAGE = [*'{}[],:"\\ \n019.-eE+', "\\ud800", "\ufeff", "\x00", "true", "null"]
PIECES = st.sampled_from([*NUMBERS, *STRINGS, *DAMAGE])


@st.composite
def documents(draw: st.DrawFn) -> str:
    """JSON with keys that may come twice, and spaces anywhere, damaged at times."""
    text = written(draw, 3)
    if draw(st.booleans()):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(PIECES) + text[at + draw(st.integers(0, 2)) :]
    return text


def written(draw: st.DrawFn, depth: int) -> str:
    kind = draw(st.integers(0, 4 if depth else 2))
    space = draw(st.sampled_from(["", "", " ", "\n\t"]))
    if kind == 0:
        return draw(st.sampled_from(STRINGS))
    if kind == 1:
        return draw(st.sampled_from(NUMBERS) | st.integers(-(2**70), 2**70).map(str))
    if kind == 2:
        return draw(st.sampled_from(["true", "false", "null"]))
    items = [written(draw, depth - 1) for _ in range(draw(st.integers(0, 3)))]
    if kind == 3:
        return f"[{space}{f'{space},'.join(items)}{space}]"
    return "{" + ",".join(f"{space}{draw(st.sampled_from(STRINGS))}{space}:{item}" for item in items) + "}"


@given(documents().map(str.encode) | st.lists(PIECES).map("".join).map(str.encode) | st.binary())
def test_the_fast_parser_reads_the_same_or_nothing(body: bytes) -> None:
    try:
        value = read_json(body)
    except ValueError:
        return
    assert same(value, parse_json(body))


def same(quick: Any, strict: Any) -> bool:
    """Whether two values are the same, but for digits that a float has lost."""
    if type(quick) is list and type(strict) is list:
        return len(quick) == len(strict) and all(map(same, quick, strict))
    if type(quick) is dict and type(strict) is dict:
        return quick.keys() == strict.keys() and all(same(quick[key], strict[key]) for key in quick)
    if type(quick) is float and type(strict) is int:
        return abs(strict) >= 2**53 and quick == float(strict)
    return type(quick) is type(strict) and str(quick) == str(strict)
