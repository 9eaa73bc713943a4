"""An HTTP request to the wire bytes of its request message.

Concatenating encoded messages merges them: the last scalar and the last member of a oneof win, messages
merge, lists append (protobuf.dev/programming-guides/encoding, "Last One Wins"). So the order query, body,
path is the precedence of the three.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import Any, Final

from transcoder.codec import wire
from transcoder.codec.media import check_json_type, is_media_type
from transcoder.codec.options import JsonOptions
from transcoder.codec.parsing import fields
from transcoder.codec.parsing.attempts import Encoders, TextEncoders
from transcoder.codec.parsing.binding import (
    BindingError,
    PathBinder,
    QueryBinder,
    compile_path,
    compile_query,
    nested,
)
from transcoder.codec.parsing.fields import Encoder
from transcoder.codec.parsing.invalid import Invalid, shown
from transcoder.codec.parsing.mask import has_paths, mask_field, mask_paths
from transcoder.codec.parsing.message import takes_null
from transcoder.codec.parsing.oneofs import (
    Chosen,
    FieldPath,
    beside_path,
    choices_of,
    choose,
    more_than_one,
    rivals_of,
)
from transcoder.codec.parsing.scalars import JSON_SCALARS
from transcoder.codec.parsing.wellknown import mask_of
from transcoder.codec.wellknown import HTTP_BODY
from transcoder.errors import INVALID_ARGUMENT, TranscodeError
from transcoder.schema.shape import FieldPathError, FieldShape, Kind, Shapes

RequestEncoder = Callable[[bytes, str, Sequence[str], str], bytes]
"""(body, Content-Type or "", captured path values in template order, raw query) -> wire; TranscodeError only.
"""

BodyReader = Callable[[bytes, str], bytes]
BesideBody = Callable[[str, bytes], tuple[bytes, Set[int]]]
"""A QueryBinder that is also told the body, which may decide a oneof."""

MaskWriter = Callable[[Any], bytes]


_string: Final = JSON_SCALARS[Kind.STRING]


def compile_request(
    shapes: Shapes,
    encoders: TextEncoders,
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
    bound = [shapes.field_path(message, path) for path in path_fields if path is not None]
    if body == "*":
        return _whole_body(_message_reader(shapes, encoders, message, bound), bind_path)
    if body is None:
        return _no_body(
            compile_query(shapes, message, options.unknown_query, path=bound, body=None), bind_path
        )
    path = _body_path(shapes, message, body, bound)
    bind_query = _beside_body(
        compile_query(shapes, message, options.unknown_query, path=bound, body=path),
        rivals_of(shapes.message(message), path[0]),
    )
    if path[-1].type_name == HTTP_BODY and not path[-1].is_repeated:
        return _field_body(bind_query, _raw_reader(path), bind_path)
    check = beside_path(shapes, message, bound, path)
    owner = path[-2].type_name or "" if len(path) > 1 else message

    def of_body(encoders: Encoders) -> Encoder:
        return check(_body_encoder(encoders, owner, path))

    mask = mask_field(shapes.message(message)) if http_method == "PATCH" and has_paths(path[-1]) else None
    if mask is None or any(one[0].number == mask.number for one in bound):
        return _field_body(bind_query, _json_reader(encoders.compile(of_body)), bind_path)
    write_mask = _mask_writer(shapes, path[-1], mask)
    encode = encoders.compile(lambda encoders: _with_mask(of_body(encoders), write_mask))
    return _patch(bind_query, encode, mask.number, bind_path)


def _no_body(bind_query: QueryBinder, bind_path: PathBinder) -> RequestEncoder:
    def encode(_body: bytes, _content_type: str, values: Sequence[str], query: str) -> bytes:
        return bind_query(query)[0] + bind_path(values)

    return encode


def _whole_body(read: BodyReader, bind_path: PathBinder) -> RequestEncoder:
    def encode(body: bytes, content_type: str, values: Sequence[str], _query: str) -> bytes:
        return read(body, content_type) + bind_path(values)

    return encode


def _beside_body(bind_query: QueryBinder, rivals: dict[int, str]) -> BesideBody:
    def bind(query: str, body: bytes) -> tuple[bytes, Set[int]]:
        out, tops = bind_query(query)
        if body and not rivals.keys().isdisjoint(tops):
            oneof = next(rivals[top] for top in tops if top in rivals)
            raise TranscodeError(INVALID_ARGUMENT, f"{more_than_one(oneof).problem} in query and body")
        return out, tops

    return bind


def _field_body(bind_query: BesideBody, read: BodyReader, bind_path: PathBinder) -> RequestEncoder:
    def encode(body: bytes, content_type: str, values: Sequence[str], query: str) -> bytes:
        return bind_query(query, body)[0] + read(body, content_type) + bind_path(values)

    return encode


def _patch(
    bind_query: BesideBody,
    encode_body: Callable[[bytes], tuple[bytes, bytes]],
    mask: int,
    bind_path: PathBinder,
) -> RequestEncoder:
    def encode(body: bytes, content_type: str, values: Sequence[str], query: str) -> bytes:
        out, queried = bind_query(query, body)
        if body:
            check_json_type(content_type)
            message, written = encode_body(body)
            out += message if mask in queried else message + written
        return out + bind_path(values)

    return encode


def _with_mask(encode: Encoder, write_mask: MaskWriter) -> Callable[[Any], tuple[bytes, bytes]]:
    def encode_both(value: Any) -> tuple[bytes, bytes]:
        mask = write_mask(value) if value and type(value) is dict else b""
        return encode(value), mask

    return encode_both


def _mask_writer(shapes: Shapes, body: FieldShape, mask: FieldShape) -> MaskWriter:
    full_name = body.type_name or ""

    def paths(value: Any) -> bytes:
        return mask_of(mask_paths(shapes, full_name, value))

    return fields.message(wire.tag(mask.number, wire.LENGTH), paths)


def _body_path(shapes: Shapes, message: str, body: str, bound: Sequence[FieldPath]) -> FieldPath:
    chosen: Chosen = {}
    try:
        path = shapes.field_path(message, body)
        for one in (*bound, path):
            choose(chosen, choices_of(one))
    except (FieldPathError, Invalid) as error:
        raise BindingError(f"body `{body}`: {error}") from error
    return path


def _message_reader(
    shapes: Shapes, encoders: TextEncoders, message: str, bound: Sequence[FieldPath]
) -> BodyReader:
    if message == HTTP_BODY:
        return _http_body
    check = beside_path(shapes, message, bound)
    return _json_reader(encoders.compile(lambda encoders: check(encoders.message(message))))


def _body_encoder(encoders: Encoders, owner: str, path: FieldPath) -> Encoder:
    encode = nested(path[:-1], encoders.field(owner, path[-1]))
    if takes_null(path[-1]):
        return encode
    return lambda value: b"" if value is None else encode(value)


def _json_reader(encode: Callable[[bytes], bytes]) -> BodyReader:
    def read(body: bytes, content_type: str) -> bytes:
        if not body:
            return b""
        check_json_type(content_type)
        return encode(body)

    return read


def _raw_reader(path: FieldPath) -> BodyReader:
    wrap = nested(path, lambda message: message)

    def read(body: bytes, content_type: str) -> bytes:
        payload = _http_body(body, content_type)
        return wrap(payload) if payload else b""

    return read


def _http_body(body: bytes, content_type: str) -> bytes:
    """google.api.HttpBody: content_type = 1, data = 2; an unset one stays unset."""
    if content_type and not is_media_type(content_type):
        raise TranscodeError(
            INVALID_ARGUMENT, f"header content-type: `{shown(content_type)}` is no media type"
        )
    head = b"\x0a" + _string(content_type) if content_type else b""
    return head + b"\x12" + wire.delimited(body) if body else head
