"""One scalar: a JSON value, or a text from a path or query, to the bytes after its tag (ProtoJSON mapping).

An encoder takes whatever JSON may hold and raises Invalid for all that is not a value of its type. Texts are
the string forms ProtoJSON knows, so text encoders are the JSON ones but for `bool`, which has none in JSON.
"""

from __future__ import annotations

import binascii
import math
import re
import struct
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from transcoder.codec import wire
from transcoder.codec.parsing.invalid import invalid_value
from transcoder.codec.wellknown import NULL_VALUE
from transcoder.schema.shape import EnumShape, FieldShape, Kind, Shapes

ScalarEncoder = Callable[[Any], bytes]


_EXACT: Final = 2**53
_INTEGER: Final = re.compile(r"-?[0-9]{1,64}")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,64}(?:\.[0-9]{1,64})?(?:[eE][+-]?[0-9]{1,4})?")
_FLOAT: Final = re.compile(r"-?[0-9]{1,1000}(?:\.[0-9]{1,1000})?(?:[eE][+-]?[0-9]{1,20})?")
_NOT_FINITE: Final[Mapping[str, float]] = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_URL_SAFE: Final = str.maketrans("-_", "+/")

_WIRE_TYPES: Final[Mapping[Kind, int]] = {
    Kind.DOUBLE: wire.FIXED64,
    Kind.FLOAT: wire.FIXED32,
    Kind.FIXED32: wire.FIXED32,
    Kind.SFIXED32: wire.FIXED32,
    Kind.FIXED64: wire.FIXED64,
    Kind.SFIXED64: wire.FIXED64,
    Kind.STRING: wire.LENGTH,
    Kind.BYTES: wire.LENGTH,
    Kind.MESSAGE: wire.LENGTH,
    Kind.GROUP: wire.START_GROUP,
}


def kind_tag(number: int, kind: Kind) -> bytes:
    """The tag of one value, not packed, of a field of that number and kind."""
    return wire.tag(number, _WIRE_TYPES.get(kind, wire.VARINT))


def json_scalar(shapes: Shapes, field: FieldShape) -> ScalarEncoder:
    """The encoder of one value of a scalar or enum field, from JSON."""
    if field.kind is Kind.ENUM and field.type_name is not None:
        return _enum_encoder(shapes.enum(field.type_name))
    return JSON_SCALARS[field.kind]


def unknown_name(shape: EnumShape) -> Callable[[Any], bool]:
    """Tells what could be the name of a value, but of none this enum has."""
    by_name = shape.by_name
    return lambda value: type(value) is str and value not in by_name and not _INTEGER.fullmatch(value)


def text_scalar(shapes: Shapes, field: FieldShape) -> ScalarEncoder:
    """The encoder of one value of a scalar or enum field, from the text of a path, a query or a map key."""
    if field.kind is Kind.ENUM:
        return json_scalar(shapes, field)
    return TEXT_SCALARS[field.kind]


def whole_number(value: Any, type_name: str) -> int:
    """An integer however ProtoJSON may spell it: 10, 10.0, 1e1, or one of them as a string."""
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer() and -_EXACT < value < _EXACT:
        return int(value)
    if type(value) is str:
        if _INTEGER.fullmatch(value):
            return int(value)
        if _DECIMAL.fullmatch(value):
            return _whole_decimal(Decimal(value), type_name)
    raise invalid_value(type_name)


def _whole_decimal(value: Decimal, type_name: str) -> int:
    whole = int(value)
    if whole != value:
        raise invalid_value(type_name)
    return whole


def real_number(value: Any, type_name: str) -> float:
    """A float as ProtoJSON spells it: a number, a number in a string, or NaN, Infinity, -Infinity in a
    string.
    """
    if type(value) is float:
        return value
    if type(value) is str:
        named = _NOT_FINITE.get(value)
        if named is not None:
            return named
        if not _FLOAT.fullmatch(value):
            raise invalid_value(type_name)
    elif type(value) is not int:
        raise invalid_value(type_name)
    return _finite(value, type_name)


def _finite(value: str | int, type_name: str) -> float:
    try:
        number = float(value)
    except OverflowError as error:
        raise invalid_value(type_name) from error
    if math.isinf(number):
        raise invalid_value(type_name)
    return number


def _integer_encoder(kind: Kind, low: int, high: int, write: Callable[[int], bytes]) -> ScalarEncoder:
    def encode(value: Any) -> bytes:
        number = value if type(value) is int else whole_number(value, kind)
        if low <= number <= high:
            return write(number)
        raise invalid_value(kind)

    return encode


def _zigzag(number: int) -> bytes:
    return wire.varint(number << 1 if number >= 0 else (~number << 1) | 1)


def _double(value: Any) -> bytes:
    return _PACK_DOUBLE(real_number(value, "double"))


def _float(value: Any) -> bytes:
    try:
        return _PACK_FLOAT(real_number(value, "float"))
    except OverflowError as error:
        raise invalid_value("float") from error


def _bool(value: Any) -> bytes:
    if value is True:
        return b"\x01"
    if value is False:
        return b"\x00"
    raise invalid_value("bool")


def _bool_text(value: Any) -> bytes:
    if value == "true":
        return b"\x01"
    if value == "false":
        return b"\x00"
    raise invalid_value("bool")


def _string(value: Any) -> bytes:
    if type(value) is not str:
        raise invalid_value("string")
    try:
        return wire.delimited(value.encode())
    except UnicodeEncodeError as error:
        raise invalid_value("string") from error


def octets(value: Any) -> bytes:
    """Base64, standard or URL-safe, padded or not; whatever else the lenient decoders skip is refused."""
    if type(value) is not str:
        raise invalid_value("bytes")
    text = value.translate(_URL_SAFE)
    if "=" not in text:
        text += "=" * (-len(text) % 4)
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise invalid_value("bytes") from error


def _bytes(value: Any) -> bytes:
    return wire.delimited(octets(value))


def _enum_encoder(shape: EnumShape) -> ScalarEncoder:
    by_name, known, takes_null = shape.by_name, shape.by_number, shape.full_name == NULL_VALUE

    def encode(value: Any) -> bytes:
        if type(value) is str and value in by_name:
            return wire.signed_varint(by_name[value])
        if value is None and takes_null:
            return b"\x00"
        number = _enum_number(value, shape.full_name)
        if shape.is_closed and number not in known:
            raise invalid_value(shape.full_name)
        return wire.signed_varint(number)

    return encode


def _enum_number(value: Any, type_name: str) -> int:
    if type(value) is str and not _INTEGER.fullmatch(value):
        raise invalid_value(type_name)
    number = whole_number(value, type_name)
    if -(2**31) <= number < 2**31:
        return number
    raise invalid_value(type_name)


_PACK_DOUBLE: Final = struct.Struct("<d").pack
_PACK_FLOAT: Final = struct.Struct("<f").pack
_INT32: Final = (-(2**31), 2**31 - 1)
_INT64: Final = (-(2**63), 2**63 - 1)
_UINT32: Final = (0, 2**32 - 1)
_UINT64: Final = (0, 2**64 - 1)

JSON_SCALARS: Final[Mapping[Kind, ScalarEncoder]] = {
    Kind.INT32: _integer_encoder(Kind.INT32, *_INT32, wire.signed_varint),
    Kind.INT64: _integer_encoder(Kind.INT64, *_INT64, wire.signed_varint),
    Kind.UINT32: _integer_encoder(Kind.UINT32, *_UINT32, wire.varint),
    Kind.UINT64: _integer_encoder(Kind.UINT64, *_UINT64, wire.varint),
    Kind.SINT32: _integer_encoder(Kind.SINT32, *_INT32, _zigzag),
    Kind.SINT64: _integer_encoder(Kind.SINT64, *_INT64, _zigzag),
    Kind.FIXED32: _integer_encoder(Kind.FIXED32, *_UINT32, struct.Struct("<I").pack),
    Kind.FIXED64: _integer_encoder(Kind.FIXED64, *_UINT64, struct.Struct("<Q").pack),
    Kind.SFIXED32: _integer_encoder(Kind.SFIXED32, *_INT32, struct.Struct("<i").pack),
    Kind.SFIXED64: _integer_encoder(Kind.SFIXED64, *_INT64, struct.Struct("<q").pack),
    Kind.DOUBLE: _double,
    Kind.FLOAT: _float,
    Kind.BOOL: _bool,
    Kind.STRING: _string,
    Kind.BYTES: _bytes,
}

TEXT_SCALARS: Final[Mapping[Kind, ScalarEncoder]] = {**JSON_SCALARS, Kind.BOOL: _bool_text}
