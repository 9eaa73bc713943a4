"""The printers of one schema: each message type is compiled when the first message of it is printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from transcoder.codec.options import JsonOptions
from transcoder.codec.printing.scalars import AS_IT_IS, NULL, SCALARS, Expression
from transcoder.codec.printing.source import MessageSource, Slots, value_printer
from transcoder.codec.printing.wellknown import Print, well_known
from transcoder.codec.wellknown import ANY, NULL_VALUE
from transcoder.schema.classes import message_class
from transcoder.schema.shape import FieldShape, Kind, Shapes

PrintAll = Callable[[Iterable[Any]], list[Any]]
"""messages -> JSON values"""


class Printer:
    """Prints messages of one type: `one` a message, `many` a list of them.

    Each is made by its first call, so that types may contain themselves and cost nothing until then.
    """

    __slots__ = ("many", "one")

    def __init__(self, make_one: Callable[[], Print], make_many: Callable[[], PrintAll]) -> None:
        self.one: Print
        self.many: PrintAll

        def first(message: Any) -> Any:
            self.one = make_one()
            return self.one(message)

        def first_many(messages: Iterable[Any]) -> list[Any]:
            self.many = make_many()
            return self.many(messages)

        self.one, self.many = first, first_many


class Printers:
    """The printers of the messages of one schema. They raise ValueError for what has no JSON form.

    print_any: the printer of google.protobuf.Any, which may hold messages of other schemas.
    """

    def __init__(self, shapes: Shapes, options: JsonOptions, print_any: Print) -> None:
        self.shapes = shapes
        self._options = options
        self._print_any = print_any
        self._printers: dict[str, Printer] = {}

    def message(self, full_name: str) -> Printer:
        """The printer of a message; one that the schema does not have is a KeyError at its first call."""
        printer = self._printers.get(full_name)
        if printer is None:
            printer = self._printers[full_name] = self._printer(full_name)
        return printer

    def field(self, message: str, field: FieldShape) -> Printer:
        """The printer of one field of a message: its default if it is not set, null for a message."""
        return _printer_of(lambda: self._source(message).field(field))

    def own_form(self, full_name: str) -> Print | None:
        """The printer of a message whose JSON is not the object of its fields; None for others."""
        return self._print_any if full_name == ANY else well_known(full_name)

    def _printer(self, full_name: str) -> Printer:
        own_form = self.own_form(full_name)
        if own_form is not None:
            return _printer_of(lambda: own_form)
        return Printer(lambda: self._source(full_name).one(), lambda: self._source(full_name).many())

    def _source(self, full_name: str) -> MessageSource:
        shape = self.shapes.message(full_name)
        cls: Any = message_class(self.shapes.pool, full_name)
        add_extensions = self._extensions(full_name, cls.ListFields) if shape.is_extendable else None
        return MessageSource(shape, cls, self._options, self._expression, add_extensions)

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
        if self._options.enums_as_ints:
            return AS_IT_IS
        if full_name == NULL_VALUE:
            return NULL
        name_of = slots.constant(dict(self.shapes.enum(full_name).by_number).get)
        return Expression.from_one(f"{name_of}(value, value)")

    def _extensions(self, message: str, list_fields: Callable[[Any], Any]) -> Callable[[Any, Any], None]:
        """Adds the extensions that are set in a message to the dict of its fields."""
        known: dict[int, tuple[str, Print]] = {}

        def add(instance: Any, out: dict[str, Any]) -> None:
            for descriptor, value in list_fields(instance):
                if descriptor.is_extension:
                    number = descriptor.number
                    if number not in known:
                        shape = self.shapes.extension_numbered(message, number)
                        known[number] = shape.json_name, value_printer(shape, self._expression)
                    key, printed = known[number]
                    out[key] = printed(value)

        return add


def _printer_of(make_one: Callable[[], Print]) -> Printer:
    """A printer of lists element by element, for types that seldom are in long ones."""

    def make_many() -> PrintAll:
        one = make_one()
        return lambda messages: [one(message) for message in messages]

    return Printer(make_one, make_many)
