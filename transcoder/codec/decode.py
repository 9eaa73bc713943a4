"""The wire bytes of a response message to the body of the HTTP answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from transcoder.codec.media import JSON, OCTETS, is_media_type
from transcoder.codec.options import JsonOptions
from transcoder.codec.parsing.binding import BindingError
from transcoder.codec.wellknown import HTTP_BODY
from transcoder.errors import INTERNAL_ERROR, TranscodeError
from transcoder.schema.classes import message_class
from transcoder.schema.shape import FieldShape, Shapes

ResponseDecoder = Callable[[bytes], tuple[bytes, str]]
"""wire -> (body, Content-Type); raises TranscodeError(INTERNAL_ERROR) for what has no JSON form."""

Printer = Callable[[Message], Any]


def compile_response(
    shapes: Shapes, options: JsonOptions, *, message: str, response_body: str | None
) -> ResponseDecoder:
    """The decoder of one binding; raises BindingError, and KeyError if the schema has no such message."""
    shape = shapes.message(message)
    to_dict = printer(shapes.pool, options)
    if response_body is None:
        return _guarded(message, _raw if message == HTTP_BODY else _whole(shapes, message, to_dict))
    field = shape.field(response_body)
    if field is None:
        raise BindingError(f"response_body `{response_body}`: no field `{response_body}` in {message}")
    if field.type_name == HTTP_BODY and not field.is_repeated:
        return _guarded(message, _raw_field(shapes, message, field))
    return _guarded(message, _field(shapes, message, field, to_dict, options))


def printer(pool: DescriptorPool, options: JsonOptions) -> Printer:
    """Messages to ProtoJSON as the options want it."""

    def to_dict(message: Message) -> Any:
        return MessageToDict(
            message,
            always_print_fields_with_no_presence=options.always_print_fields,
            preserving_proto_field_name=options.preserve_proto_field_names,
            use_integers_for_enums=options.enums_as_ints,
            descriptor_pool=pool,
        )

    return to_dict


def _guarded(message: str, decode: ResponseDecoder) -> ResponseDecoder:
    """Whatever a backend sends, the client gets an answer: foreign exceptions end here."""

    def guarded(wire: bytes) -> tuple[bytes, str]:
        try:
            return decode(wire)
        except Exception as error:
            reason = f"cannot print {message}: {type(error).__name__}: {error}"
            raise TranscodeError(INTERNAL_ERROR, reason) from error

    return guarded


def _whole(shapes: Shapes, message: str, to_dict: Printer) -> ResponseDecoder:
    cls = _message_class(shapes, message)

    def decode(wire: bytes) -> tuple[bytes, str]:
        return orjson.dumps(to_dict(cls.FromString(wire))), JSON

    return decode


def _field(
    shapes: Shapes, message: str, field: FieldShape, to_dict: Printer, options: JsonOptions
) -> ResponseDecoder:
    cls = _message_class(shapes, message)
    key = field.name if options.preserve_proto_field_names else field.json_name
    unset = _unset(cls, field, key, printer(shapes.pool, replace(options, always_print_fields=True)))

    def decode(wire: bytes) -> tuple[bytes, str]:
        response = cls.FromString(wire)
        _keep_only(response, field.number)
        return orjson.dumps(to_dict(response).get(key, unset)), JSON

    return decode


def _keep_only(message: Message, number: int) -> None:
    cls: Any = type(message)  # a field may shadow a method on the instance
    for field, _ in cls.ListFields(message):
        if field.is_extension:
            cls.ClearExtension(message, field)
        elif field.number != number:
            cls.ClearField(message, field.name)


def _unset(cls: type[Message], field: FieldShape, key: str, to_dict: Printer) -> Any:
    if field.is_repeated:
        return {} if field.is_map else []
    if field.is_message:
        return None
    message = cls()
    setattr(message, field.name, getattr(message, field.name))
    return to_dict(message)[key]


def _raw(wire: bytes) -> tuple[bytes, str]:
    return _verbatim(HttpBody.FromString(wire))


def _raw_field(shapes: Shapes, message: str, field: FieldShape) -> ResponseDecoder:
    cls = _message_class(shapes, message)

    def decode(wire: bytes) -> tuple[bytes, str]:
        return _verbatim(getattr(cls.FromString(wire), field.name))

    return decode


def _verbatim(body: Any) -> tuple[bytes, str]:
    return body.data, body.content_type if is_media_type(body.content_type) else OCTETS


def _message_class(shapes: Shapes, full_name: str) -> type[Message]:
    return message_class(shapes.pool, full_name)
