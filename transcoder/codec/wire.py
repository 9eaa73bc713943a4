"""The protobuf wire format: varints, tags, length prefixes (protobuf.dev/programming-guides/encoding)."""

from __future__ import annotations

from typing import Final

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
START_GROUP: Final = 3
END_GROUP: Final = 4
FIXED32: Final = 5

_ONE_BYTE: Final = tuple(bytes([number]) for number in range(0x80))


def varint(number: int) -> bytes:
    """A non-negative integer, seven bits a byte, lowest first."""
    if number < 0x80:
        return _ONE_BYTE[number]
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def signed_varint(number: int) -> bytes:
    """An int32, int64 or enum number: negative ones in two's complement of 64 bits."""
    return varint(number & 0xFFFF_FFFF_FFFF_FFFF)


def tag(number: int, wire_type: int) -> bytes:
    """What stands before the value of the field with this number."""
    return varint(number << 3 | wire_type)


def delimited(payload: bytes) -> bytes:
    """Bytes after their length."""
    size = len(payload)
    return (_ONE_BYTE[size] if size < 0x80 else varint(size)) + payload
