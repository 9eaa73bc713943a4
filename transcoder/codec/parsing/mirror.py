"""Message classes that take parsed JSON as it is, and serialize to the wire bytes of the real ones.

protobuf's C core builds a message from nested dicts many times faster than Python code can write it. But it
knows fields by their proto names only, and nothing of ProtoJSON. The wire format in turn knows neither names
nor, below the top, types: a message and `bytes` look alike. So messages get mirror images in a pool of our
own, whose fields are called as JSON spells them, and are `bytes` where JSON has a form of its own.

Of the rules of ProtoJSON an image keeps these: no unknown fields, null is unset, integers are whole, in range
and no bools, strings are strings, enums go by name or number, closed ones know their numbers, messages are
objects. All others are left to `keywords`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.descriptor_pb2 import Edition, FeatureSet, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from transcoder.codec.parsing.wellknown import has_own_form
from transcoder.codec.wellknown import DURATION, TIMESTAMP
from transcoder.schema.classes import message_class
from transcoder.schema.shape import EnumShape, FieldShape, Kind, MessageShape, Shapes

Spelling = Callable[[FieldShape], str]
"""The one JSON key of a field that an image knows."""

MOMENTS: Final = frozenset({DURATION, TIMESTAMP})
"""Messages whose JSON is a string, but that cost less to build from their fields than to write as bytes."""

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_FIELDS: Final = 256
_MOST_FIELDS_AT_ONCE: Final = 1024

_BYTES: Final = FieldDescriptorProto.TYPE_BYTES
_MESSAGE: Final = FieldDescriptorProto.TYPE_MESSAGE
_OPTIONAL: Final = FieldDescriptorProto.LABEL_OPTIONAL
_REPEATED: Final = FieldDescriptorProto.LABEL_REPEATED


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What stands in for a message.

    name: in the mirror's pool. fields: those it has, which are all that have a spelling of their own. opaque:
    the numbers of those whose values are messages of the schema, but `bytes` here.
    """

    shape: MessageShape
    name: str
    fields: Sequence[FieldShape]
    opaque: frozenset[int]


class Mirror:
    """The images of the messages of one schema, made when they are first asked for.

    None has a message with a JSON form of its own, or with very many fields, of which a request never uses
    more than a few; nor what is far away from the message that was asked for.
    """

    def __init__(self, shapes: Shapes, spell: Spelling) -> None:
        self._shapes = shapes
        self.spell = spell
        self._pool = DescriptorPool()
        self._files: list[str] = []
        self._names: dict[str, str] = {}
        self._enums: dict[str, str] = {}

    def reflect(self, full_name: str) -> list[Image]:
        """Make the images of a message and of those it leads to, as far as they are missing.

        None is missing where the message has its own: images do not change.
        """
        if full_name in self._names:
            return []
        found = [shape for shape in self._reachable(full_name) if shape.full_name not in self._names]
        for number, shape in enumerate(found, len(self._names)):
            self._names[shape.full_name] = f"mirror.M{number}"
        images = [self._image(shape) for shape in found]
        if images:
            self._add(images)
        return images

    def image(self, full_name: str) -> Any:
        """The class of an image that was made; KeyError if it was not."""
        return message_class(self._pool, self._names[full_name])

    def has(self, full_name: str) -> bool:
        """Whether the image of a message was made."""
        return full_name in self._names

    def _reachable(self, full_name: str) -> list[MessageShape]:
        """Breadth first, so that what is left out is far away."""
        found: dict[str, MessageShape] = {}
        room = _MOST_FIELDS_AT_ONCE
        waiting = [full_name]
        for name in waiting:
            if name in found or room < 0 or (has_own_form(name) and name not in MOMENTS):
                continue
            shape = self._shapes.message(name)
            if len(shape.fields) <= _MOST_FIELDS:
                found[name] = shape
                room -= len(shape.fields)
                waiting += [part.type_name or "" for part in map(value_of, shape.fields) if part.is_message]
        return list(found.values())

    def _image(self, shape: MessageShape) -> Image:
        opaque = {
            field.number
            for field in shape.fields
            if value_of(field).is_message and value_of(field).type_name not in self._names
        }
        return Image(
            shape=shape,
            name=self._names[shape.full_name],
            fields=[field for field in shape.fields if self._is_plain(shape, field, opaque)],
            opaque=frozenset(opaque),
        )

    def _is_plain(self, shape: MessageShape, field: FieldShape, opaque: set[int]) -> bool:
        key = self.spell(field)
        is_bytes_on_wire = field.kind is not Kind.GROUP or field.number not in opaque
        return is_bytes_on_wire and shape.field(key) is field and _IDENTIFIER.fullmatch(key) is not None

    def _add(self, images: Sequence[Image]) -> None:
        file = FileDescriptorProto(
            name=f"{len(self._files)}.proto",
            package="mirror",
            syntax="editions",
            edition=Edition.EDITION_2023,
            dependency=self._files,
        )
        for image in images:
            message = file.message_type.add(name=_last(image.name))
            message.field.extend(self._field(file, image, field) for field in image.fields)
        self._pool.AddSerializedFile(file.SerializeToString())
        self._files.append(file.name)

    def _field(self, file: FileDescriptorProto, image: Image, field: FieldShape) -> FieldDescriptorProto:
        made = self._value(file, field, is_opaque=field.number in image.opaque and not field.is_map)
        made.name = self.spell(field)
        if field.is_repeated:
            made.label = _REPEATED
        if field.is_repeated and not field.is_packed:
            made.options.features.repeated_field_encoding = FeatureSet.EXPANDED
        if field.key is not None and field.value is not None:
            entry = file.message_type.add(name=f"{_last(image.name)}Entry{field.number}")
            entry.options.map_entry = True
            key = self._value(file, field.key, is_opaque=False)
            value = self._value(file, field.value, is_opaque=field.number in image.opaque)
            entry.field.extend([key, value])
            made.type_name = f".mirror.{entry.name}"
        return made

    def _value(
        self, file: FileDescriptorProto, field: FieldShape, *, is_opaque: bool
    ) -> FieldDescriptorProto:
        """A field as if it were not repeated."""
        made = FieldDescriptorProto(
            name=field.name, json_name=f"f{field.number}", number=field.number, label=_OPTIONAL
        )
        made.type = _BYTES if is_opaque else _MESSAGE if field.is_message else _TYPES[field.kind]
        if field.kind is Kind.ENUM and field.type_name is not None:
            made.type_name = self._enum(file, self._shapes.enum(field.type_name))
        elif made.type == _MESSAGE and not field.is_map:
            made.type_name = f".{self._names[field.type_name or '']}"
        if field.kind is Kind.GROUP:
            made.options.features.message_encoding = FeatureSet.DELIMITED
        return made

    def _enum(self, file: FileDescriptorProto, shape: EnumShape) -> str:
        """The image of an enum. Its values are names of the scope it is in, so it gets one for itself."""
        name = self._enums.get(shape.full_name)
        if name is None:
            scope = file.message_type.add(name=f"E{len(self._enums)}")
            enum = scope.enum_type.add(name="V")
            while enum.name in shape.by_name:
                enum.name += "_"
            for value, number in shape.by_name.items():
                enum.value.add(name=value, number=number)
            enum.options.allow_alias = len(shape.by_name) != len(shape.by_number)
            enum.options.features.enum_type = FeatureSet.CLOSED if shape.is_closed else FeatureSet.OPEN
            name = self._enums[shape.full_name] = f".mirror.{scope.name}.{enum.name}"
        return name


_TYPES: Final = {kind: getattr(FieldDescriptorProto, f"TYPE_{kind.upper()}") for kind in Kind}


def value_of(field: FieldShape) -> FieldShape:
    """What the values of a field are, those of a map, too."""
    return field.value or field


def _last(name: str) -> str:
    return name.rpartition(".")[2]
