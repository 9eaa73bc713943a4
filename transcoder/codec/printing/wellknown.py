"""The messages of google/protobuf that have a JSON form of their own (ProtoJSON, "Well-Known Types").

Each function takes a message and returns the JSON value; what has none is a ValueError.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from math import isfinite
from typing import Any, Final

from transcoder.codec.generated import define
from transcoder.codec.printing.printer import Print
from transcoder.codec.printing.scalars import HELPERS, SCALARS
from transcoder.codec.wellknown import (
    DURATION,
    FIELD_MASK,
    LIST_VALUE,
    STRUCT,
    TIMESTAMP,
    VALUE,
    WRAPPERS,
)
from transcoder.schema.shape import Kind

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_MINUTES_A_DAY: Final = 1440
_NANOS_A_SECOND: Final = 1_000_000_000
_LONGEST_DURATION: Final = 315_576_000_000
_HUMP: Final = re.compile("_(.?)", re.DOTALL)

_MINUTES: Final = tuple(f"T{minute // 60:02}:{minute % 60:02}:" for minute in range(_MINUTES_A_DAY))
_SECONDS: Final = tuple(f"{second:02}" for second in range(60))
_THOUSANDTHS: Final = tuple(f"{number:03}" for number in range(1000))


def well_known(full_name: str) -> Print | None:
    """The printer of a message with a JSON form of its own; None for others, and for Any."""
    return _PRINTERS.get(full_name)


def _timestamp(message: Any) -> str:
    seconds, nanos = message.seconds, message.nanos
    if not 0 <= nanos < _NANOS_A_SECOND:
        raise ValueError("Timestamp out of range")
    minute = seconds // 60
    date_and_minute = _date(minute // _MINUTES_A_DAY) + _MINUTES[minute % _MINUTES_A_DAY]
    return f"{date_and_minute}{_SECONDS[seconds % 60]}{_fraction(nanos) if nanos else ''}Z"


@lru_cache(maxsize=1024)
def _date(day: int) -> str:
    """A day since 1970 as YYYY-MM-DD: the years 1 to 9999, as of a Timestamp."""
    try:
        return date.fromordinal(day + _EPOCH_DAY).isoformat()
    except (ValueError, OverflowError):
        raise ValueError("Timestamp out of range") from None


def _fraction(nanos: int) -> str:
    """3, 6 or 9 digits after the point."""
    micros, rest = nanos // 1000, nanos % 1000
    text = f".{_THOUSANDTHS[micros // 1000]}"
    if rest:
        return f"{text}{_THOUSANDTHS[micros % 1000]}{_THOUSANDTHS[rest]}"
    return text + _THOUSANDTHS[micros % 1000] if micros % 1000 else text


def _duration(message: Any) -> str:
    seconds, nanos = message.seconds, message.nanos
    is_in_range = abs(seconds) <= _LONGEST_DURATION and abs(nanos) < _NANOS_A_SECOND
    if not is_in_range or seconds * nanos < 0:
        raise ValueError("Duration out of range")
    sign = "-" if seconds < 0 or nanos < 0 else ""
    return f"{sign}{abs(seconds)}{_fraction(abs(nanos)) if nanos else ''}s"


def _field_mask(message: Any) -> str:
    return ",".join(map(_camel_case, message.paths))


def _camel_case(path: str) -> str:
    if any(map(str.isupper, path)):
        raise ValueError("FieldMask path with a capital")
    return _HUMP.sub(_raised, path)


def _raised(hump: re.Match[str]) -> str:
    if not hump[1].islower():
        raise ValueError("FieldMask path without a letter after an underscore")
    return hump[1].upper()


def _value(message: Any) -> Any:
    kind = message.WhichOneof("kind")
    if kind == "string_value":
        return message.string_value
    if kind == "number_value":
        number = message.number_value
        if not isfinite(number):
            raise ValueError("number of a Value that is not finite")
        return number
    if kind == "struct_value":
        return _struct(message.struct_value)
    if kind == "list_value":
        return _list_value(message.list_value)
    return message.bool_value if kind == "bool_value" else None


def _struct(message: Any) -> dict[str, Any]:
    fields = message.fields
    return {key: _value(fields[key]) for key in fields}


def _list_value(message: Any) -> list[Any]:
    return [_value(item) for item in message.values]


def _wrapper(full_name: str, kind: Kind) -> Print:
    source = f"def unwrap(message):\n    value = message.value\n    return {SCALARS[kind].one}\n"
    unwrap: Print = define("unwrap", full_name, source, HELPERS)
    return unwrap


_PRINTERS: Final[Mapping[str, Print]] = {
    DURATION: _duration,
    FIELD_MASK: _field_mask,
    LIST_VALUE: _list_value,
    STRUCT: _struct,
    TIMESTAMP: _timestamp,
    VALUE: _value,
    **{name: _wrapper(name, kind) for name, kind in WRAPPERS.items()},
}
