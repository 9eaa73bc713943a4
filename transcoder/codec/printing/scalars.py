"""Scalars as JSON values: expressions for the text of printers, and the functions these call."""

from __future__ import annotations

import struct
from binascii import b2a_base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import copysign, isfinite
from typing import Any, Final

from transcoder.schema.shape import Kind

_MANY: Final = 64 * 1024
_FLOAT: Final = struct.Struct("<f")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """How the values of a field are printed. one: over `value`; many: over `values`, a repeated field."""

    one: str
    many: str

    @classmethod
    def from_one(cls, one: str) -> Expression:
        """Lists are printed element by element."""
        return cls(one=one, many=f"[{one} for value in values]")


def double(value: float) -> float | str:
    """A double; those that JSON has no numbers for are strings."""
    if isfinite(value):
        return value
    if value != value:  # noqa: PLR0124 - the definition of a NaN
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def listed(values: Sequence[Any]) -> list[Any]:
    """What a repeated field has; a long one element by element, as one call would hold the interpreter."""
    return list(values) if len(values) <= _MANY else [value for value in values]  # noqa: C416


def doubles(values: Sequence[float]) -> list[Any]:
    """A repeated double; one sum tells whether all of them are finite."""
    items = listed(values)
    return items if isfinite(sum(items)) else [double(item) for item in items]


def single(value: float) -> float | str:
    """A float32, by the fewest digits that are read back as the same one: six to nine."""
    if not isfinite(value):
        return double(value)
    if -100 < value < 100:
        short = round(value * 1e4) / 1e4  # no more than six digits, and most numbers that people write
        if _FLOAT.unpack(_FLOAT.pack(short))[0] == value:
            return copysign(short, value)
    seven = float(f"{value:.7g}")
    if _FLOAT.unpack(_FLOAT.pack(seven))[0] == value:
        six = float(f"{value:.6g}")
        return six if _FLOAT.unpack(_FLOAT.pack(six))[0] == value else seven
    eight = float(f"{value:.8g}")
    return eight if _FLOAT.unpack(_FLOAT.pack(eight))[0] == value else float(f"{value:.9g}")


def base64(value: bytes) -> str:
    """Bytes: the standard alphabet, padded."""
    return b2a_base64(value, newline=False).decode()


def repaired(value: object) -> str:
    """A string of a schema that does not check them (proto2) and is not UTF-8: it is read as bytes."""
    if not isinstance(value, bytes):
        raise TypeError(f"{type(value).__name__} has no JSON form")
    return value.decode(errors="replace")


HELPERS: Final[Mapping[str, Callable[..., Any]]] = {
    "base64": base64,
    "copysign": copysign,
    "double": double,
    "doubles": doubles,
    "listed": listed,
    "repaired": repaired,
    "single": single,
}
"""What the expressions call, by the names they use."""

AS_IT_IS: Final = Expression(one="value", many="listed(values)")
NULL: Final = Expression.from_one("None")
_TEXT: Final = Expression.from_one("str(value)")

SCALARS: Final[Mapping[Kind, Expression]] = {
    # an infinite number less itself is no number
    Kind.DOUBLE: Expression(
        one="value if value - value == 0.0 else double(value)",
        many="doubles(values)",
    ),
    Kind.FLOAT: Expression.from_one("single(value)"),
    Kind.BYTES: Expression.from_one("base64(value)"),
    **dict.fromkeys((Kind.BOOL, Kind.STRING), AS_IT_IS),
    **dict.fromkeys((Kind.INT32, Kind.UINT32, Kind.SINT32, Kind.FIXED32, Kind.SFIXED32), AS_IT_IS),
    **dict.fromkeys((Kind.INT64, Kind.UINT64, Kind.SINT64, Kind.FIXED64, Kind.SFIXED64), _TEXT),
}
"""All kinds but enums and messages. A string that is not UTF-8 is left to `repaired`."""


def key_expression(kind: Kind) -> str:
    """The key of a map entry, over `key`."""
    if kind is Kind.STRING:
        return "key if type(key) is str else repaired(key)"
    return "'true' if key else 'false'" if kind is Kind.BOOL else "str(key)"
