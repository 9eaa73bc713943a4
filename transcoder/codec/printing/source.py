"""The source text of printers: functions that read a message attribute by attribute into a dict.

Text holds slot names only: `c3` is a constant, `message.f3` an attribute that gets its name when the text is
compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import indent
from typing import Any, Final

from transcoder.codec.generated import define
from transcoder.codec.options import JsonOptions
from transcoder.codec.printing.scalars import HELPERS, Expression, key_expression
from transcoder.schema.shape import FieldShape, Kind, MessageShape

_ONE: Final = """\
def one(message):
    out = {{}}
{body}
    return out
"""
_MANY: Final = """\
def many(messages):
    printed = []
    for message in messages:
        out = {{}}
{body}
        printed.append(out)
    return printed
"""
_MARGIN: Final = " " * 4
_FEW: Final = 2
"""Each member of a oneof of so many is asked for; a larger oneof is asked which of them it has."""


@dataclass(frozen=True, slots=True)
class Slots:
    """What the names in one source text stand for."""

    constants: dict[str, Any] = field(default_factory=lambda: dict(HELPERS))
    attributes: dict[str, str] = field(default_factory=dict)

    def constant(self, value: Any) -> str:
        """A new name for a value."""
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name

    def attribute(self, name: str) -> str:
        """What reads the field of that name."""
        slot = f"f{len(self.attributes)}"
        self.attributes[slot] = name
        return f"message.{slot}"


ExpressionOf = Callable[[FieldShape, Slots], Expression]
"""How the elements of a field are printed; what the text refers to gets a slot."""

Function = Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSource:
    """Writes and compiles the functions for messages of one type.

    cls: their class, whose methods are called on it: a field may shadow them on an instance.
    """

    shape: MessageShape
    cls: Any
    options: JsonOptions
    expression_of: ExpressionOf

    def one(self) -> Function:
        """message -> dict"""
        return self._defined("one", _ONE, _MARGIN)

    def many(self) -> Function:
        """messages -> list of dicts"""
        return self._defined("many", _MANY, _MARGIN * 2)

    def field(self, shape: FieldShape) -> Function:
        """message -> the JSON of one field: its default if it is not set, null for a message."""
        slots = Slots()
        lines = [f"{_variable(shape)} = {slots.attribute(shape.name)}"]
        if shape.is_message and not shape.is_repeated:
            lines.append(f"if not {self._presence(shape, slots)}: return None")
        lines.append(f"return {_printed(shape, slots, self.expression_of)}")
        source = "\n".join(["def one(message):", *(_MARGIN + line for line in lines)])
        return _define("one", self.shape.full_name, source, slots)

    def _defined(self, name: str, template: str, margin: str) -> Function:
        slots = Slots()
        source = template.format(body=indent("\n".join(self._body(slots)), margin))
        return _define(name, self.shape.full_name, source, slots)

    def _body(self, slots: Slots) -> Iterator[str]:
        keys: set[str] = set()
        for group in _groups(self.shape.fields):
            if len(group) > _FEW:
                yield from self._choice(group, slots)
            else:
                for shape in group:
                    yield from self._member(shape, slots, is_first=self._key(shape) not in keys)
            keys.update(map(self._key, group))

    def _choice(self, members: Sequence[FieldShape], slots: Slots) -> Iterator[str]:
        """The member of a oneof that is set, if one is."""
        which = slots.constant(self.cls.WhichOneof)
        yield f"which = {which}(message, {slots.constant(members[0].oneof)})"
        for index, shape in enumerate(members):
            yield f"{'elif' if index else 'if'} which == {slots.constant(shape.name)}:"
            yield from self._assignment(shape, slots, _MARGIN)

    def _member(self, shape: FieldShape, slots: Slots, *, is_first: bool) -> Iterator[str]:
        """A field that is printed if it is set, or always. is_first: none before it has its key."""
        if shape.has_presence and not shape.is_repeated:
            yield f"if {self._presence(shape, slots)}:"
            yield from self._assignment(shape, slots, _MARGIN)
        elif self.options.always_print_fields and is_first:
            yield from self._assignment(shape, slots)
        else:
            read, write = self._assignment(shape, slots)
            yield read
            yield f"if {_is_set(shape)}:"
            yield _MARGIN + write

    def _key(self, shape: FieldShape) -> str:
        return key_of(shape, self.options)

    def _presence(self, shape: FieldShape, slots: Slots) -> str:
        return f"{slots.constant(self.cls.HasField)}(message, {slots.constant(shape.name)})"

    def _assignment(self, shape: FieldShape, slots: Slots, margin: str = "") -> tuple[str, str]:
        key = slots.constant(self._key(shape))
        return (
            f"{margin}{_variable(shape)} = {slots.attribute(shape.name)}",
            f"{margin}out[{key}] = {_printed(shape, slots, self.expression_of)}",
        )


def value_printer(shape: FieldShape, expression_of: ExpressionOf) -> Function | None:
    """The value of a field, or all of a repeated one -> JSON; None where that is the value itself."""
    slots = Slots()
    printed, variable = _printed(shape, slots, expression_of), _variable(shape)
    if printed == variable:
        return None
    return _define("one", shape.name, f"def one({variable}):\n    return {printed}\n", slots)


def key_of(shape: FieldShape, options: JsonOptions) -> str:
    """The key a field is printed under."""
    return shape.name if options.preserve_proto_field_names else shape.json_name


def _define(name: str, title: str, source: str, slots: Slots) -> Function:
    function: Function = define(name, title, source, slots.constants, slots.attributes)
    return function


def _groups(fields: Iterable[FieldShape]) -> Iterable[list[FieldShape]]:
    """Fields by their numbers; the members of a oneof together, where its first one stands."""
    groups: dict[str | int, list[FieldShape]] = {}
    for shape in sorted(fields, key=lambda shape: shape.number):
        groups.setdefault(shape.oneof or shape.number, []).append(shape)
    return groups.values()


def _printed(shape: FieldShape, slots: Slots, expression_of: ExpressionOf) -> str:
    """The expression of a whole field, over `value`, or over `values` if it is repeated."""
    if shape.key is not None and shape.value is not None:
        value = expression_of(shape.value, slots).one
        return f"{{{key_expression(shape.key.kind)}: {value} for key in values for value in [values[key]]}}"
    expression = expression_of(shape, slots)
    return expression.many if shape.is_repeated else expression.one


def _variable(shape: FieldShape) -> str:
    return "values" if shape.is_repeated else "value"


def _is_set(shape: FieldShape) -> str:
    if shape.kind in {Kind.DOUBLE, Kind.FLOAT} and not shape.is_repeated:
        return "value or copysign(1.0, value) < 0.0"  # a negative zero is not the default
    return _variable(shape)
