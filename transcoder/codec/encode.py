"""An HTTP request to the wire bytes of its request message.

Concatenating encoded messages merges them: the last scalar and the last member of a oneof win, messages
merge, lists append (protobuf.dev/programming-guides/encoding, "Last One Wins"). So the order query, body,
path is the precedence of the three.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from transcoder.codec import fields, wire
from transcoder.codec.binding import (
    BindingError,
    FieldPath,
    PathBinder,
    QueryBinder,
    compile_path,
    compile_query,
    nested,
    numbers_of,
)
from transcoder.codec.fields import Encoder
from transcoder.codec.invalid import Invalid
from transcoder.codec.mask import has_paths, mask_field, mask_paths
from transcoder.codec.media import check_json_type, is_media_type, unsupported
from transcoder.codec.message import MessageEncoders, takes_null
from transcoder.codec.options import JsonOptions
from transcoder.codec.scalars import JSON_SCALARS
from transcoder.codec.text import parse_json
from transcoder.codec.wellknown import mask_of
from transcoder.errors import INVALID_ARGUMENT, TranscodeError
from transcoder.schema.shape import FieldPathError, FieldShape, Kind, Shapes

RequestEncoder = Callable[[bytes, str, Sequence[str], str], bytes]
"""(body, Content-Type or "", captured path values in template order, raw query) -> wire; TranscodeError only.
"""

BodyReader = Callable[[bytes, str], bytes]
MaskWriter = Callable[[Any], bytes]

HTTP_BODY: Final = "google.api.HttpBody"

_string: Final = JSON_SCALARS[Kind.STRING]


def compile_request(
    shapes: Shapes,
    encoders: MessageEncoders,
    options: JsonOptions,
    *,
    message: str,
    http_method: str,
    body: str | None,
    path_fields: Sequence[str | None],
) -> RequestEncoder:
    """The encoder of one binding; raises BindingError, and KeyError if the schema has no such message."""
    shapes.message(message)
    bind_path = compile_path(shapes, message, path_fields)
    if body == "*":
        return _whole_body(_message_reader(encoders, message), bind_path)
    bound = [numbers_of(shapes.field_path(message, path)) for path in path_fields if path is not None]
    if body is None:
        return _no_body(compile_query(shapes, message, bound, options.unknown_query), bind_path)
    path = _body_path(shapes, message, body)
    bind_query = compile_query(shapes, message, [*bound, numbers_of(path)], options.unknown_query)
    if path[-1].type_name == HTTP_BODY and not path[-1].is_repeated:
        return _field_body(bind_query, _raw_reader(path), bind_path)
    encode = _body_encoder(encoders, path)
    mask = mask_field(shapes.message(message)) if http_method == "PATCH" and has_paths(path[-1]) else None
    if mask is None or any(numbers[0] == mask.number for numbers in bound):
        return _field_body(bind_query, _json_reader(encode), bind_path)
    return _patch(bind_query, encode, mask.number, _mask_writer(shapes, path[-1], mask), bind_path)


def encode_json(encode: Encoder, value: Any) -> bytes:
    """A parsed JSON document to wire; TranscodeError(INVALID_ARGUMENT) says what is wrong and where."""
    try:
        return encode(value)
    except Invalid as error:
        raise TranscodeError(INVALID_ARGUMENT, error.in_json()) from error


def _no_body(bind_query: QueryBinder, bind_path: PathBinder) -> RequestEncoder:
    def encode(_body: bytes, _content_type: str, values: Sequence[str], query: str) -> bytes:
        return bind_query(query)[0] + bind_path(values)

    return encode


def _whole_body(read: BodyReader, bind_path: PathBinder) -> RequestEncoder:
    def encode(body: bytes, content_type: str, values: Sequence[str], _query: str) -> bytes:
        return read(body, content_type) + bind_path(values)

    return encode


def _field_body(bind_query: QueryBinder, read: BodyReader, bind_path: PathBinder) -> RequestEncoder:
    def encode(body: bytes, content_type: str, values: Sequence[str], query: str) -> bytes:
        return bind_query(query)[0] + read(body, content_type) + bind_path(values)

    return encode


def _patch(
    bind_query: QueryBinder, encode_body: Encoder, mask: int, write_mask: MaskWriter, bind_path: PathBinder
) -> RequestEncoder:
    def encode(body: bytes, content_type: str, values: Sequence[str], query: str) -> bytes:
        out, queried = bind_query(query)
        if body:
            value = _parsed(body, content_type)
            out += encode_json(encode_body, value)
            if value and mask not in queried:
                out += write_mask(value)
        return out + bind_path(values)

    return encode


def _mask_writer(shapes: Shapes, body: FieldShape, mask: FieldShape) -> MaskWriter:
    full_name = body.type_name or ""

    def paths(value: Any) -> bytes:
        return mask_of(mask_paths(shapes, full_name, value))

    return fields.message(wire.tag(mask.number, wire.LENGTH), paths)


def _body_path(shapes: Shapes, message: str, body: str) -> FieldPath:
    try:
        return shapes.field_path(message, body)
    except FieldPathError as error:
        raise BindingError(f"body `{body}`: {error}") from error


def _message_reader(encoders: MessageEncoders, message: str) -> BodyReader:
    return _http_body if message == HTTP_BODY else _json_reader(encoders.message(message))


def _body_encoder(encoders: MessageEncoders, path: FieldPath) -> Encoder:
    encode = nested(path[:-1], encoders.field(path[-1]))
    if takes_null(path[-1]):
        return encode
    return lambda value: b"" if value is None else encode(value)


def _json_reader(encode: Encoder) -> BodyReader:
    def read(body: bytes, content_type: str) -> bytes:
        return encode_json(encode, _parsed(body, content_type)) if body else b""

    return read


def _parsed(body: bytes, content_type: str) -> Any:
    check_json_type(content_type)
    return parse_json(body)


def _raw_reader(path: FieldPath) -> BodyReader:
    wrap = nested(path, lambda message: message)

    def read(body: bytes, content_type: str) -> bytes:
        payload = _http_body(body, content_type)
        return wrap(payload) if payload else b""

    return read


def _http_body(body: bytes, content_type: str) -> bytes:
    """google.api.HttpBody: content_type = 1, data = 2; an unset one stays unset."""
    if content_type and not is_media_type(content_type):
        raise unsupported(content_type, "malformed")
    head = b"\x0a" + _string(content_type) if content_type else b""
    return head + b"\x12" + wire.delimited(body) if body else head
