"""Whatever a backend calls its types and however many it has: compiled in time, or left out with a reason."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from transcoder.codec import Codec, JsonOptions
from transcoder.codec.wire import varint
from transcoder.errors import INTERNAL_ERROR, INVALID_ARGUMENT, TranscodeError
from transcoder.schema.schema import Schema
from transcoder.schema.source import FileSet

STRING: Final = FieldDescriptorProto.TYPE_STRING
INT32: Final = FieldDescriptorProto.TYPE_INT32
BYTES: Final = FieldDescriptorProto.TYPE_BYTES
ENUM: Final = FieldDescriptorProto.TYPE_ENUM
MESSAGE: Final = FieldDescriptorProto.TYPE_MESSAGE
ONE: Final = FieldDescriptorProto.LABEL_OPTIONAL
MANY: Final = FieldDescriptorProto.LABEL_REPEATED

IDENTIFIERS: Final = (
    *("class", "None", "def", "lambda", "import", "async", "match", "self", "cls", "print", "dict", "len"),
    *("__class__", "__init__", "__slots__", "__dict__", "__getattr__", "__name__", "__builtins__", "__", "_"),
    *("SerializeToString", "FromString", "DESCRIPTOR", "ListFields", "HasField", "Clear", "Extensions"),
    *("value", "wire", "message", "field", "encode", "key", "item", "parts", "out", "f0", "_0", "x" * 300),
)
TEXTS: Final = (
    *("", '"', "'", '"""', "\\", "\n", "\r\n", "\0", "\u2028", "\ufeff", "{}", "{0}", "%s", "#", ");", "a.b"),
    *('"]); import os #', "\\N{DASH}", "@type", "[a.b]", "[]", "$", "é", "𝔸", "__proto__", "n" * 10_000),
    *IDENTIFIERS,
)

identifiers = st.sampled_from(IDENTIFIERS) | st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
texts = st.sampled_from(TEXTS) | st.text(max_size=8)


def schema_of(file: FileDescriptorProto) -> Schema:
    files = {file.name: file.SerializeToString()}
    return Schema.from_files(FileSet(files=files, services=(), origin="descriptor_set"))


def new_file() -> FileDescriptorProto:
    return FileDescriptorProto(name="a.proto", package="class", syntax="proto3")


def add_field(message: DescriptorProto, name: str, number: int, type_: int, **more: Any) -> None:
    message.field.add(name=name, number=number, type=type_, **{"label": ONE, **more})


@st.composite
def files_with_values(draw: st.DrawFn) -> tuple[FileDescriptorProto, dict[str, Any]]:
    """A file with one message under hostile names, and a value for each of its fields by JSON name."""
    owner, value_name, text = draw(identifiers), draw(identifiers), draw(texts)
    kinds = [
        ({"type": STRING, "label": ONE}, f"{text}."),
        ({"type": STRING, "label": MANY}, [text, ""]),
        ({"type": BYTES, "label": ONE}, "AP8="),
        ({"type": INT32, "label": MANY}, [0, -1]),
        ({"type": ENUM, "label": ONE, "type_name": f".class.{owner}.E.E"}, value_name),
        ({"type": ENUM, "label": MANY, "type_name": f".class.{owner}.E.E"}, [value_name, 7]),
        ({"type": MESSAGE, "label": ONE, "type_name": f".class.{owner}"}, {}),
        ({"type": MESSAGE, "label": MANY, "type_name": f".class.{owner}"}, [{}, {}]),
        ({"type": MESSAGE, "label": MANY, "type_name": f".class.{owner}.E.ByKeyEntry"}, {text: 0}),
    ]
    file = new_file()
    message = file.message_type.add(name=owner)
    add_types(message.nested_type.add(name="E"), value_name)
    spellings = st.tuples(identifiers.filter(lambda name: name != "E"), texts)
    apart = (lambda one: one[0], lambda one: one[1])
    (oneof, _), *spelled = draw(st.lists(spellings, min_size=2, max_size=9, unique_by=apart))
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=len(spelled), max_size=len(spelled)))
    for number, ((name, json_name), (kind, _)) in enumerate(zip(spelled, chosen, strict=True), 1):
        message.field.add(name=name, json_name=json_name, number=number, **kind)
    if message.field[0].label == ONE:
        message.oneof_decl.add(name=oneof)
        message.field[0].oneof_index = 0
    names = (json_name.partition("\0")[0] for _, json_name in spelled)  # which is where C ends a text
    return file, {name: item for name, (_, item) in zip(names, chosen, strict=True)}


def add_types(home: DescriptorProto, value_name: str) -> None:
    """An enum and a map entry."""
    enum = home.enum_type.add(name="E")
    enum.value.add(name="ZERO_" if value_name == "ZERO" else "ZERO", number=0)
    enum.value.add(name=value_name, number=1)
    entry = home.nested_type.add(name="ByKeyEntry")
    entry.options.map_entry = True
    add_field(entry, "key", 1, STRING)
    add_field(entry, "value", 2, INT32)


@settings(max_examples=200)
@given(files_with_values())
def test_any_names(drawn: tuple[FileDescriptorProto, dict[str, Any]]) -> None:
    """What is read under hostile names is printed under the same ones, as a whole and field by field."""
    file, value = drawn
    schema = schema_of(file)
    assume(not schema.problems and not is_ambiguous(file.message_type[0]))
    message = f"class.{file.message_type[0].name}"
    fields = file.message_type[0].field
    by_name = {field.name: item for field, item in zip(fields, value.values(), strict=True)}
    printed = {JsonOptions(): value, JsonOptions(preserve_proto_field_names=True): by_name}
    for options, expected in printed.items():
        codec = Codec(schema.shapes, options)
        for read in (value, by_name):
            assert printed_by(codec, message, wire_of(codec, message, read)) == expected
        for name, item in by_name.items():
            wire = wire_of(codec, message, item, body=name)
            assert printed_by(codec, message, wire, response_body=name) == item


def is_ambiguous(message: DescriptorProto) -> bool:
    """Whether a field is called as another one is in JSON; the JSON name counts then."""
    return any(
        one.name == other.json_name and one is not other for one in message.field for other in message.field
    )


def wire_of(codec: Codec, message: str, value: Any, *, body: str = "*") -> bytes:
    encode = codec.request_encoder(message, http_method="POST", body=body, path_fields=())
    return encode(json.dumps(value).encode(), "application/json", (), "")


def printed_by(codec: Codec, message: str, wire: bytes, *, response_body: str | None = None) -> Any:
    return json.loads(codec.response_decoder(message, response_body=response_body)(wire)[0])


def ring(size: int) -> FileDescriptorProto:
    """Each message contains the next one, and the last one the first."""
    file = new_file()
    for index in range(size):
        message = file.message_type.add(name=f"M{index}")
        add_field(message, "next", 1, MESSAGE, type_name=f".class.M{(index + 1) % size}")
        add_field(message, "far", 2, MESSAGE, label=MANY, type_name=f".class.M{index * 7 % size}")
        add_field(message, "name", 3, STRING)
    return file


def mesh(size: int) -> FileDescriptorProto:
    """Each message contains every message."""
    file = new_file()
    for index in range(size):
        message = file.message_type.add(name=f"M{index}")
        for other in range(size):
            add_field(message, f"f{other}", other + 1, MESSAGE, type_name=f".class.M{other}")
    return file


def wide(size: int) -> FileDescriptorProto:
    """One message has so many fields, and an enum as many names."""
    file = new_file()
    message = file.message_type.add(name="M0")
    add_field(message, "e", 18_999, ENUM, type_name=".class.E")
    for number in range(1, size + 1):
        add_field(message, f"f{number}", number, STRING)
    enum = file.enum_type.add(name="E")
    for number in range(size):
        enum.value.add(name=f"V{number}", number=number)
    return file


@contextmanager
def cpu_time(seconds: float) -> Iterator[None]:
    """Fails when the block takes longer, however busy the machine is with other things."""
    start = time.process_time()
    yield
    taken = time.process_time() - start
    assert taken < seconds, f"{taken:.1f} s of CPU time"


@pytest.mark.parametrize("file", [ring(5000), mesh(70), wide(3000)], ids=["ring", "mesh", "wide"])
def test_large_schemas_are_compiled_in_time(file: FileDescriptorProto) -> None:
    """Every message as a request and as a response, and its first use."""
    with cpu_time(20):
        schema = schema_of(file)
        codec = Codec(schema.shapes, JsonOptions())
        for message in file.message_type:
            name = f"class.{message.name}"
            assert printed_by(codec, name, wire_of(codec, name, {})) == {}


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"next": value}
    return value


def test_a_ring_is_read_and_printed_as_deep_as_messages_go() -> None:
    codec = Codec(schema_of(ring(5000)).shapes, JsonOptions())
    value = nested(90)
    assert printed_by(codec, "class.M4950", wire_of(codec, "class.M4950", value)) == value


def test_no_deeper() -> None:
    codec = Codec(schema_of(ring(5000)).shapes, JsonOptions())
    with pytest.raises(TranscodeError) as refused:
        wire_of(codec, "class.M0", nested(101))
    assert refused.value.kind is INVALID_ARGUMENT
    wire = b""
    for _ in range(120):
        wire = b"\x0a" + varint(len(wire)) + wire
    with pytest.raises(TranscodeError) as unprinted:
        printed_by(codec, "class.M0", wire)
    assert unprinted.value.kind is INTERNAL_ERROR


def test_types_declared_too_deep_inside_each_other_are_left_out() -> None:
    file = new_file()
    message = file.message_type.add(name="M")
    for _ in range(200):
        message = message.nested_type.add(name="M")
    (problem,) = schema_of(file).problems
    assert problem == "file 'a.proto' left out: not a FileDescriptorProto"


def test_a_message_too_large_for_the_runtime_is_left_out() -> None:
    (problem,) = schema_of(wide(5000)).problems
    assert problem.startswith("file 'a.proto' left out: ")
