"""Whatever a backend calls its types and however many it has: compiled in time, or left out with a reason."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

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


def schema_of(file: FileDescriptorProto) -> Schema:
    files = {file.name: file.SerializeToString()}
    return Schema.from_files(FileSet(files=files, services=(), origin="descriptor_set"))


def new_file() -> FileDescriptorProto:
    return FileDescriptorProto(name="a.proto", package="class", syntax="proto3")


def add_field(message: DescriptorProto, name: str, number: int, type_: int, **more: Any) -> None:
    message.field.add(name=name, number=number, type=type_, **{"label": ONE, **more})


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
