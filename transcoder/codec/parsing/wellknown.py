"""The messages of google/protobuf that have a JSON form of their own (ProtoJSON, "Well-Known Types").

Encoders take the JSON value and return the serialized message, without tag and length.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import NoneType
from typing import Any, Final

from transcoder.codec import wire
from transcoder.codec.parsing import fields
from transcoder.codec.parsing.invalid import Invalid, invalid_value
from transcoder.codec.parsing.scalars import JSON_SCALARS, TEXT_SCALARS, ScalarEncoder, kind_tag
from transcoder.codec.wellknown import (
    ANY,
    DURATION,
    FIELD_MASK,
    LIST_VALUE,
    STRUCT,
    TIMESTAMP,
    VALUE,
    WRAPPERS,
)
from transcoder.schema.shape import Kind

MessageEncoder = Callable[[Any], bytes]
"""JSON value -> the serialized message; raises Invalid."""

_TIMESTAMP: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.([0-9]{1,9}))?"
    r"(?:Z|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
_DURATION: Final = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,9}))?s")
_EPOCH: Final = datetime(1970, 1, 1)
_FIRST_SECOND: Final = -62_135_596_800
_LAST_SECOND: Final = 253_402_300_799
_LONGEST_DURATION: Final = 315_576_000_000
_HUMP: Final = re.compile(r"[A-Z]")
_PATH: Final = re.compile(r"(?:^|,)([^,]*)")

_PACK_DOUBLE: Final = struct.Struct("<d").pack
_string: Final = JSON_SCALARS[Kind.STRING]


def well_known(full_name: str) -> MessageEncoder | None:
    """The encoder of a message with its own JSON form; None for others, and for Any: it needs the schema."""
    return _ENCODERS.get(full_name)


def has_own_form(full_name: str) -> bool:
    """True for messages whose JSON is not the object of their fields."""
    return full_name == ANY or full_name in _ENCODERS


def text_form(full_name: str) -> MessageEncoder | None:
    """The encoder of a message from the text of a path or query; None for messages without a string form."""
    return _TEXT_ENCODERS.get(full_name)


def _wrapper(kind: Kind, scalar: ScalarEncoder) -> MessageEncoder:
    tag = kind_tag(1, kind)

    def encode(value: Any) -> bytes:
        return tag + scalar(value)

    return encode


Moment = dict[str, int]
"""The fields of a Timestamp or Duration by name."""


def timestamp_parts(value: Any) -> Moment:
    """A Timestamp of RFC 3339."""
    match = _TIMESTAMP.fullmatch(value) if type(value) is str else None
    if match is None:
        raise invalid_value(TIMESTAMP)
    fraction, sign, hours, minutes = match.groups()
    try:
        since = datetime.fromisoformat(value[:19]) - _EPOCH
    except ValueError as error:
        raise invalid_value(TIMESTAMP) from error
    seconds = since.days * 86_400 + since.seconds
    if sign is not None:
        offset = int(hours) * 3600 + int(minutes) * 60
        seconds += offset if sign == "-" else -offset
        if not _FIRST_SECOND <= seconds <= _LAST_SECOND:
            raise invalid_value(TIMESTAMP)
    return {"seconds": seconds, "nanos": _nanos(fraction) if fraction else 0}


def duration_parts(value: Any) -> Moment:
    """A Duration in seconds, with an `s` behind them."""
    match = _DURATION.fullmatch(value) if type(value) is str else None
    if match is None:
        raise invalid_value(DURATION)
    sign, whole, fraction = match.groups()
    seconds, nanos = int(whole), _nanos(fraction) if fraction else 0
    if seconds > _LONGEST_DURATION:
        raise invalid_value(DURATION)
    return {"seconds": -seconds, "nanos": -nanos} if sign else {"seconds": seconds, "nanos": nanos}


def _moment(parts: Callable[[Any], Moment]) -> MessageEncoder:
    def encode(value: Any) -> bytes:
        moment = parts(value)
        out = b"\x08" + wire.signed_varint(moment["seconds"]) if moment["seconds"] else b""
        return out + b"\x10" + wire.signed_varint(moment["nanos"]) if moment["nanos"] else out

    return encode


def _nanos(fraction: str) -> int:
    return int(fraction.ljust(9, "0"))


def mask_of(paths: Iterable[str]) -> bytes:
    """A FieldMask of snake_case paths."""
    out = bytearray()
    for path in paths:
        out += b"\x0a" + _string(path)
    return bytes(out)


def _mask_encoder(to_path: Callable[[str], str]) -> MessageEncoder:
    def encode(value: Any) -> bytes:
        if type(value) is not str:
            raise invalid_value(FIELD_MASK)
        return mask_of(to_path(path[1]) for path in _PATH.finditer(value)) if value else b""

    return encode


def _camel_path(path: str) -> str:
    if not path or "_" in path:
        raise invalid_value(FIELD_MASK)
    return _HUMP.sub(_lowered, path)


def _any_case_path(path: str) -> str:
    return path if "_" in path else _camel_path(path)


def _lowered(hump: re.Match[str]) -> str:
    return f"_{hump[0].lower()}"


def _struct(value: Any) -> bytes:
    if type(value) is not dict:
        raise invalid_value(STRUCT)
    out = bytearray()
    for key, item in value.items():
        try:
            entry = b"\x0a" + _string(key) + b"\x12" + wire.delimited(_value(item))
        except Invalid as error:
            error.at(key)
            raise
        out += b"\x0a" + wire.delimited(entry)
    return bytes(out)


def _list_value(value: Any) -> bytes:
    if type(value) is not list:
        raise invalid_value(LIST_VALUE)
    return _values(value)


_values: Final = fields.repeated(lambda item: b"\x0a" + wire.delimited(_value(item)))


def _value(value: Any) -> bytes:
    return _VALUES[type(value)](value)


def _number(value: float) -> bytes:
    try:
        return b"\x11" + _PACK_DOUBLE(float(value))
    except OverflowError as error:
        raise invalid_value(VALUE) from error


_VALUES: Final[Mapping[type, MessageEncoder]] = {
    NoneType: lambda _: b"\x08\x00",
    float: _number,
    int: _number,
    str: lambda value: b"\x1a" + _string(value),
    bool: lambda value: b"\x20\x01" if value else b"\x20\x00",
    dict: lambda value: b"\x2a" + wire.delimited(_struct(value)),
    list: lambda value: b"\x32" + wire.delimited(_list_value(value)),
}
"""The encoders of a Value by what JSON has types for."""

_ENCODERS: Final[Mapping[str, MessageEncoder]] = {
    DURATION: _moment(duration_parts),
    FIELD_MASK: _mask_encoder(_camel_path),
    LIST_VALUE: _list_value,
    STRUCT: _struct,
    TIMESTAMP: _moment(timestamp_parts),
    VALUE: _value,
    **{name: _wrapper(kind, JSON_SCALARS[kind]) for name, kind in WRAPPERS.items()},
}

_TEXT_ENCODERS: Final[Mapping[str, MessageEncoder]] = {
    DURATION: _moment(duration_parts),
    FIELD_MASK: _mask_encoder(_any_case_path),
    TIMESTAMP: _moment(timestamp_parts),
    **{name: _wrapper(kind, TEXT_SCALARS[kind]) for name, kind in WRAPPERS.items()},
}
