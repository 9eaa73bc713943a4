"""References to the environment, and the types of plain scalars."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcoder.config.scalars import plain_value, substitute

ENVIRON = {"A": "1", "B_2": "two", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain $ text {a} $A", "plain $ text {a} $A"),
        ("${A}", "1"),
        ("x${A}y${B_2}z", "x1ytwoz"),
        ("${A:-other}", "1"),
        ("${NONE:-other}", "other"),
        ("${EMPTY:-other}", "other"),
        ("${NONE:-}", ""),
        ("${NONE:-a:-b}", "a:-b"),
        ("${EMPTY}", ""),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("$${", "${"),
    ],
)
def test_substitute(text: str, expected: str) -> None:
    assert substitute(text, ENVIRON) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${NONE}", "environment variable NONE is not set"),
        ("${NONE} ${A} ${OTHER}", "environment variable NONE, OTHER is not set"),
        ("${", "expected ${NAME} or ${NAME:-default}; write $${ for a literal ${"),
        ("${A", "expected ${NAME} or ${NAME:-default}; write $${ for a literal ${"),
        ("${}", "expected ${NAME} or ${NAME:-default}; write $${ for a literal ${"),
        ("${1A}", "expected ${NAME} or ${NAME:-default}; write $${ for a literal ${"),
        ("${A-b}", "expected ${NAME} or ${NAME:-default}; write $${ for a literal ${"),
        ("${A:-${B}}", "expected ${NAME} or ${NAME:-default}; write $${ for a literal ${"),
    ],
)
def test_no_reference(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        substitute(text, ENVIRON)
    assert str(caught.value) == message


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(ValueError, match="not UTF-8"):
        substitute("${X}", {"X": "\udcff"})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("on", "on"),
        ("10", 10),
        ("010", 10),
        ("-5", -5),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".inf", ".inf"),
        ("99999999999999999999", 1e20),
        ("30s", "30s"),
    ],
)
def test_plain_value(text: str, value: object) -> None:
    result = plain_value(text)
    assert result == value
    assert type(result) is type(value)


@given(st.text())
def test_any_text_is_some_value(text: str) -> None:
    assert isinstance(plain_value(text), str | int | float | None)
