"""One field with all its values: tags and lengths around the encoder of a single value.

What may be many pieces is put to a bytearray: joining a list of a million holds the interpreter, as does
letting go of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transcoder.codec import wire
from transcoder.codec.parsing.invalid import Invalid

Encoder = Callable[[Any], bytes]
"""JSON value -> bytes; raises Invalid."""

Skipped = Callable[[Any], bool]
"""Whether a JSON value is to be left out."""


def single(tag: bytes, value: Encoder) -> Encoder:
    """A scalar after its tag."""

    def encode(item: Any) -> bytes:
        return tag + value(item)

    return encode


def skipping(skipped: Skipped | None, one: Encoder) -> Encoder:
    """One value, or nothing."""
    if skipped is None:
        return one
    return lambda item: b"" if skipped(item) else one(item)


def skipping_entries(skipped: Skipped | None, entries: Encoder) -> Encoder:
    """A JSON object without the members whose values are left out."""
    if skipped is None:
        return entries

    def encode(items: Any) -> bytes:
        if type(items) is dict:
            items = {name: item for name, item in items.items() if not skipped(item)}
        return entries(items)

    return encode


def message(tag: bytes, value: Encoder) -> Encoder:
    """A message after its tag and length."""

    def encode(item: Any) -> bytes:
        return tag + wire.delimited(value(item))

    return encode


def group(number: int, value: Encoder) -> Encoder:
    """A message between its two tags (proto2 groups, `DELIMITED` of editions)."""
    start, end = wire.tag(number, wire.START_GROUP), wire.tag(number, wire.END_GROUP)

    def encode(item: Any) -> bytes:
        return start + value(item) + end

    return encode


def repeated(one: Encoder) -> Encoder:
    """A JSON array whose elements are encoded alike, tags included, one after the other."""

    def encode(items: Any) -> bytes:
        if type(items) is not list:
            raise Invalid("expected an array")
        out, index = bytearray(), 0
        try:
            for item in items:
                out += one(item)
                index += 1
        except Invalid as error:
            error.at(index)
            raise
        return bytes(out)

    return encode


def packed(number: int, value: Encoder) -> Encoder:
    """A JSON array of scalars under one tag."""
    tag, values = wire.tag(number, wire.LENGTH), repeated(value)

    def encode(items: Any) -> bytes:
        payload = values(items)
        return tag + wire.delimited(payload) if payload else b""

    return encode


def mapping(number: int, key: Encoder, value: Encoder) -> Encoder:
    """A JSON object as map entries; key and value come with their tags.

    Two spellings of one key (`1` and `1.0`) are refused as duplicate keys are.
    """
    tag = wire.tag(number, wire.LENGTH)

    def encode(items: Any) -> bytes:
        if type(items) is not dict:
            raise Invalid("expected an object")
        entries: dict[bytes, bytes] = {}
        for name, item in items.items():
            try:
                entries[key(name)] = value(item)
            except Invalid as error:
                error.at(name)
                raise
        if len(entries) != len(items):
            raise Invalid("two spellings of one key")
        out = bytearray()
        for name, item in entries.items():
            out += tag + wire.delimited(name + item)
        return bytes(out)

    return encode
