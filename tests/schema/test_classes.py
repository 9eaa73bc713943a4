"""The classes of messages."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from transcoder.schema.classes import message_class


def chain(length: int) -> DescriptorPool:
    """Messages that contain each the next."""
    file = FileDescriptorProto(name="a.proto", package="a", syntax="proto3")
    for index in range(length):
        message = file.message_type.add(name=f"M{index}")
        field = message.field.add(name="next", number=1, label=FieldDescriptorProto.LABEL_OPTIONAL)
        field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".a.M{index + 1}"
    file.message_type.add(name=f"M{length}")
    pool = DescriptorPool()
    pool.Add(file)
    return pool


def test_a_message_has_one_class_whoever_asks_for_it() -> None:
    pool = chain(2)
    first = message_class(pool, "a.M0")
    assert first.DESCRIPTOR is pool.FindMessageTypeByName("a.M0")
    assert message_class(pool, "a.M0") is first
    assert GetMessageClass(first.DESCRIPTOR) is first
    assert message_class(chain(2), "a.M0") is not first


def test_parts_have_their_classes_too() -> None:
    pool = chain(2)
    message = message_class(pool, "a.M0").FromString(b"\x0a\x02\x0a\x00")
    assert type(message.next) is message_class(pool, "a.M1")
    assert type(message.next.next) is message_class(pool, "a.M2")


def test_a_chain_of_types_of_any_length() -> None:
    assert message_class(chain(5000), "a.M0")().ByteSize() == 0


def test_no_such_message() -> None:
    with pytest.raises(KeyError):
        message_class(chain(1), "a.Nothing")
