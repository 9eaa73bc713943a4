"""JSON objects to wire bytes: one encoder per message, made when it is first used.

A message is compiled field by field, each at the first JSON key that names it. So a schema of thousands of
types costs only what is used of it, and a type that contains itself needs no special case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from transcoder.codec import wire
from transcoder.codec.options import JsonOptions
from transcoder.codec.parsing import fields
from transcoder.codec.parsing.fields import Encoder, Skipped
from transcoder.codec.parsing.invalid import Invalid, invalid_value, shown
from transcoder.codec.parsing.scalars import json_scalar, kind_tag, text_scalar, unknown_name
from transcoder.codec.parsing.wellknown import has_own_form, well_known
from transcoder.codec.wellknown import ANY, EMPTY, NULL_VALUE, VALUE
from transcoder.schema.shape import FieldShape, Kind, MessageShape, Shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldEncoder:
    """What a JSON key stands for.

    encode: the value -> everything on the wire for the field, tags included. twin: the other spelling of the
    same field. takes_null: null is a value of the field; for other fields it means unset.
    """

    encode: Encoder
    oneof: str | None = None
    twin: str | None = None
    takes_null: bool = False


_IGNORED: Final = FieldEncoder(encode=lambda _: b"", takes_null=True)


class MessageEncoders:
    """The encoders of the messages of one schema. They raise Invalid and nothing else."""

    def __init__(self, shapes: Shapes, options: JsonOptions) -> None:
        self._shapes = shapes
        self._options = options
        self._encoders: dict[str, Encoder] = {}
        self._known: list[_Fields] = []

    def message(self, full_name: str) -> Encoder:
        """JSON value -> the serialized message, no tag, no length; KeyError if there is no such message."""
        encode = self._encoders.get(full_name)
        if encode is None:
            encode = self._encoders[full_name] = self._compile(full_name)
        return encode

    def forget(self) -> None:
        """Let go of what was compiled, which leads back here; what is used again is compiled again."""
        self._encoders.clear()
        while self._known:
            self._known.pop().clear()

    def field(self, _owner: str, field: FieldShape) -> Encoder:
        """JSON value other than an unset null -> all the field has on the wire, tags included."""
        if field.key is not None and field.value is not None:
            entries = fields.mapping(field.number, self._key(field.key), self._one(field.value))
            return fields.skipping_entries(self._skipped(field.value), entries)
        if not field.is_repeated:
            return self._one(field)
        if field.is_packed:
            return fields.packed(field.number, self._scalar(field, b""))
        return fields.repeated(self._one(field))

    def named(self, shape: MessageShape, key: str) -> FieldEncoder:
        """What a JSON key of a message stands for; raises Invalid for a key that must not be there."""
        field = shape.field(key)
        if field is None and key[:1] == "[" and key[-1:] == "]":
            field = self._shapes.extension(shape.full_name, key[1:-1])
        if field is not None:
            return FieldEncoder(
                encode=self.field(shape.full_name, field),
                oneof=field.oneof,
                twin=_twin(shape, field, key),
                takes_null=takes_null(field),
            )
        if self._options.unknown_fields == "ignore":
            return _IGNORED
        raise Invalid(f"no field `{shown(key)}` in {shape.full_name}")

    def _compile(self, full_name: str) -> Encoder:
        known = self._any if full_name == ANY else well_known(full_name)
        return known or self._object(self._shapes.message(full_name))

    def _object(self, shape: MessageShape) -> Encoder:
        known = _Fields(self, shape)
        self._known.append(known)
        return _object_encoder(known, shape)

    def _one(self, field: FieldShape) -> Encoder:
        if not field.is_message or field.type_name is None:
            return self._scalar(field, kind_tag(field.number, field.kind))
        value = self.message(field.type_name)
        if field.kind is Kind.GROUP:
            return fields.group(field.number, value)
        return fields.message(kind_tag(field.number, field.kind), value)

    def _scalar(self, field: FieldShape, tag: bytes) -> Encoder:
        return fields.skipping(self._skipped(field), fields.single(tag, json_scalar(self._shapes, field)))

    def _skipped(self, field: FieldShape) -> Skipped | None:
        """The names to leave out of an enum field where what is unknown is ignored (ProtoJSON)."""
        if self._options.unknown_fields != "ignore" or field.kind is not Kind.ENUM or field.type_name is None:
            return None
        return unknown_name(self._shapes.enum(field.type_name))

    def _key(self, field: FieldShape) -> Encoder:
        return fields.single(kind_tag(field.number, field.kind), text_scalar(self._shapes, field))

    def _any(self, value: Any) -> bytes:
        """`{"@type": url, ...fields}`; a message with a JSON form of its own stands under `value`."""
        if type(value) is not dict:
            raise invalid_value(ANY)
        if not value:
            return b""
        rest = dict(value)
        url = rest.pop("@type", None)
        if type(url) is not str or "/" not in url:
            raise invalid_value(ANY)
        payload = self._packed(url.rpartition("/")[2], rest)
        return b"\x0a" + wire.delimited(url.encode()) + b"\x12" + wire.delimited(payload)

    def _packed(self, full_name: str, rest: dict[str, Any]) -> bytes:
        try:
            encode = self.message(full_name)
        except KeyError:
            raise Invalid(f"unknown type `{shown(full_name)}`") from None
        if has_own_form(full_name) or (full_name == EMPTY and rest):
            return _only_value(encode, rest)
        return encode(rest)


def takes_null(field: FieldShape) -> bool:
    """True for the fields null is a value of, not the absence of one."""
    return not field.is_repeated and field.type_name in {VALUE, NULL_VALUE}


def _twin(shape: MessageShape, field: FieldShape, key: str) -> str | None:
    other = field.name if key == field.json_name else field.json_name
    return other if other != key and shape.field(other) is field else None


def _only_value(encode: Encoder, rest: dict[str, Any]) -> bytes:
    if rest.keys() != {"value"}:
        raise Invalid("expected `@type` and `value` only")
    try:
        return encode(rest["value"])
    except Invalid as error:
        error.at("value")
        raise


class _Fields(dict[str, FieldEncoder]):
    """The keys of one message seen so far; a new one is looked up, and kept unless it is unknown."""

    def __init__(self, encoders: MessageEncoders, shape: MessageShape) -> None:
        super().__init__()
        self._encoders = encoders
        self._shape = shape

    def __missing__(self, key: str) -> FieldEncoder:
        field = self._encoders.named(self._shape, key)
        if field is not _IGNORED:
            self[key] = field
        return field


def _object_encoder(known: Mapping[str, FieldEncoder], shape: MessageShape) -> Encoder:
    def encode(value: Any) -> bytes:
        if type(value) is not dict:
            raise invalid_value(shape.full_name)
        parts: list[bytes] = []
        chosen: set[str] = set()
        for key, item in value.items():
            field = known[key]
            if field.twin is not None and field.twin in value:
                raise Invalid(f"`{key}` and `{field.twin}` are one field")
            if item is None and not field.takes_null:
                continue
            if field.oneof is not None:
                _choose(chosen, field.oneof)
            try:
                parts.append(field.encode(item))
            except Invalid as error:
                error.at(key)
                raise
        return b"".join(parts)

    return encode


def _choose(chosen: set[str], oneof: str) -> None:
    if oneof in chosen:
        raise Invalid(f"more than one field of oneof `{oneof}`")
    chosen.add(oneof)
