"""The details of an error a backend sends."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from google.rpc.error_details_pb2 import DebugInfo, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from transcoder.codec import Codec, JsonOptions
from transcoder.schema.shape import Shapes

from .messages import expected


def status(*details: Any) -> bytes:
    message = Status(code=5, message="not found")
    for detail in details:
        if isinstance(detail, AnyMessage):
            message.details.append(detail)
        else:
            message.details.add().Pack(detail)
    return message.SerializeToString()


def test_types_of_the_schema_and_of_google_rpc(codec: Codec, shapes: Shapes) -> None:
    address = expected(shapes, "kitchen.Address", {"city": "Bern", "zipCode": 3000})
    wire = status(address, ErrorInfo(reason="GONE", metadata={"a": "b"}))
    assert codec.status_details(wire) == [
        {"@type": "type.googleapis.com/kitchen.Address", "city": "Bern", "zipCode": 3000},
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "GONE", "metadata": {"a": "b"}},
    ]


def test_a_well_known_type_stands_under_value(codec: Codec) -> None:
    url = "type.googleapis.com/google.protobuf.Duration"
    assert codec.status_details(status(Duration(seconds=5))) == [{"@type": url, "value": "5s"}]


def test_the_json_options_count(shapes: Shapes) -> None:
    codec = Codec(shapes, JsonOptions(preserve_proto_field_names=True))
    wire = status(expected(shapes, "kitchen.Address", {"zipCode": 3000}))
    assert codec.status_details(wire)[0]["zip_code"] == 3000


@pytest.mark.parametrize(
    "detail",
    [
        AnyMessage(type_url="type.googleapis.com/no.Such", value=b"\xff\x00"),
        AnyMessage(type_url="type.googleapis.com/kitchen.Address", value=b"\xff"),
        AnyMessage(type_url="nonsense", value=b"x"),
        AnyMessage(type_url="", value=b"x"),
        AnyMessage(),
    ],
)
def test_what_cannot_be_read_is_base64_and_the_rest_survives(codec: Codec, detail: AnyMessage) -> None:
    opaque = {"@type": detail.type_url, "value": base64.b64encode(detail.value).decode()}
    found = codec.status_details(status(detail, ErrorInfo(reason="GONE")))
    assert found == [opaque, {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "GONE"}]


def test_numbers_json_does_not_know(codec: Codec) -> None:
    struct = Struct()
    struct.fields["a"].number_value = float("nan")
    assert (
        codec.status_details(status(struct))[0]["value"]
        == base64.b64encode(struct.SerializeToString()).decode()
    )


def test_details_nested_too_deeply_to_be_written(codec: Codec) -> None:
    detail = AnyMessage()
    detail.Pack(ErrorInfo(reason="GONE"))
    for _ in range(400):
        outer = AnyMessage()
        outer.Pack(detail)
        detail = outer
    (found,) = codec.status_details(status(detail))
    assert orjson.dumps(found)
    assert isinstance(found["value"], str)


def test_stack_traces_are_not_for_clients(codec: Codec) -> None:
    trace = DebugInfo(stack_entries=["main.py:1"], detail="secret")
    assert codec.status_details(status(trace)) == []
    assert codec.retry_delay(status(trace)) is None


@pytest.mark.parametrize("wire", [b"", b"\xff", b"garbage", status()])
def test_nothing_to_read(codec: Codec, wire: bytes) -> None:
    assert codec.status_details(wire) == []
    assert codec.retry_delay(wire) is None


def retry_info(seconds: int, nanos: int = 0) -> RetryInfo:
    return RetryInfo(retry_delay=Duration(seconds=seconds, nanos=nanos))


@pytest.mark.parametrize(
    ("details", "delay"),
    [
        ([retry_info(3)], 3.0),
        ([ErrorInfo(reason="x"), retry_info(1, 500_000_000)], 1.5),
        ([retry_info(0)], 0.0),
        ([retry_info(-1)], None),
        ([RetryInfo()], None),
        ([AnyMessage(type_url="x/google.rpc.RetryInfo", value=b"\xff")], None),
        ([ErrorInfo(reason="x")], None),
    ],
)
def test_retry_delay(codec: Codec, details: list[Any], delay: float | None) -> None:
    assert codec.retry_delay(status(*details)) == delay


@given(
    wire=st.binary(),
    url=st.sampled_from(["x/kitchen.Everything", "x/google.rpc.RetryInfo", "x/google.protobuf.Struct"]),
)
def test_no_bytes_make_it_raise(codec: Codec, wire: bytes, url: str) -> None:
    for sent in (wire, status(AnyMessage(type_url=url, value=wire))):
        orjson.dumps(codec.status_details(sent))
        codec.retry_delay(sent)
