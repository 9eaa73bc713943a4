"""The update mask of a PATCH, filled in from its body (AIP-134; grpc-gateway's "patch feature")."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from transcoder.codec.parsing.scalars import unknown_name
from transcoder.codec.parsing.wellknown import has_own_form
from transcoder.codec.wellknown import ANY, FIELD_MASK, STRUCT, VALUE
from transcoder.schema.shape import FieldShape, Kind, MessageShape, Shapes

_FREE_FORM: Final = frozenset({STRUCT, VALUE})


def mask_field(shape: MessageShape) -> FieldShape | None:
    """The FieldMask of a request: `update_mask`, or the only one it has."""
    masks = [field for field in shape.fields if field.type_name == FIELD_MASK and not field.is_repeated]
    named = [field for field in masks if field.name == "update_mask"]
    found = named or masks
    return found[0] if len(found) == 1 else None


def has_paths(field: FieldShape) -> bool:
    """True for a body field whose JSON is an object of fields, so that a mask can tell them apart."""
    return field.is_message and not field.is_repeated and not has_own_form(field.type_name or ANY)


def mask_paths(shapes: Shapes, full_name: str, value: dict[str, Any]) -> list[str]:
    """The paths of the leaves in a JSON object, by proto names; lists, maps and empty objects are leaves."""
    shape = shapes.message(full_name)
    paths: list[str] = []
    for key, item in value.items():
        field = shape.field(key)
        if field is not None and not _is_left_out(shapes, field, item):
            paths += _prefixed(field.name, _paths_below(shapes, field, item))
    return paths


def _is_left_out(shapes: Shapes, field: FieldShape, item: Any) -> bool:
    """A name that the enum does not have, where such are ignored: the mask must not clear the field."""
    if field.kind is not Kind.ENUM or field.type_name is None:
        return False
    return unknown_name(shapes.enum(field.type_name))(item)


def _paths_below(shapes: Shapes, field: FieldShape, item: Any) -> Iterable[str]:
    if field.is_repeated or field.type_name is None or type(item) is not dict or not item:
        return ("",)
    if field.type_name in _FREE_FORM:
        return _free_paths(item)
    if has_own_form(field.type_name):
        return ("",)
    return mask_paths(shapes, field.type_name, item)


def _free_paths(value: dict[str, Any]) -> list[str]:
    paths: list[str] = []
    for key, item in value.items():
        paths += _prefixed(key, _free_paths(item) if type(item) is dict and item else ("",))
    return paths


def _prefixed(name: str, below: Iterable[str]) -> list[str]:
    return [f"{name}.{path}" if path else name for path in below]
