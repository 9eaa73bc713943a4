"""Descriptors as the source text they came from, near enough to read: types with their full names."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from google.protobuf import text_format
from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)
from google.protobuf.message_factory import GetMessageClass

from transcoder.schema.example import type_text
from transcoder.schema.shape import FieldShape, Shapes

Symbol: TypeAlias = ServiceDescriptor | MethodDescriptor | Descriptor | EnumDescriptor


def proto_text(symbol: Symbol, shapes: Shapes) -> str:
    """The declaration of a symbol of the pool behind `shapes`, after a line that says where it is from."""
    file = symbol.containing_service.file if isinstance(symbol, MethodDescriptor) else symbol.file
    return "\n".join([f"// {symbol.full_name} in {file.name}", *_Printer(shapes).symbol(symbol)])


class _Printer:
    """Lines of the declarations of one pool."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes

    def symbol(self, symbol: Symbol) -> list[str]:
        match symbol:
            case ServiceDescriptor():
                methods = (line for method in symbol.methods for line in self._method(method))
                return _block(f"service {symbol.name}", [*self._statements(symbol), *methods])
            case MethodDescriptor():
                return self._method(symbol)
            case EnumDescriptor():
                return self._enum(symbol)
            case Descriptor():
                return self._message(symbol)

    def _method(self, method: MethodDescriptor) -> list[str]:
        request = _streamed(method.input_type, is_stream=method.client_streaming)
        response = _streamed(method.output_type, is_stream=method.server_streaming)
        head = f"rpc {method.name}({request}) returns ({response})"
        statements = list(self._statements(method))
        return _block(head, statements) if statements else [f"{head};"]

    def _enum(self, enum: EnumDescriptor) -> list[str]:
        values = (f"{value.name} = {value.number}{self._brackets(value)};" for value in enum.values)
        return _block(f"enum {enum.name}", [*self._statements(enum), *values])

    def _message(self, message: Descriptor) -> list[str]:
        lines = list(self._statements(message))
        for enum in message.enum_types:
            lines += self._enum(enum)
        for nested in message.nested_types:
            if not nested.GetOptions().map_entry:
                lines += self._message(nested)
        return _block(f"message {message.name}", [*lines, *self._fields(message)])

    def _fields(self, message: Descriptor) -> Iterator[str]:
        shapes = self._shapes.message(message.full_name).fields
        seen: set[str] = set()
        for shape, field in zip(shapes, message.fields, strict=True):
            if shape.oneof is None:
                yield f"{_label(shape)}{self._field(shape, field)}"
            elif shape.oneof not in seen:
                seen.add(shape.oneof)
                members = [
                    self._field(one, descriptor)
                    for one, descriptor in zip(shapes, message.fields, strict=True)
                    if one.oneof == shape.oneof
                ]
                yield from _block(f"oneof {shape.oneof}", members)

    def _field(self, shape: FieldShape, field: FieldDescriptor) -> str:
        extra = []
        if field.has_default_value:
            extra.append(("default", _value(field, field.default_value)))
        if shape.json_name != _usual_json_name(shape.name):
            extra.append(("json_name", json.dumps(shape.json_name)))
        return f"{type_text(shape)} {shape.name} = {shape.number}{self._brackets(field, extra)};"

    def _statements(self, descriptor: Any) -> Iterator[str]:
        return (f"option {name} = {value};" for name, value in self._options(descriptor))

    def _brackets(self, descriptor: Any, extra: Iterable[tuple[str, str]] = ()) -> str:
        options = [f"{name} = {value}" for name, value in (*extra, *self._options(descriptor))]
        return f" [{', '.join(options)}]" if options else ""

    def _options(self, descriptor: Any) -> Iterator[tuple[str, str]]:
        """Names and values of the options that are set, those of the backend's own making included."""
        options = descriptor.GetOptions()
        try:
            own = GetMessageClass(self._shapes.pool.FindMessageTypeByName(options.DESCRIPTOR.full_name))
        except KeyError:  # nobody imports descriptor.proto, so there are no options of their own making
            own = type(options)
        for field, value in own.FromString(options.SerializeToString()).ListFields():
            name = f"({field.full_name})" if field.is_extension else field.name
            for one in value if field.is_repeated else (value,):
                yield name, _value(field, one)


def _block(head: str, lines: Iterable[str]) -> list[str]:
    body = [f"  {line}" for line in lines]
    return [f"{head} {{", *body, "}"] if body else [f"{head} {{}}"]


def _streamed(message: Descriptor, *, is_stream: bool) -> str:
    return f"stream {message.full_name}" if is_stream else str(message.full_name)


def _label(field: FieldShape) -> str:
    if field.is_required:
        return "required "
    return "optional " if field.has_presence and not field.is_message else ""


def _value(field: FieldDescriptor, value: Any) -> str:
    out = io.StringIO()
    text_format.PrintFieldValue(field, value, out, as_one_line=True)
    return out.getvalue()


def _usual_json_name(name: str) -> str:
    """What protoc makes of a field name: underscores go, the letter after one is a capital."""
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)
