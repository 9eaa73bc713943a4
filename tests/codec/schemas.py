"""Hypothesis strategies: random schemas, and random messages of them."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

from transcoder.schema.shape import Shapes

from .messages import runtime_file

WELL_KNOWN = {
    "any": ("Any",),
    "duration": ("Duration",),
    "empty": ("Empty",),
    "field_mask": ("FieldMask",),
    "struct": ("Struct", "Value", "ListValue"),
    "timestamp": ("Timestamp",),
    "wrappers": (
        "DoubleValue",
        "FloatValue",
        "Int64Value",
        "UInt64Value",
        "Int32Value",
        "UInt32Value",
        "BoolValue",
        "StringValue",
        "BytesValue",
    ),
}
FILES = [f"google/protobuf/{name}.proto" for name in WELL_KNOWN]
WELL_KNOWN_TYPES = [f".google.protobuf.{name}" for names in WELL_KNOWN.values() for name in names]
OWN_TYPES = [".r.M0", ".r.M1", ".r.M2"]

SCALARS = [number for number in range(1, 19) if number not in {10, 11, 14}]
KEYS = [number for number in SCALARS if number not in {1, 2, 12}]
ENUM, MESSAGE = FieldDescriptorProto.TYPE_ENUM, FieldDescriptorProto.TYPE_MESSAGE
OPTIONAL, REPEATED = FieldDescriptorProto.LABEL_OPTIONAL, FieldDescriptorProto.LABEL_REPEATED
GROUP, REQUIRED = FieldDescriptorProto.TYPE_GROUP, FieldDescriptorProto.LABEL_REQUIRED

typed = st.one_of(
    st.sampled_from(SCALARS).map(lambda number: {"type": number}),
    st.just({"type": ENUM, "type_name": ".r.E"}),
    st.sampled_from(OWN_TYPES + WELL_KNOWN_TYPES).map(lambda name: {"type": MESSAGE, "type_name": name}),
)
labels = st.sampled_from(["plain", "plain", "optional", "repeated", "map", "oneof"])


@st.composite
def random_shapes(draw: st.DrawFn, *, syntax: str = "proto3", size: int = 8) -> Shapes:
    """A schema of three messages that may contain each other and themselves, in a pool of its own.

    size: how many fields a message has at most. In proto2 some are groups, and some are extensions.
    """
    file = FileDescriptorProto(name="r.proto", package="r", syntax=syntax, dependency=FILES)
    enum = file.enum_type.add(name="E")
    for name, number in (("ZERO", 0), ("ONE", 1), ("MINUS", -1)):
        enum.value.add(name=name, number=number)
    for index in range(len(OWN_TYPES)):
        add_message(draw, file.message_type.add(name=f"M{index}"), syntax, size)
    if syntax == "proto2":
        add_extensions(draw, file)
    pool = DescriptorPool()
    for name in FILES:
        pool.AddSerializedFile(runtime_file(name))
    pool.Add(file)
    return Shapes(pool)


def add_message(draw: st.DrawFn, message: DescriptorProto, syntax: str, size: int) -> None:
    chosen = draw(st.lists(st.tuples(labels, typed), min_size=1, max_size=size))
    message.oneof_decl.add(name="choice")
    message.field.add(name="member", number=100, label=OPTIONAL, oneof_index=0, type=SCALARS[0])
    synthetic = []
    for index, (label, type_of) in enumerate(chosen):
        field = message.field.add(name=f"field_{index}", number=index + 1, label=OPTIONAL, **type_of)
        if syntax == "proto2" and label != "map" and field.type_name in OWN_TYPES and draw(st.booleans()):
            field.type = GROUP
        if label == "repeated":
            field.label = REPEATED
        elif label == "map":
            make_map(draw, message, field)
        elif label == "oneof":
            field.oneof_index = 0
        elif label == "optional" and syntax == "proto2":
            field.label = REQUIRED
        elif label == "optional":
            field.proto3_optional = True
            synthetic.append(field)
    for field in synthetic:
        field.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{field.name}")


def add_extensions(draw: st.DrawFn, file: FileDescriptorProto) -> None:
    for message in file.message_type[:2]:
        message.extension_range.add(start=1000, end=2000)
    for index, (label, type_of) in enumerate(draw(st.lists(st.tuples(labels, typed), max_size=4))):
        field = file.extension.add(name=f"ext_{index}", number=1000 + index, extendee=".r.M0", **type_of)
        field.label = REPEATED if label == "repeated" else OPTIONAL


def make_map(draw: st.DrawFn, message: DescriptorProto, field: FieldDescriptorProto) -> None:
    entry = message.nested_type.add(name=f"Field{field.number - 1}Entry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=OPTIONAL, type=draw(st.sampled_from(KEYS)))
    value = entry.field.add(name="value", number=2, label=OPTIONAL, type=field.type)
    if field.type_name:
        value.type_name = field.type_name
    field.label, field.type, field.type_name = REPEATED, MESSAGE, f".r.{message.name}.{entry.name}"


INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_ENUM: st.sampled_from([0, 1, -1, 77]),
}
OTHERS = {
    FieldDescriptor.TYPE_DOUBLE: st.floats(allow_nan=False),
    FieldDescriptor.TYPE_FLOAT: st.floats(allow_nan=False, width=32),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_STRING: st.text(max_size=5),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=5),
}
finite = st.floats(allow_nan=False, allow_infinity=False)


def scalar(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.enum_type is not None and field.enum_type.is_closed:
        return st.sampled_from([value.number for value in field.enum_type.values])
    return OTHERS[field.type] if field.type in OTHERS else INTEGERS[field.cpp_type]


@st.composite
def random_message(draw: st.DrawFn, shapes: Shapes, name: str) -> Any:
    """A message of the schema, a few levels deep."""
    message = GetMessageClass(shapes.pool.FindMessageTypeByName(name))()
    fill(draw, message, 3)
    return message


def fill(draw: st.DrawFn, message: Any, depth: int) -> None:
    descriptor: Descriptor = message.DESCRIPTOR
    special = SPECIAL.get(descriptor.full_name)
    if special is not None:
        special(draw, message)
        return
    for field in draw(st.permutations(list(descriptor.fields))):
        if draw(st.sampled_from([True, True, False])) and (depth or field.message_type is None):
            fill_field(draw, message, field, depth - 1)
    for field in descriptor.file.pool.FindAllExtensions(descriptor):
        if draw(st.booleans()) and (depth or field.message_type is None):
            fill_extension(draw, message, field, depth - 1)


def fill_field(draw: st.DrawFn, message: Any, field: FieldDescriptor, depth: int) -> None:
    if field.is_repeated or field.message_type is not None:
        fill_elements(draw, getattr(message, field.name), field, depth)
    else:
        setattr(message, field.name, draw(scalar(field)))


def fill_extension(draw: st.DrawFn, message: Any, field: FieldDescriptor, depth: int) -> None:
    if field.is_repeated or field.message_type is not None:
        fill_elements(draw, message.Extensions[field], field, depth)
    else:
        message.Extensions[field] = draw(scalar(field))


def fill_elements(draw: st.DrawFn, value: Any, field: FieldDescriptor, depth: int) -> None:
    """value: what the field has: a list, a map or a message."""
    size = range(draw(st.integers(0, 2)))
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, item = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
        for _ in size:
            drawn = draw(scalar(key))
            if item.message_type is None:
                value[drawn] = draw(scalar(item))
            else:
                fill(draw, value[drawn], depth)
    elif field.is_repeated:
        for _ in size:
            if field.message_type is None:
                value.append(draw(scalar(field)))
            else:
                fill(draw, value.add(), depth)
    else:
        value.SetInParent()
        fill(draw, value, depth)


def fill_value(draw: st.DrawFn, message: Any) -> None:
    kind = draw(st.sampled_from(["null", "number", "string", "bool", "struct", "list"]))
    if kind in {"struct", "list"}:
        getattr(message, f"{kind}_value").SetInParent()
    if kind == "null":
        message.null_value = 0
    elif kind == "struct":
        message.struct_value.update(
            draw(st.dictionaries(st.text(max_size=3), finite | st.text() | st.none(), max_size=2))
        )
    elif kind == "list":
        message.list_value.extend(draw(st.lists(finite | st.booleans() | st.none(), max_size=2)))
    else:
        drawn = draw({"number": finite, "string": st.text(max_size=5), "bool": st.booleans()}[kind])
        setattr(message, f"{kind}_value", drawn)


def fill_timestamp(draw: st.DrawFn, message: Any) -> None:
    message.seconds = draw(st.integers(-62_135_596_800, 253_402_300_799))
    message.nanos = draw(st.integers(0, 999_999_999))


def fill_duration(draw: st.DrawFn, message: Any) -> None:
    sign = draw(st.sampled_from([1, -1]))
    message.seconds = sign * draw(st.integers(0, 315_576_000_000))
    message.nanos = sign * draw(st.integers(0, 999_999_999))


def fill_any(draw: st.DrawFn, message: Any) -> None:
    if draw(st.booleans()):
        message.Pack(Duration(seconds=draw(st.integers(-100, 100))))


SPECIAL = {
    "google.protobuf.Any": fill_any,
    "google.protobuf.Duration": fill_duration,
    "google.protobuf.FieldMask": lambda draw, message: message.paths.extend(
        draw(st.lists(st.from_regex(r"[a-z]+(_[a-z]+)*(\.[a-z]+)?", fullmatch=True), max_size=2))
    ),
    "google.protobuf.ListValue": lambda draw, message: message.extend(
        draw(st.lists(finite | st.none(), max_size=2))
    ),
    "google.protobuf.Struct": lambda draw, message: message.update(
        draw(st.dictionaries(st.text(max_size=3), finite | st.booleans() | st.none(), max_size=2))
    ),
    "google.protobuf.Timestamp": fill_timestamp,
    "google.protobuf.Value": fill_value,
}
