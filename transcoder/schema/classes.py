"""The classes of messages."""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

_CLASS_OF_CLASSES: Final[Any] = type(Empty)


def message_class(pool: DescriptorPool, full_name: str) -> type[Message]:
    """The class of a message of the pool, always the same one; KeyError if the pool has no such message.

    `message_factory.GetMessageClass` would also make those of all the types it leads to, one call inside the
    other, and so fails where some hundred types refer each to the next. The runtime makes them when it needs
    them.
    """
    descriptor = pool.FindMessageTypeByName(full_name)
    members = {"DESCRIPTOR": descriptor, "__module__": None}
    cls: type[Message] = _CLASS_OF_CLASSES(descriptor.name, (Message,), members)
    return cls
