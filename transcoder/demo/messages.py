"""Message classes built at run time from the compiled protos; there is no generated code."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2


@cache
def pool() -> DescriptorPool:
    """The demo's own descriptor pool: its protos, and those of the health and reflection services."""
    compiled = FileDescriptorSet.FromString(files(__package__).joinpath("demo.binpb").read_bytes())
    health = FileDescriptorProto.FromString(health_pb2.DESCRIPTOR.serialized_pb)
    v1alpha = FileDescriptorProto.FromString(reflection_pb2.DESCRIPTOR.serialized_pb)
    descriptors = DescriptorPool()
    for file in (*compiled.file, health, v1alpha, _as_v1(v1alpha)):
        descriptors.Add(file)
    return descriptors


def _as_v1(reflection: FileDescriptorProto) -> FileDescriptorProto:
    """The file of grpc.reflection.v1, which differs from v1alpha in nothing but that name."""
    text = text_format.MessageToString(reflection).replace("v1alpha", "v1")
    return text_format.Parse(text, FileDescriptorProto())


@cache
def message_class(name: str) -> Any:
    """The class of a message by its full name, such as `order.v1.Order`.

    Its fields exist only at run time, so to a type checker it is `Any`.
    """
    return GetMessageClass(pool().FindMessageTypeByName(name))
