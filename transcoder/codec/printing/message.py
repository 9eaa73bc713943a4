"""The printers of one schema: each message type is compiled when the first message of it is printed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final
from weakref import WeakValueDictionary

from transcoder.codec.options import JsonOptions
from transcoder.codec.printing.printer import Print, Printer, one_by_one
from transcoder.codec.printing.scalars import AS_IT_IS, NULL, SCALARS, Expression
from transcoder.codec.printing.source import MessageSource, Slots
from transcoder.codec.printing.sparse import SparseSource
from transcoder.codec.printing.wellknown import well_known
from transcoder.codec.wellknown import ANY, NULL_VALUE
from transcoder.schema.classes import message_class
from transcoder.schema.shape import FieldShape, Kind, Shapes

_MANY_FIELDS: Final = 16
"""Messages with more are asked which fields they have."""


class Printers:
    """The printers of the messages of one schema. They raise ValueError for what has no JSON form.

    any_printer: makes, for these, that of google.protobuf.Any, which may hold messages of other schemas.
    """

    def __init__(
        self, shapes: Shapes, options: JsonOptions, any_printer: Callable[[Printers], Print]
    ) -> None:
        self.shapes = shapes
        self.options = options
        self._any_printer = any_printer
        # theirs who use them: they refer back here
        self._printers: WeakValueDictionary[str, Printer] = WeakValueDictionary()

    def message(self, full_name: str) -> Printer:
        """The printer of a message; one that the schema does not have is a KeyError at its first call."""
        printer = self._printers.get(full_name)
        if printer is None:
            printer = self._printers[full_name] = self._printer(full_name)
        return printer

    def field(self, message: str, field: FieldShape) -> Printer:
        """The printer of one field of a message: its default if it is not set, null for a message."""
        compiled = cache(lambda: self._dense(message).field(field))
        return Printer(compiled, lambda: one_by_one(compiled()))

    def forget(self) -> None:
        """Let go of what was compiled: printers refer to each other where a type contains itself."""
        for printer in list(self._printers.values()):
            printer.forget()

    def own_form(self, full_name: str) -> Print | None:
        """The printer of a message whose JSON is not the object of its fields; None for others."""
        return self._any_printer(self) if full_name == ANY else well_known(full_name)

    def _printer(self, full_name: str) -> Printer:
        own_form = self.own_form(full_name)
        if own_form is not None:
            return Printer(lambda: own_form, lambda: one_by_one(own_form))
        source = cache(lambda: self._source(full_name))
        return Printer(lambda: source().one(), lambda: source().many())

    def _source(self, full_name: str) -> MessageSource | SparseSource:
        dense = self._dense(full_name)
        shape = dense.shape
        if len({field.json_name for field in shape.fields}) < len(shape.fields):
            return dense  # of two fields with one JSON name upb lists one for the other
        is_sparse = shape.is_extendable or len(shape.fields) > _MANY_FIELDS
        return SparseSource(dense, self.shapes) if is_sparse else dense

    def _dense(self, full_name: str) -> MessageSource:
        return MessageSource(
            shape=self.shapes.message(full_name),
            cls=message_class(self.shapes.pool, full_name),
            options=self.options,
            expression_of=self._expression,
        )

    def _expression(self, field: FieldShape, slots: Slots) -> Expression:
        """How the elements of a field are printed; what the text refers to gets a slot."""
        if field.type_name is None:
            return SCALARS[field.kind]
        if field.kind is Kind.ENUM:
            return self._enum(field.type_name, slots)
        own_form = self.own_form(field.type_name)
        if own_form is not None:
            return Expression.from_one(f"{slots.constant(own_form)}(value)")
        printer = slots.constant(self.message(field.type_name))
        return Expression(one=f"{printer}.one(value)", many=f"{printer}.many(values)")

    def _enum(self, full_name: str, slots: Slots) -> Expression:
        """Names; numbers without a name are printed as they are."""
        if self.options.enums_as_ints:
            return AS_IT_IS
        if full_name == NULL_VALUE:
            return NULL
        name_of = slots.constant(dict(self.shapes.enum(full_name).by_number).get)
        return Expression.from_one(f"{name_of}(value, value)")
