"""The descriptor IR: what every compiler reads of a message, so that none of them reads descriptors.

A shape holds names, numbers and kinds only and refers to other types by full name, so recursive schemas need
no special care and one message costs nothing until it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool


class Kind(StrEnum):
    """The type of a field, by its name in the protobuf language."""

    DOUBLE = "double"
    FLOAT = "float"
    INT32 = "int32"
    INT64 = "int64"
    UINT32 = "uint32"
    UINT64 = "uint64"
    SINT32 = "sint32"
    SINT64 = "sint64"
    FIXED32 = "fixed32"
    FIXED64 = "fixed64"
    SFIXED32 = "sfixed32"
    SFIXED64 = "sfixed64"
    BOOL = "bool"
    STRING = "string"
    BYTES = "bytes"
    ENUM = "enum"
    MESSAGE = "message"
    GROUP = "group"


_KINDS: Final[Mapping[int, Kind]] = {getattr(FieldDescriptor, f"TYPE_{kind.upper()}"): kind for kind in Kind}


class FieldPathError(ValueError):
    """A dotted path that leads to no field: says which step, in which message."""


class NoFieldError(FieldPathError):
    """The step is no field of its message, under any spelling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumShape:
    """by_name: every name, aliases too; by_number: the first name of each; is_closed: unknown numbers are
    errors.
    """

    full_name: str
    by_name: Mapping[str, int]
    by_number: Mapping[int, str]
    is_closed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldShape:
    """One field, or an extension: its name and json_name are `[full.name]`, as JSON spells it.

    oneof: name of the oneof it is a member of; the synthetic one of a proto3 `optional` field is not one.
    type_name: full name of the message or enum, None for scalars. key and value: of a map field only.
    """

    name: str
    json_name: str
    number: int
    kind: Kind
    is_repeated: bool = False
    is_required: bool = False
    is_packed: bool = False
    has_presence: bool = False
    oneof: str | None = None
    type_name: str | None = None
    key: FieldShape | None = None
    value: FieldShape | None = None

    @property
    def is_map(self) -> bool:
        """True for `map<key, value>`; is_repeated is True then, too."""
        return self.key is not None

    @property
    def is_message(self) -> bool:
        """True when the values are messages, whichever way they are delimited."""
        return self.kind is Kind.MESSAGE or self.kind is Kind.GROUP


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageShape:
    """fields: in the order of declaration; is_extendable: others may have declared more (proto2)."""

    full_name: str
    fields: tuple[FieldShape, ...]
    by_spelling: Mapping[str, FieldShape] = field(repr=False)
    is_extendable: bool = False

    def field(self, name: str) -> FieldShape | None:
        """The field of a JSON or proto name; where they clash the JSON name counts (ProtoJSON)."""
        return self.by_spelling.get(name)


class Shapes:
    """The shapes of one descriptor pool, each made when it is first asked for."""

    def __init__(self, pool: DescriptorPool) -> None:
        self.pool = pool
        self._messages: dict[str, MessageShape] = {}
        self._enums: dict[str, EnumShape] = {}

    def message(self, full_name: str) -> MessageShape:
        """The shape of a message; KeyError if the pool has no such message."""
        shape = self._messages.get(full_name)
        if shape is None:
            shape = self._messages[full_name] = self._message_shape(full_name)
        return shape

    def enum(self, full_name: str) -> EnumShape:
        """The shape of an enum; KeyError if the pool has no such enum."""
        shape = self._enums.get(full_name)
        if shape is None:
            shape = self._enums[full_name] = _enum_shape(self.pool.FindEnumTypeByName(full_name))
        return shape

    def extension(self, message: str, full_name: str) -> FieldShape | None:
        """The extension of that name, if it is one of this message.

        None in a MessageSet, too: its extensions have a form of their own on the wire.
        """
        try:
            descriptor = self.pool.FindExtensionByName(full_name)
        except KeyError:
            return None
        extended = descriptor.containing_type
        if extended is None or extended.full_name != message:
            return None
        if extended.GetOptions().message_set_wire_format:
            return None
        return _extension_shape(descriptor)

    def extension_numbered(self, message: str, number: int) -> FieldShape:
        """The extension of a message, or of a MessageSet, that has this number; KeyError if there is none."""
        owner = self.pool.FindMessageTypeByName(message)
        return _extension_shape(self.pool.FindExtensionByNumber(owner, number))

    def field_path(self, message: str, path: str) -> tuple[FieldShape, ...]:
        """The fields along a dotted path; each step is a JSON or proto name, only the last may be repeated.

        Raises FieldPathError, and KeyError if there is no such message.
        """
        steps: list[FieldShape] = []
        for name in path.split("."):
            step = self._step(message, steps, name)
            steps.append(step)
        return tuple(steps)

    def _step(self, message: str, before: list[FieldShape], name: str) -> FieldShape:
        owner = message
        if before:
            parent = before[-1]
            holder = before[-2].type_name if len(before) > 1 else message
            if parent.is_repeated:
                raise FieldPathError(f"`{parent.name}` in {holder} is repeated")
            if not parent.is_message or parent.type_name is None:
                raise FieldPathError(f"`{parent.name}` in {holder} is not a message")
            owner = parent.type_name
        step = self.message(owner).field(name)
        if step is None:
            raise NoFieldError(f"no field `{name}` in {owner}")
        return step

    def _message_shape(self, full_name: str) -> MessageShape:
        descriptor = self.pool.FindMessageTypeByName(full_name)
        fields = tuple(_field_shape(one) for one in descriptor.fields)
        by_name = {one.name: one for one in fields}
        by_json_name = {one.json_name: one for one in fields}
        return MessageShape(
            full_name=full_name,
            fields=fields,
            by_spelling=by_name | by_json_name,
            is_extendable=descriptor.is_extendable,
        )


def _enum_shape(descriptor: EnumDescriptor) -> EnumShape:
    by_number: dict[int, str] = {}
    for value in descriptor.values:
        by_number.setdefault(value.number, value.name)
    return EnumShape(
        full_name=descriptor.full_name,
        by_name={value.name: value.number for value in descriptor.values},
        by_number=by_number,
        is_closed=descriptor.is_closed,
    )


def _field_shape(descriptor: FieldDescriptor) -> FieldShape:
    key, value = _map_entry(descriptor)
    return FieldShape(
        name=descriptor.name,
        json_name=descriptor.json_name,
        number=descriptor.number,
        kind=_KINDS[descriptor.type],
        is_repeated=descriptor.is_repeated,
        is_required=descriptor.is_required,
        is_packed=descriptor.is_packed,
        has_presence=descriptor.has_presence,
        oneof=_oneof(descriptor),
        type_name=_type_name(descriptor),
        key=key,
        value=value,
    )


def _extension_shape(descriptor: FieldDescriptor) -> FieldShape:
    spelling = f"[{descriptor.full_name}]"
    return replace(_field_shape(descriptor), name=spelling, json_name=spelling)


def _type_name(descriptor: FieldDescriptor) -> str | None:
    named = descriptor.message_type or descriptor.enum_type
    return named.full_name if named else None


def _map_entry(descriptor: FieldDescriptor) -> tuple[FieldShape | None, FieldShape | None]:
    entry = descriptor.message_type
    if entry is None or not entry.GetOptions().map_entry:
        return None, None
    return _field_shape(entry.fields_by_name["key"]), _field_shape(entry.fields_by_name["value"])


def _oneof(descriptor: FieldDescriptor) -> str | None:
    """Descriptors do not say which oneofs are synthetic; protoc names those after their only member."""
    oneof = descriptor.containing_oneof
    if oneof is None or (len(oneof.fields) == 1 and oneof.name.endswith(f"_{descriptor.name}")):
        return None
    return str(oneof.name)
