"""Long wire bytes to a message, slice by slice: no call into C holds the interpreter for long.

Reading fields after one another into a message is reading them together (protobuf.dev/programming-guides/
encoding, "Last One Wins"), so they can be cut between any two fields. A field that is long itself is a
message, into which its own fields are read, or it costs little for its length.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor

from transcoder.codec import wire

SLICE: Final = 64 * 1024
"""Bytes of the shortest slice."""

_DEEPEST: Final = 16
"""Levels whose fields are looked at one by one; what is long further down is read at once."""

_KEY: Final = 1
_VALUE: Final = 2
_FIXED: Final = {wire.FIXED32: 4, wire.FIXED64: 8}
_LONGEST_VARINT: Final = 10


def read_in_slices(cls: Any, message: bytes) -> Any:
    """The message of a class; raises google.protobuf.message.DecodeError as `FromString` does."""
    made = cls()
    _merge(made, message, 0)
    return made


def _merge(message: Any, payload: bytes, depth: int) -> None:
    """Read fields into a message. Methods are called on its class: a field may shadow them."""
    cls, start = type(message), 0
    by_number = cls.DESCRIPTOR.fields_by_number
    for number, begin, inner, end in _fields(payload):
        if end - start <= SLICE:
            continue
        is_long = end - inner > SLICE and payload[begin] & 7 == wire.LENGTH
        field = by_number.get(number) if is_long and depth < _DEEPEST else None
        if field is None or field.message_type is None or field.type == FieldDescriptor.TYPE_GROUP:
            cls.MergeFromString(message, payload[start:end])
        else:
            cls.MergeFromString(message, payload[start:begin])
            _merge_field(message, field, payload[begin:inner], payload[inner:end], depth + 1)
        start = end
    cls.MergeFromString(message, payload[start:])


def _merge_field(message: Any, field: FieldDescriptor, head: bytes, payload: bytes, depth: int) -> None:
    """Read a field that is a long message. head: its tag and length."""
    one, of_type = getattr(message, field.name), field.message_type
    if of_type is not None and of_type.GetOptions().map_entry:
        is_plain = of_type.fields_by_number[_VALUE].message_type is None
        key = None if is_plain else _begin_entry(message, field, payload)
        if key is None:
            type(message).MergeFromString(message, head + payload)
        else:
            _merge(one[key[0]], payload[key[1] :], depth)
    elif field.is_repeated:
        _merge(one.add(), payload, depth)
    else:
        type(one).SetInParent(one)
        _merge(one, payload, depth)


def _begin_entry(message: Any, field: FieldDescriptor, payload: bytes) -> tuple[Any, int] | None:
    """Put an entry of a map without its value, in the place of one that is there.

    Its key, and where the value begins; None if these are not all of the entry, in that order.
    """
    parts = list(_fields(payload))
    if [number for number, *_ in parts] != [_KEY, _VALUE] or parts[1][3] < len(payload):
        return None
    cls, bare = type(message), wire.tag(field.number, wire.LENGTH) + wire.delimited(payload[: parts[0][3]])
    keys = list(getattr(cls.FromString(bare), field.name))
    if not keys:
        return None  # of another wire type, which makes it an unknown field
    cls.MergeFromString(message, bare)
    return keys[0], parts[1][2]


def _fields(payload: bytes) -> Iterator[tuple[int, int, int, int]]:
    """The number of each field, where its tag, its value and the next field begin.

    Ends at a group, and where there is no wire format: who reads the rest will know.
    """
    at = 0
    while at < len(payload):
        begin = at
        try:
            tag, at = _varint(payload, begin)
            inner, end = _extent(payload, tag & 7, at)
        except IndexError:
            return
        if end > len(payload):
            return
        yield tag >> 3, begin, inner, end
        at = end


def _extent(payload: bytes, wire_type: int, at: int) -> tuple[int, int]:
    """Where a value begins and ends; IndexError if that cannot be said."""
    if wire_type == wire.LENGTH:
        length, inner = _varint(payload, at)
        return inner, inner + length
    if wire_type == wire.VARINT:
        return at, _varint(payload, at)[1]
    if wire_type in _FIXED:
        return at, at + _FIXED[wire_type]
    raise IndexError


def _varint(payload: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends; IndexError if it does not."""
    number = payload[at]
    if number < 0x80:
        return number, at + 1
    number &= 0x7F
    for index in range(1, _LONGEST_VARINT):
        byte = payload[at + index]
        number |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return number, at + index + 1
    raise IndexError
