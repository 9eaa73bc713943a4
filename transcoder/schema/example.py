"""What people and tools are shown of a message: an example in ProtoJSON, and a description of its fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from transcoder.schema.shape import EnumShape, FieldShape, Kind, MessageShape, Shapes

_MAX_FIELDS: Final = 1000
_MAX_DEPTH: Final = 10

_SCALARS: Final[Mapping[Kind, Any]] = {
    Kind.DOUBLE: 1.5,
    Kind.FLOAT: 1.5,
    Kind.INT32: 1,
    Kind.UINT32: 1,
    Kind.SINT32: 1,
    Kind.FIXED32: 1,
    Kind.SFIXED32: 1,
    Kind.INT64: "1",
    Kind.UINT64: "1",
    Kind.SINT64: "1",
    Kind.FIXED64: "1",
    Kind.SFIXED64: "1",
    Kind.BOOL: True,
    Kind.STRING: "string",
    Kind.BYTES: "Ynl0ZXM=",
}

_KEYS: Final[Mapping[Kind, str]] = {Kind.BOOL: "true", Kind.STRING: "key"}

_WELL_KNOWN: Final[Mapping[str, Any]] = {
    "google.protobuf.Any": {},
    "google.protobuf.BoolValue": _SCALARS[Kind.BOOL],
    "google.protobuf.BytesValue": _SCALARS[Kind.BYTES],
    "google.protobuf.DoubleValue": _SCALARS[Kind.DOUBLE],
    "google.protobuf.Duration": "1.500s",
    "google.protobuf.FieldMask": "fieldName",
    "google.protobuf.FloatValue": _SCALARS[Kind.FLOAT],
    "google.protobuf.Int32Value": _SCALARS[Kind.INT32],
    "google.protobuf.Int64Value": _SCALARS[Kind.INT64],
    "google.protobuf.ListValue": ["value"],
    "google.protobuf.StringValue": _SCALARS[Kind.STRING],
    "google.protobuf.Struct": {"key": "value"},
    "google.protobuf.Timestamp": "2030-01-01T00:00:00Z",
    "google.protobuf.UInt32Value": _SCALARS[Kind.UINT32],
    "google.protobuf.UInt64Value": _SCALARS[Kind.UINT64],
    "google.protobuf.Value": "value",
}


def example(shapes: Shapes, message: str) -> Any:
    """A ProtoJSON value the message accepts: one element in lists and maps, the first member of each oneof.

    A message is not shown inside itself, and a very large one not as a whole. KeyError if there is none.
    """
    return _Example(shapes).message(message, frozenset())


class _Example:
    """One example in the making; it stops growing after so many fields: wide schemas multiply with depth."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._fields_left = _MAX_FIELDS

    def message(self, full_name: str, parents: frozenset[str]) -> Any:
        if full_name in _WELL_KNOWN:
            return _WELL_KNOWN[full_name]
        inside = parents | {full_name}
        shown: dict[str, Any] = {}
        for field in _without_alternatives(self._shapes.message(full_name)):
            if self._is_shown(field, inside):
                self._fields_left -= 1
                shown[field.json_name] = self._field(field, inside)
        return shown

    def _is_shown(self, field: FieldShape, inside: frozenset[str]) -> bool:
        value = field.value or field
        fits = self._fields_left > 0 and len(inside) <= _MAX_DEPTH
        return fits and not (value.is_message and value.type_name in inside)

    def _field(self, field: FieldShape, inside: frozenset[str]) -> Any:
        if field.key is not None and field.value is not None:
            return {_KEYS.get(field.key.kind, "1"): self._value(field.value, inside)}
        value = self._value(field, inside)
        return [value] if field.is_repeated else value

    def _value(self, field: FieldShape, inside: frozenset[str]) -> Any:
        if field.type_name is None:
            return _SCALARS[field.kind]
        if field.kind is Kind.ENUM:
            return next(iter(self._shapes.enum(field.type_name).by_name))
        return self.message(field.type_name, inside)


def _without_alternatives(shape: MessageShape) -> list[FieldShape]:
    first: dict[str, FieldShape] = {}
    for field in shape.fields:
        if field.oneof is not None:
            first.setdefault(field.oneof, field)
    return [field for field in shape.fields if field.oneof is None or first[field.oneof] is field]


def describe(shapes: Shapes, message: str) -> dict[str, Any]:
    """The message's shape as JSON: `{"name", "fields": [...]}`; KeyError if there is none.

    A field has name, json_name, number, type (`string`, `repeated pkg.M`, `map<string, int32>`), required and
    optional (whether unset differs from the default); oneof if it is in one, values if it is an enum.
    """
    shape = shapes.message(message)
    return {"name": shape.full_name, "fields": [_described(shapes, field) for field in shape.fields]}


def _described(shapes: Shapes, field: FieldShape) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": field.name,
        "json_name": field.json_name,
        "number": field.number,
        "type": type_text(field),
        "required": field.is_required,
        "optional": field.has_presence and not field.is_required,
    }
    if field.oneof is not None:
        described["oneof"] = field.oneof
    value = field.value or field
    if value.kind is Kind.ENUM and value.type_name is not None:
        described["values"] = _values(shapes.enum(value.type_name))
    return described


def type_text(field: FieldShape) -> str:
    """The type of a field as a .proto file would say it, with full names."""
    if field.key is not None and field.value is not None:
        return f"map<{field.key.kind}, {type_text(field.value)}>"
    name = field.type_name or str(field.kind)
    return f"repeated {name}" if field.is_repeated else name


def _values(shape: EnumShape) -> list[dict[str, Any]]:
    return [{"name": name, "number": number} for name, number in shape.by_name.items()]
