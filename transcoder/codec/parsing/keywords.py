"""Parsed JSON to the keyword arguments of an image: one function per message, generated.

The functions change JSON objects in place. They do what a `mirror` cannot: base64, 64-bit integers in
strings, messages with a JSON form of their own, map keys; and refuse what it would take too lightly. What is
legal but rare they refuse, too, with any exception: the strict encoders have the last word. What needs no
work has no line, and a message without a line has no function.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from transcoder.codec.generated import define
from transcoder.codec.options import Unknown
from transcoder.codec.parsing import emit
from transcoder.codec.parsing.emit import NOTHING, OF_KIND, OF_NULL_VALUE, Work
from transcoder.codec.parsing.message import MessageEncoders, takes_null
from transcoder.codec.parsing.mirror import Image, Spelling, value_of
from transcoder.codec.parsing.scalars import octets, whole_number
from transcoder.codec.parsing.wellknown import duration_parts, timestamp_parts
from transcoder.codec.wellknown import DURATION, NULL_VALUE, TIMESTAMP
from transcoder.schema.shape import FieldShape, Kind, MessageShape

Prepare = Callable[[Iterable[Any]], None]
"""Turns JSON objects into the keyword arguments of images; raises anything for what it does not know."""


class Unlikely(ValueError):  # noqa: N818 - what a value is, not an error of the program
    """The value is wrong, or right in a way that only the strict encoders know."""


class Keywords:
    """The functions of the messages of one mirror."""

    def __init__(self, encoders: MessageEncoders, spell: Spelling, unknown: Unknown) -> None:
        self._encoders = encoders
        self._spell = spell
        self._drops_unknown = unknown == "ignore"
        self._functions: dict[str, Prepare] = {}
        self._constants: dict[str, Any] = dict(_HELPERS)
        self._slots: dict[tuple[str, object], str] = {}

    def of(self, full_name: str) -> Prepare | None:
        """The function of a message that was added; None if its JSON is what its image takes."""
        return self._functions.get(full_name)

    def add(self, images: Sequence[Image]) -> None:
        """Generate the functions of a batch of images, which lead to each other and to earlier ones."""
        needy = self._needy(images)
        if not needy:
            return
        lines = [line for image in needy for line in self._function(image)]
        slots = [self._slots["prepare", image.shape.full_name] for image in needy]
        lines.append(f"made = [{', '.join(slots)}]")
        made = define("made", images[0].shape.full_name, "\n".join(lines), self._constants)
        self._functions |= zip([image.shape.full_name for image in needy], made, strict=True)
        self._constants |= zip(slots, made, strict=True)

    def _needy(self, images: Sequence[Image]) -> list[Image]:
        """Those that need work, at a field of their own or in a message that one leads to."""
        needy: list[Image] = []
        waiting = list(images)
        while found := [image for image in waiting if any(self._lines(image))]:
            for image in found:
                self._slot("prepare", image.shape.full_name)
            waiting = [image for image in waiting if image not in found]
            needy += found
        return needy

    def _function(self, image: Image) -> Iterator[str]:
        yield f"def {self._slots['prepare', image.shape.full_name]}(objects):"
        yield "    for d in objects:"
        for line in self._lines(image):
            yield f"        {line}"

    def _lines(self, image: Image) -> Iterator[str]:
        keys = {self._spell(field): field for field in image.fields}
        if self._drops_unknown:
            is_known = self._slot("known", image.name, frozenset(keys).issuperset)
            yield from emit.without_unknown(
                is_known, self._slot("drop", image.name, partial(_drop, image.shape, keys))
            )
        for members in _oneofs(keys):
            yield from emit.one_of(self._slot("oneof", (image.name, members), members))
        for key, field in keys.items():
            yield from self._field(self._slot("key", key, key), field, self._work(image, field))

    def _field(self, key: str, field: FieldShape, work: Work) -> Iterator[str]:
        if field.key is not None:
            return emit.mapping(key, field.key.kind, work)
        if field.is_repeated:
            return emit.repeated(key, work)
        return emit.single_or_null(key, work) if takes_null(field) else emit.single(key, work)

    def _work(self, image: Image, field: FieldShape) -> Work:
        value = value_of(field)
        name = value.type_name or ""
        if field.number in image.opaque:
            return Work(convert=f"{self._slot('encode', name, self._encoders.message(name))}({{0}})")
        if name in _PARTS:
            return Work(convert=_PARTS[name])
        if value.is_message:
            visit = self._slots.get(("prepare", name))
            return Work(visit=visit) if visit else NOTHING
        return OF_NULL_VALUE if name == NULL_VALUE else OF_KIND.get(value.kind, NOTHING)

    def _slot(self, role: str, thing: object, constant: Any = None) -> str:
        """The name that generated code has for something."""
        slot = self._slots.setdefault((role, thing), f"{role}_{len(self._slots)}")
        self._constants[slot] = constant
        return slot


def _oneofs(keys: Mapping[str, FieldShape]) -> list[frozenset[str]]:
    """The keys of each oneof that has more than one member."""
    members: dict[str, set[str]] = {}
    for key, field in keys.items():
        if field.oneof is not None:
            members.setdefault(field.oneof, set()).add(key)
    return [frozenset(one) for one in members.values() if len(one) > 1]


def _drop(shape: MessageShape, keys: Container[str], value: dict[str, Any]) -> None:
    """Remove what the schema does not know; raise Unlikely for what only the image does not know.

    That may be another spelling, or an extension, whose name is in brackets.
    """
    for key in [key for key in value if key not in keys]:
        if shape.field(key) is not None or key.startswith("["):
            raise Unlikely
        del value[key]


def _whole(text: Any) -> int:
    return whole_number(text, Kind.INT64)


_PARTS: Final[Mapping[str, str]] = {DURATION: "duration({0})", TIMESTAMP: "timestamp({0})"}
_HELPERS: Final[Mapping[str, Any]] = {
    "duration": duration_parts,
    "timestamp": timestamp_parts,
    "Unlikely": Unlikely,
    "LARGEST": struct.unpack("<f", b"\xff\xff\x7f\x7f")[0],
    "FLAGS": {"true": True, "false": False},
    "octets": octets,
    "whole": _whole,
}
