"""Which members of oneofs the parts of a request set: path, body and query together, at most one of each.

Concatenated on the wire the last of two members would win without a word, so a request that sets two is
refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from transcoder.codec.parsing.fields import Encoder
from transcoder.codec.parsing.invalid import Invalid
from transcoder.schema.shape import FieldShape, MessageShape, Shapes

FieldPath = tuple[FieldShape, ...]
Numbers = tuple[int, ...]
"""A field path as field numbers: the same however it was spelled."""

Choice = tuple[tuple[Numbers, str], int]
"""A oneof, as the path of its message and its name, and the number of the member that is set."""

Chosen = dict[tuple[Numbers, str], int]


def numbers_of(path: FieldPath) -> Numbers:
    """The field numbers along a path."""
    return tuple(field.number for field in path)


def choices_of(path: FieldPath) -> tuple[Choice, ...]:
    """What a value at the path decides: a oneof for every step that is a member of one."""
    numbers = numbers_of(path)
    return tuple(
        ((numbers[:depth], field.oneof), field.number) for depth, field in enumerate(path) if field.oneof
    )


def choose(chosen: Chosen, choices: Iterable[Choice]) -> None:
    """Add choices to those that were made. Raises Invalid if another member of a oneof is set already."""
    for oneof, member in choices:
        if chosen.setdefault(oneof, member) != member:
            raise more_than_one(oneof[1])


def more_than_one(oneof: str) -> Invalid:
    """The problem of a oneof of which two members are set."""
    return Invalid(f"more than one field of oneof `{oneof}`")


def rivals_of(shape: MessageShape, member: FieldShape) -> dict[int, str]:
    """The other members of a field's oneof, if it is in one: their numbers, and the oneof."""
    return {field.number: field.oneof for field in _rivals(shape, member) if field.oneof}


def beside_path(
    shapes: Shapes, message: str, paths: Sequence[FieldPath], body: FieldPath = ()
) -> Callable[[Encoder], Encoder]:
    """What makes encoders of JSON bodies refuse members of oneofs that the path decides.

    message: of the request; paths: what path variables bind in it; body: the field that is the body, none
    for the whole message.
    """
    checks = [check for path in paths for check in _checks(shapes, message, path, body)]
    if not checks:
        return lambda encode: encode

    def checked(encode: Encoder) -> Encoder:
        def check_and_encode(value: Any) -> bytes:
            for check in checks:
                check(value)
            return encode(value)

        return check_and_encode

    return checked


def _checks(
    shapes: Shapes, message: str, path: FieldPath, body: FieldPath
) -> Iterator[Callable[[Any], None]]:
    if numbers_of(path[: len(body)]) != numbers_of(body):
        return
    owners = [message, *(field.type_name or "" for field in path)]
    for depth in range(len(body), len(path)):
        shape = shapes.message(owners[depth])
        rivals = _rivals(shape, path[depth])
        keys = frozenset(key for key, field in shape.by_spelling.items() if field in rivals)
        if keys:
            yield _Check(steps=path[len(body) : depth], keys=keys, oneof=path[depth].oneof or "")


def _rivals(shape: MessageShape, member: FieldShape) -> list[FieldShape]:
    return [
        field for field in shape.fields if field.oneof == member.oneof is not None and field is not member
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Check:
    """Refuses JSON values in which a key of a oneof is set. steps: the way to the message of the oneof."""

    steps: FieldPath
    keys: frozenset[str]
    oneof: str

    def __call__(self, value: Any) -> None:
        for step in self.steps:
            if type(value) is dict:
                value = value.get(step.json_name, value.get(step.name))
        if type(value) is not dict:
            return
        for key in self.keys:
            if value.get(key) is not None:
                raise self._refused(key)

    def _refused(self, key: str) -> Invalid:
        error = more_than_one(self.oneof)
        error.at(key)
        for step in reversed(self.steps):
            error.at(step.json_name)
        return error
