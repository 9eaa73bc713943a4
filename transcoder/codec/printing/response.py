"""The wire bytes of a response message to the body of the HTTP answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson
from google.api.httpbody_pb2 import HttpBody

from transcoder.codec.media import JSON, OCTETS, is_media_type
from transcoder.codec.parsing.binding import BindingError
from transcoder.codec.printing.message import Printers
from transcoder.codec.printing.printer import Printer
from transcoder.codec.printing.scalars import repaired
from transcoder.codec.printing.slices import SLICE, read_in_slices
from transcoder.codec.values import take_apart
from transcoder.codec.wellknown import HTTP_BODY
from transcoder.errors import INTERNAL_ERROR, TranscodeError
from transcoder.schema.classes import message_class

ResponseDecoder = Callable[[bytes], tuple[bytes, str]]
"""wire -> (body, Content-Type); raises TranscodeError(INTERNAL_ERROR) for what has no JSON form."""

_LONG: Final = 2 * SLICE
"""Bytes of wire above which a message is read in slices."""

Parse = Callable[[bytes], Any]
"""wire -> message"""


def compile_response(printers: Printers, *, message: str, response_body: str | None) -> ResponseDecoder:
    """The decoder of one binding; raises BindingError, and KeyError if the schema has no such message."""
    cls: Any = message_class(printers.shapes.pool, message)
    if response_body is None:
        if message == HTTP_BODY:
            return _verbatim(message, HttpBody.FromString)
        return _json(message, cls, printers.message(message))
    field = printers.shapes.message(message).field(response_body)
    if field is None:
        raise BindingError(f"response_body `{response_body}`: no field `{response_body}` in {message}")
    if field.type_name == HTTP_BODY and not field.is_repeated:
        return _verbatim(message, lambda wire: getattr(cls.FromString(wire), field.name))
    return _json(message, cls, printers.field(message, field))


def _json(message: str, cls: Any, printer: Printer) -> ResponseDecoder:
    parse = cls.FromString

    def decode(wire: bytes) -> tuple[bytes, str]:
        try:
            if len(wire) > _LONG:
                return _long_json(read_in_slices(cls, wire), printer), JSON
            printed = printer.one(parse(wire))
            return orjson.dumps(printed, default=repaired), JSON
        except Exception as error:
            raise _unprintable(message, error) from error

    return decode


def _long_json(message: Any, printer: Printer) -> bytes:
    printed = printer.one(message)
    written = orjson.dumps(printed, default=repaired)
    take_apart(printed)
    return written


def _verbatim(message: str, body_of: Parse) -> ResponseDecoder:
    def decode(wire: bytes) -> tuple[bytes, str]:
        try:
            body = body_of(wire)
        except Exception as error:
            raise _unprintable(message, error) from error
        return body.data, body.content_type if is_media_type(body.content_type) else OCTETS

    return decode


def _unprintable(message: str, error: Exception) -> TranscodeError:
    """Whatever a backend sends, the client gets an answer: foreign exceptions end here."""
    return TranscodeError(INTERNAL_ERROR, f"cannot print {message}: {type(error).__name__}: {error}")
