"""google.protobuf.Any: a message whose type is known only when it comes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

from google.protobuf.descriptor_pool import DescriptorPool

from transcoder.codec.printing.message import Printers
from transcoder.codec.printing.printer import Print
from transcoder.schema.classes import message_class
from transcoder.schema.pool import shipped_file
from transcoder.schema.shape import Shapes

_GOOGLE_FILES: Final = (
    *(f"google/protobuf/{name}.proto" for name in ("any", "duration", "empty", "field_mask", "struct")),
    *(f"google/protobuf/{name}.proto" for name in ("timestamp", "wrappers")),
    *(f"google/rpc/{name}.proto" for name in ("error_details", "status")),
)
"""What an Any may hold though the schema does not know it; imports before importers."""

PrintContent = Callable[[bytes], dict[str, Any]]
"""The content of an Any -> what stands beside its `@type`."""


class AnyPrinter:
    """Prints an Any whose type is in the schema, or else one of google.rpc's own.

    printers: those of the schema. They do not refer to this one, or none would ever be freed by itself.
    """

    def __init__(self, printers: Printers) -> None:
        self._printers = printers
        self._contents: dict[str, PrintContent] = {}

    def print(self, message: Any) -> dict[str, Any]:
        """The fields of the content beside its `@type`, or under `value` what has a JSON form of its own.

        Raises ValueError for a type nobody knows, DecodeError for bytes that are no message of it.
        """
        url, content = message.type_url, message.value
        if not url and not content:
            return {}
        name = url.rpartition("/")[2]
        printed = self._contents.get(name)
        if printed is None:
            printed = self._contents[name] = self._content(name)
        return {"@type": url, **printed(content)}

    def _content(self, name: str) -> PrintContent:
        for printers in (self._printers, self._google):
            try:
                return _content(printers, name)
            except KeyError:
                continue
        raise ValueError(f"unknown type {name!r} of an Any")

    @cached_property
    def _google(self) -> Printers:
        pool = DescriptorPool()
        for file in filter(None, map(shipped_file, _GOOGLE_FILES)):
            pool.AddSerializedFile(file)
        outer = self._printers
        return Printers(Shapes(pool), outer.options, lambda _: print_any_by(outer))


def print_any_by(printers: Printers) -> Print:
    """The printer of an Any that may hold any message of these printers."""
    return AnyPrinter(printers).print


def _content(printers: Printers, name: str) -> PrintContent:
    """Raises KeyError if the schema has no such type."""
    cls: Any = message_class(printers.shapes.pool, name)
    parse, printer = cls.FromString, printers.message(name)

    def fields(content: bytes) -> dict[str, Any]:
        printed: dict[str, Any] = printer.one(parse(content))
        return printed

    def wrapped(content: bytes) -> dict[str, Any]:
        return {"value": printer.one(parse(content))}

    return fields if printers.own_form(name) is None else wrapped
