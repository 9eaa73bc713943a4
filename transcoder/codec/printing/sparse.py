"""Printers that ask a message which fields it has, instead of asking for each field.

For types of so many fields that few of them are set, and for those whose fields are not known beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor

from transcoder.codec.printing.printer import Print, PrintAll, Printer, one_by_one
from transcoder.codec.printing.source import MessageSource, key_of, value_printer
from transcoder.schema.shape import FieldShape, Shapes

_DENSE: Final = 3
"""Where one of so many fields is set, it takes less time to read them all."""

Entry = tuple[str, Print | None]
"""The key of a field and what prints its value; None where the value is its JSON."""

ListFields = Callable[[Any], list[tuple[FieldDescriptor, Any]]]


class SparseSource:
    """Makes the functions for messages of one type. dense: makes those that read all fields."""

    def __init__(self, dense: MessageSource, shapes: Shapes) -> None:
        self._dense = dense
        self._shapes = shapes
        self._shape = dense.shape
        self._options = dense.options
        self._list_fields: ListFields = dense.cls.ListFields

    def one(self) -> Print:
        """message -> dict"""
        list_fields, entries, always = self._list_fields, _Entries(self._entry), self._always()

        def one(message: Any) -> dict[str, Any]:
            out = always.copy()
            for descriptor, value in list_fields(message):
                key, printed = entries[descriptor]
                out[key] = value if printed is None else printed(value)
            return out

        return one

    def many(self) -> PrintAll:
        """messages -> list of dicts; the first one tells how many fields the others are likely to have."""
        sparse = one_by_one(self.one())
        if self._shape.is_extendable:
            return sparse
        dense = Printer(self._dense.one, self._dense.many)
        list_fields, count = self._list_fields, len(self._shape.fields)

        def many(messages: Sequence[Any]) -> list[Any]:
            is_dense = messages and len(list_fields(messages[0])) * _DENSE > count
            return dense.many(messages) if is_dense else sparse(messages)

        return many

    def _entry(self, descriptor: FieldDescriptor) -> Entry:
        if descriptor.is_extension:
            shape = self._shapes.extension_numbered(self._shape.full_name, descriptor.number)
        else:
            shape = next(one for one in self._shape.fields if one.number == descriptor.number)
        return key_of(shape, self._options), value_printer(shape, self._dense.expression_of)

    def _always(self) -> dict[str, Any]:
        """What is printed of an empty message."""
        if not self._options.always_print_fields:
            return {}
        always = (shape for shape in self._shape.fields if shape.is_repeated or not shape.has_presence)
        return {key_of(shape, self._options): self._default(shape) for shape in always}

    def _default(self, shape: FieldShape) -> Any:
        if shape.is_repeated:
            return {} if shape.is_map else []
        value = getattr(self._dense.cls(), shape.name)
        printed = value_printer(shape, self._dense.expression_of)
        return value if printed is None else printed(value)


class _Entries(dict[FieldDescriptor, Entry]):
    """Those of the fields met so far."""

    def __init__(self, make: Callable[[FieldDescriptor], Entry]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, descriptor: FieldDescriptor) -> Entry:
        entry = self[descriptor] = self._make(descriptor)
        return entry
