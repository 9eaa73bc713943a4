"""Long documents are decoded in pieces as they are in one."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.codec.messages import error_of
from transcoder.codec.parsing import pieces
from transcoder.codec.parsing.text import parse_json

STRINGS = st.text(st.sampled_from('a,:"\\[]{} é'), max_size=6)
VALUES = st.recursive(
    st.none() | st.integers(-3, 2**60) | st.floats(-1e6, 1e6) | STRINGS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(STRINGS, inner, max_size=5),
    max_leaves=40,
)
NOISE = st.lists(
    st.sampled_from(
        [
            *"[]{},:",
            "[",
            "]",
            ",",
            '"',
            "\\",
            '"a"',
            '"b":',
            '{"a":',
            " ",
            "1",
            "-2.5",
            "null",
            '"\\ud800"',
            "\n",
        ]
    ),
    max_size=30,
).map("".join)
DAMAGE = st.tuples(
    st.integers(0, 200), st.sampled_from(["", ",", "]", "}", "[", "{", '"', "\\", ":", ",,", "1"])
)


def outcome(body: bytes, piece: int) -> tuple[Any, str | None]:
    """The value or the error message of a body that is read in pieces of so many bytes at least."""
    read: list[Any] = []
    with patch.object(pieces, "PIECE", piece), patch("transcoder.codec.parsing.text.PIECE", piece):
        error = error_of(lambda: read.append(parse_json(body)))
    return (read[0] if read else None), error.message if error else None


def assert_same(body: bytes, piece: int) -> None:
    value, error = outcome(body, piece)
    expected, reason = outcome(body, 1 << 20)
    assert (error is None) == (reason is None), (error, reason)
    assert json.dumps(value) == json.dumps(expected)


@given(VALUES, st.integers(0, 40), st.sampled_from([None, 1]), st.booleans())
def test_what_is_written(value: Any, piece: int, indent: int | None, ascii_only: bool) -> None:
    body = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    assert_same(body, piece)
    assert outcome(body, piece) == (value, None)


@given(VALUES, DAMAGE, st.integers(0, 20))
def test_what_is_damaged(value: Any, damage: tuple[int, str], piece: int) -> None:
    text, (place, put) = json.dumps(value), damage
    assert_same((text[:place] + put + text[place + 1 :]).encode(), piece)
    assert_same((text[:place] + put + text[place:]).encode(), piece)


@given(NOISE, st.integers(0, 6))
@example("[1,]", 0)
@example("[,1]", 0)
@example("[1,,2]", 0)
@example("[1],", 0)
@example("1,2", 0)
@example('{"a":1,"a":2}', 0)
@example('{"a":[1,2],"b":3,"a":4}', 0)
@example('{"a":[1,2],"\\udfff":4}', 0)
@example('{"\\udfff":[1,2]}', 0)
@example('["\\ud800",2]', 0)
@example('{"a":{"b":[{"c":[1,2],"d":[3,4]},5],"e":6},"f":[7,8]}', 0)
@example("[[1,2},3]", 0)
@example("[1,2", 0)
@example('["a,b,2]', 0)
def test_any_text(text: str, piece: int) -> None:
    assert_same(text.encode(), piece)


@given(st.binary(max_size=40), st.integers(0, 6))
def test_any_bytes(body: bytes, piece: int) -> None:
    assert_same(body, piece)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'["\xc3\xa9",\n2,x]', "line 2 column 3"),
        (b"[1,2,]", "line 1 column 6"),
        (b"[1,2,\n  ]", "line 2 column 3"),
        (b"[1,2],3", "line 1 column 6"),
        (b"[1,2,[,3]", "line 1 column 7"),
        (b"[1,2", "line 1 column 5"),
    ],
)
def test_places_are_those_in_the_whole(body: bytes, place: str) -> None:
    _, message = outcome(body, 0)
    assert message == f"malformed JSON: {place}"
