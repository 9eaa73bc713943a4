"""What a codec has compiled frees itself when it is told to forget it, and is compiled again if needed."""

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status

from transcoder.codec import Codec, JsonOptions
from transcoder.errors import TranscodeError
from transcoder.schema.shape import Shapes

from .messages import EVERYTHING

VALUE = {
    "aString": "a",
    "someBytes": "YQ==",
    "itself": {"anInt64": "7", "someBytes": "Yg==", "itself": {"aString": "c"}},
    "any": {"@type": f"type.example/{EVERYTHING}", "aString": "d", "itself": {"aString": "e"}},
    "addresses": [{"city": "f"}],
}
STRICTLY = {**VALUE, "itself": {"itself": {"a_string": "both", "anInt64": 7}}}
UNKNOWN = {"itself": {"itself": {"bad": 1}}}


@pytest.fixture
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


def garbage() -> Counter[str]:
    """By type, what only the collector can free."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    gc.set_debug(0)
    kinds = Counter(type(one).__name__ for one in gc.garbage)
    gc.garbage.clear()
    return kinds


def user_of(codec: Codec) -> Callable[[], list[object]]:
    """Uses what is compiled for a message that contains itself, in every way there is."""
    encode = codec.request_encoder(EVERYTHING, http_method="POST", body="*", path_fields=())
    decode = codec.response_decoder(EVERYTHING, response_body=None)
    part = codec.response_decoder(EVERYTHING, response_body="itself")
    unknown_here = AnyMessage()
    unknown_here.Pack(BadRequest(field_violations=[{"field": "x"}]))
    known_here = AnyMessage(type_url=f"type.example/{EVERYTHING}")
    status = Status(code=3, details=[unknown_here, known_here]).SerializeToString()

    def refused() -> str:
        try:
            encode(json.dumps(UNKNOWN).encode(), "application/json", (), "")
        except TranscodeError as error:  # `pytest.raises` would keep the traceback
            return str(error)
        raise AssertionError

    def use() -> list[object]:
        wires = [
            encode(json.dumps(value).encode(), "application/json", (), "") for value in (VALUE, STRICTLY)
        ]
        details = codec.status_details(status)
        return [*wires, refused(), *map(decode, wires), *map(part, wires), details]

    return use


@pytest.mark.usefixtures("_no_collector")
def test_what_is_forgotten_frees_itself(shapes: Shapes) -> None:
    """But for the classes of messages: every class refers to itself."""
    codec = Codec(Shapes(shapes.pool), JsonOptions())
    use = user_of(codec)
    use()
    codec.forget()
    del codec, use
    kinds = garbage()
    assert kinds.keys() <= {"MessageMeta", "Descriptor", "tuple", "dict"}
    assert kinds["dict"] <= kinds["MessageMeta"]


def test_what_is_forgotten_is_compiled_again(shapes: Shapes) -> None:
    codec = Codec(Shapes(shapes.pool), JsonOptions())
    use = user_of(codec)
    before = use()
    codec.forget()
    assert use() == before
    codec.forget()
    assert user_of(codec)() == before
