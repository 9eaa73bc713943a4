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
from threading import RLock
from typing import Any, Final
from weakref import ref

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
    """The functions of the messages of one mirror, each generated when it is first called."""

    def __init__(self, encoders: MessageEncoders, spell: Spelling, unknown: Unknown) -> None:
        self._encoders = encoders
        self._spell = spell
        self._drops_unknown = unknown == "ignore"
        self._lock = RLock()
        self._made: list[list[Prepare]] = []
        self._functions: dict[str, Prepare] = {}
        self._constants: dict[str, Any] = dict(_HELPERS)
        self._slots: dict[tuple[str, object], str] = {}

    def of(self, full_name: str) -> Prepare | None:
        """The function of a message that was added; None if its JSON is what its image takes."""
        return self._functions.get(full_name)

    def forget(self) -> None:
        """Let go of what was generated, which leads to itself; what is called again is generated again."""
        for made in self._made:
            made.clear()

    def add(self, images: Sequence[Image]) -> None:
        """Find out which of a batch of images need a function: for a field, or for one that leads to such."""
        waiting, before = list(reversed(images)), -1
        with self._lock:
            while len(waiting) != before:
                before = len(waiting)
                waiting = [image for image in waiting if not self._added(image)]

    def _added(self, image: Image) -> bool:
        is_needy = any(self._lines(image))
        if is_needy:
            name = image.shape.full_name
            self._functions[name] = self._late(image)
            self._slot("prepare", name, self._functions[name])
        return is_needy

    def _late(self, image: Image) -> Prepare:
        """A function that is generated when it is first called: recursion ends there, and most never are."""
        this, made = ref(self), list[Prepare]()
        self._made.append(made)

        def prepare(objects: Iterable[Any]) -> None:
            if not made and (keywords := this()) is not None:
                made.append(keywords._define(image))
            made[0](objects)

        return prepare

    def _define(self, image: Image) -> Prepare:
        lines = "".join(f"        {line}\n" for line in self._lines(image))
        source = f"def prepare(objects):\n    for d in objects:\n{lines}"
        with self._lock:
            made: Prepare = define("prepare", image.shape.full_name, source, self._constants)
        return made

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
