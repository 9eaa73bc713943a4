"""Short ways to encode, parse and compare messages in tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from transcoder.codec import Codec
from transcoder.errors import INVALID_ARGUMENT, TranscodeError
from transcoder.schema.shape import Shapes

EVERYTHING = "kitchen.Everything"


def message(shapes: Shapes, name: str, wire: bytes = b"") -> Any:
    """The message of the schema's pool that the bytes stand for."""
    return GetMessageClass(shapes.pool.FindMessageTypeByName(name)).FromString(wire)


def expected(shapes: Shapes, name: str, value: Any) -> Message:
    """What json_format makes of a value: the oracle."""
    return json_format.ParseDict(value, message(shapes, name), descriptor_pool=shapes.pool)


def encoded(codec: Codec, shapes: Shapes, name: str, value: Any) -> Any:
    """What the codec makes of a value, read back."""
    return message(shapes, name, codec.encode_json(name)(json.dumps(value).encode()))


def refusal(codec: Codec, name: str, text: bytes | str) -> str:
    """The message a JSON text is refused with."""
    with pytest.raises(TranscodeError) as caught:
        codec.encode_json(name)(text.encode() if isinstance(text, str) else text)
    assert caught.value.kind is INVALID_ARGUMENT
    return caught.value.message


def error_of(call: Callable[[], Any]) -> TranscodeError | None:
    """The refusal a call ends in, None when it does not."""
    try:
        call()
    except TranscodeError as error:
        return error
    return None


def runtime_file(name: str) -> bytes:
    """The serialized descriptor of a .proto file that comes with the runtime."""
    module = import_module(f"{name.removesuffix('.proto').replace('/', '.')}_pb2")
    return bytes(module.DESCRIPTOR.serialized_pb)
