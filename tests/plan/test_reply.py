"""From the end of a call to the answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import DebugInfo, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from transcoder.codec import Codec, JsonOptions
from transcoder.context import CallResult, Metadata, Reply
from transcoder.errors import (
    INTERNAL_ERROR,
    NOT_FOUND,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    TranscodeError,
    gateway_shape,
    google_shape,
)
from transcoder.plan.reply import compile_refuse, compile_respond, refuse, stream_head
from transcoder.schema.shape import Shapes

CODEC = Codec(Shapes(DescriptorPool()), JsonOptions())


def answered(metadata: Metadata = (), body: bytes = b"{}") -> Reply:
    respond = compile_respond(lambda _: (body, "application/json"))
    return respond(CallResult(wire=b"", metadata=metadata))


def refused(error: TranscodeError) -> Reply:
    return compile_refuse(gateway_shape, CODEC.status_details, CODEC.retry_delay)(error, "id-1")


def status(*details: Message) -> bytes:
    message = Status(code=8, message="m")
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        message.details.append(packed)
    return bytes(message.SerializeToString())


def body(reply: Reply) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(reply.body)["error"]
    return error


def test_success() -> None:
    assert answered(body=b"[1]") == Reply(status=200, body=b"[1]", content_type="application/json")


def test_decoder_says_the_content_type() -> None:
    respond = compile_respond(lambda wire: (wire, "image/png"))
    reply = respond(CallResult(wire=b"png"))
    assert (reply.body, reply.content_type) == (b"png", "image/png")


@pytest.mark.parametrize(("value", "expected"), [("200", 200), ("201", 201), ("404", 404), ("599", 599)])
def test_backend_chooses_the_status(value: str, expected: int) -> None:
    reply = answered([("x-http-code", value)])
    assert (reply.status, reply.headers, reply.body) == (expected, (), b"{}")


@pytest.mark.parametrize(
    "value", ["199", "100", "600", "99", "0201", "2 01", "+201", "201\n", "", "abc", "٢٠١", b"201"]
)
def test_other_statuses_are_not_followed(value: str | bytes) -> None:
    assert answered([("x-http-code", value)]).status == 200


def test_first_wellformed_status_counts() -> None:
    assert answered([("x-http-code", "x"), ("x-http-code", "202"), ("x-http-code", "203")]).status == 202


@pytest.mark.parametrize("value", ["204", "304"])
def test_statuses_without_a_body(value: str) -> None:
    assert answered([("x-http-code", value)]).body == b""


def test_metadata_becomes_headers() -> None:
    metadata = [("x-a", "1"), ("x-a", "2"), ("location", "/x"), ("set-cookie", "a=b"), ("x_b.c", "")]
    assert answered(metadata).headers == tuple(metadata)


@pytest.mark.parametrize(
    "name",
    [
        "grpc-status",
        "grpc-anything",
        "x-data-bin",
        "content-type",
        "content-length",
        "content-encoding",
        "access-control-allow-origin",
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "host",
        "date",
        "server",
        "x-request-id",
        "x-http-code",
        "bad name",
        "bad\r\nname",
        "Upper",
        ":path",
        "",
    ],
)
def test_metadata_that_is_no_header(name: str) -> None:
    assert answered([(name, "200"), ("x-a", "1")]).headers == (("x-a", "1"),)
    error = TranscodeError(NOT_FOUND, "m", metadata=[(name, "200"), ("x-a", "1")])
    assert refused(error).headers == (("x-a", "1"),)


@pytest.mark.parametrize(
    "value", ["a\r\nset-cookie: evil=1", "\n", "\x00", "\x1b[31m", "é", "\x7f", b"bytes"]
)
def test_values_that_would_break_the_answer_are_left_out(value: str | bytes) -> None:
    assert answered([("x-a", value), ("x-b", "1")]).headers == (("x-b", "1"),)


def test_names_that_only_begin_like_hidden_ones_are_shown() -> None:
    metadata = [("tenant", "1"), ("hostname", "2"), ("x-grpc-a", "3"), ("server-timing", "4")]
    assert answered(metadata).headers == tuple(metadata)


def test_refusal() -> None:
    error = TranscodeError(NOT_FOUND, "no such order", reason="looked everywhere", headers=[("allow", "GET")])
    for reply in (refuse(error, "id-1"), refused(error)):
        assert reply.status == 404
        assert reply.content_type == "application/json"
        assert json.loads(reply.body) == {
            "error": {"code": "NOT_FOUND", "message": "no such order", "request_id": "id-1"}
        }
        assert reply.headers == (("allow", "GET"),)
        assert (reply.code, reply.reason) == ("NOT_FOUND", "looked everywhere")


def test_internal_errors_say_nothing() -> None:
    reply = refused(TranscodeError(INTERNAL_ERROR, "at 10.0.0.1", status_details=b"", reason="at 10.0.0.1"))
    assert body(reply)["message"] == "internal error"
    assert b"10.0.0.1" not in reply.body
    assert reply.reason == "at 10.0.0.1"


def test_details_are_printed_without_stack_traces() -> None:
    wire = status(ErrorInfo(reason="WHY", domain="d"), DebugInfo(stack_entries=["secret"], detail="secret"))
    reply = refused(TranscodeError(NOT_FOUND, "m", status_details=wire))
    assert body(reply)["details"] == [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "WHY", "domain": "d"}
    ]
    assert b"secret" not in reply.body
    assert reply.headers == ()


@pytest.mark.parametrize("wire", [b"\xff\xff", status(), status(DebugInfo(detail="x"))])
def test_no_readable_details_are_none(wire: bytes) -> None:
    assert "details" not in body(refused(TranscodeError(NOT_FOUND, "m", status_details=wire)))


@pytest.mark.parametrize(
    ("seconds", "nanos", "expected"), [(3, 0, "3"), (0, 1, "1"), (2, 500_000_000, "3"), (0, 0, "0")]
)
def test_retry_info_is_retry_after(seconds: int, nanos: int, expected: str) -> None:
    wire = status(RetryInfo(retry_delay=Duration(seconds=seconds, nanos=nanos)))
    reply = refused(TranscodeError(RESOURCE_EXHAUSTED, "m", status_details=wire))
    assert reply.status == 429
    assert reply.headers == (("retry-after", expected),)


def test_retry_after_is_said_once() -> None:
    wire = status(RetryInfo(retry_delay=Duration(seconds=3)))
    error = TranscodeError(RESOURCE_EXHAUSTED, "m", status_details=wire, metadata=[("retry-after", "7")])
    assert refused(error).headers == (("retry-after", "7"),)


def test_negative_retry_delay_is_none() -> None:
    wire = status(RetryInfo(retry_delay=Duration(seconds=-3)))
    assert refused(TranscodeError(RESOURCE_EXHAUSTED, "m", status_details=wire)).headers == ()


def test_unauthenticated_has_a_challenge() -> None:
    assert refuse(TranscodeError(UNAUTHENTICATED, "m"), "id").headers == (("www-authenticate", "Bearer"),)
    for error in (
        TranscodeError(UNAUTHENTICATED, "m", headers=[("www-authenticate", "Basic")]),
        TranscodeError(UNAUTHENTICATED, "m", metadata=[("www-authenticate", "Basic")]),
    ):
        assert refused(error).headers == (("www-authenticate", "Basic"),)


def test_metadata_of_a_failed_call_becomes_headers() -> None:
    error = TranscodeError(NOT_FOUND, "m", metadata=[("x-a", "1"), ("x-http-code", "201"), ("x-a", "2")])
    reply = refused(error)
    assert reply.status == 404
    assert reply.headers == (("x-a", "1"), ("x-a", "2"))


GOOGLE = compile_refuse(google_shape, CODEC.status_details, CODEC.retry_delay)


def test_google_format_is_a_status() -> None:
    reply = GOOGLE(TranscodeError(NOT_FOUND, "gone"), "id-1")
    assert (reply.status, json.loads(reply.body)) == (404, {"code": 5, "message": "gone", "details": []})


def test_google_format_shows_what_the_backend_said_where_that_can_be_shown() -> None:
    told = TranscodeError(INTERNAL_ERROR, "out of stock", said="out of stock")
    untold = TranscodeError(INTERNAL_ERROR, "ipv4:10.0.0.1:80")
    assert [json.loads(GOOGLE(error, "id-1").body)["message"] for error in (told, untold)] == [
        "out of stock",
        "internal error",
    ]


def test_head_of_a_stream() -> None:
    metadata = [("x-http-code", "206"), ("x-a", "1"), ("content-length", "5"), ("x-b", "\r\n")]
    assert stream_head(metadata) == (206, (("x-a", "1"),))
    assert stream_head([]) == (200, ())
