"""Every way a call can fail, as a client sees it."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from tests.e2e.shop import GET_ORDER, Site
from tests.support.backend import Answer, Call, failure

Code = grpc.StatusCode
INTERNAL = "internal error"
UNAVAILABLE = "service unavailable"


@pytest.mark.parametrize(
    ("code", "status", "name", "message"),
    [
        (Code.CANCELLED, 499, "CANCELLED", "told"),
        (Code.UNKNOWN, 500, "INTERNAL_ERROR", INTERNAL),
        (Code.INVALID_ARGUMENT, 400, "INVALID_ARGUMENT", "told"),
        (Code.DEADLINE_EXCEEDED, 504, "TIMEOUT", "told"),
        (Code.NOT_FOUND, 404, "NOT_FOUND", "told"),
        (Code.ALREADY_EXISTS, 409, "ALREADY_EXISTS", "told"),
        (Code.PERMISSION_DENIED, 403, "PERMISSION_DENIED", "told"),
        (Code.RESOURCE_EXHAUSTED, 429, "RESOURCE_EXHAUSTED", "told"),
        (Code.FAILED_PRECONDITION, 400, "FAILED_PRECONDITION", "told"),
        (Code.ABORTED, 409, "ABORTED", "told"),
        (Code.OUT_OF_RANGE, 400, "OUT_OF_RANGE", "told"),
        (Code.UNIMPLEMENTED, 501, "UNIMPLEMENTED", "told"),
        (Code.INTERNAL, 500, "INTERNAL_ERROR", INTERNAL),
        (Code.UNAVAILABLE, 503, "SERVICE_UNAVAILABLE", UNAVAILABLE),
        (Code.DATA_LOSS, 500, "INTERNAL_ERROR", INTERNAL),
        (Code.UNAUTHENTICATED, 401, "UNAUTHENTICATED", "told"),
    ],
)
async def test_code_of_the_backend(site: Site, code: Code, status: int, name: str, message: str) -> None:
    site.backend.replies[GET_ORDER] = failure(code, "told")
    answer = await site.gateway.client.get("/orders/7", headers={"X-Request-Id": "r-1"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"error": {"code": name, "message": message, "request_id": "r-1"}}
    assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)


async def test_ok_is_no_error(site: Site) -> None:
    site.backend.replies[GET_ORDER] = Answer(messages=[site.backend.schema.message("shop.v1.Order")])
    assert (await site.gateway.client.get("/orders/7")).status_code == 200


async def test_texts_of_every_language_arrive(site: Site) -> None:
    site.backend.replies[GET_ORDER] = failure(Code.NOT_FOUND, 'kein "Auftrag" 7\n\u2028<ü>')
    answer = await site.gateway.client.get("/orders/7")
    assert answer.json()["error"]["message"] == 'kein "Auftrag" 7\n\u2028<ü>'


async def _details(site: Site, *details: Any) -> list[dict[str, Any]]:
    site.backend.replies[GET_ORDER] = failure(Code.FAILED_PRECONDITION, "told", details=details)
    answer = await site.gateway.client.get("/orders/7")
    assert answer.status_code == 400
    decoded: list[dict[str, Any]] = answer.json()["error"]["details"]
    return decoded


async def test_details_of_the_backends_own_types(site: Site) -> None:
    refusal = site.backend.schema.message("shop.v1.Refusal", why="sold out")
    assert await _details(site, refusal) == [
        {"@type": "type.googleapis.com/shop.v1.Refusal", "why": "sold out"}
    ]


async def test_details_of_google_rpc(site: Site) -> None:
    violation = BadRequest.FieldViolation(field="order_id", description="too old")
    info = ErrorInfo(reason="OLD", domain="shop", metadata={"age": "9"})
    bad_request, error_info = await _details(site, BadRequest(field_violations=[violation]), info)
    assert bad_request["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert bad_request["fieldViolations"] == [{"field": "order_id", "description": "too old"}]
    assert error_info == {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "OLD",
        "domain": "shop",
        "metadata": {"age": "9"},
    }


async def test_details_that_nobody_knows_leave_the_rest(site: Site) -> None:
    unknown = AnyMessage(type_url="type.example/no.Such", value=b"\x01\xff")
    broken = AnyMessage(type_url="type.googleapis.com/shop.v1.Refusal", value=b"\xff")
    known = AnyMessage()
    known.Pack(ErrorInfo(reason="OLD"))
    status = Status(code=9, details=[unknown, broken, known])
    site.backend.replies[GET_ORDER] = Answer(
        code=Code.FAILED_PRECONDITION,
        text="told",
        trailers=[("grpc-status-details-bin", status.SerializeToString())],
    )
    answer = await site.gateway.client.get("/orders/7")
    assert answer.json()["error"]["details"] == [
        {"@type": "type.example/no.Such", "value": "Af8="},
        {"@type": "type.googleapis.com/shop.v1.Refusal", "value": "/w=="},
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "OLD"},
    ]


async def test_garbage_for_details_is_left_out(site: Site) -> None:
    trailers = [("grpc-status-details-bin", b"\xff\xff\xff")]
    site.backend.replies[GET_ORDER] = Answer(code=Code.ABORTED, text="told", trailers=trailers)
    answer = await site.gateway.client.get("/orders/7")
    assert (answer.status_code, answer.json()["error"]["message"]) == (409, "told")
    assert "details" not in answer.json()["error"]


@pytest.mark.parametrize(
    ("delay", "seconds"), [(Duration(seconds=7), "7"), (Duration(seconds=1, nanos=1), "2"), (Duration(), "0")]
)
async def test_retry_info_says_when_to_come_back(site: Site, delay: Duration, seconds: str) -> None:
    for code, status in ((Code.RESOURCE_EXHAUSTED, 429), (Code.UNAVAILABLE, 503)):
        site.backend.replies[GET_ORDER] = failure(code, "busy", details=[RetryInfo(retry_delay=delay)])
        answer = await site.gateway.client.get("/orders/7")
        assert (answer.status_code, answer.headers["retry-after"]) == (status, seconds)


async def test_metadata_of_an_error_becomes_headers(site: Site) -> None:
    site.backend.replies[GET_ORDER] = Answer(
        code=Code.NOT_FOUND,
        metadata=[("x-served-by", "one")],
        trailers=[("x-http-code", "200"), ("x-took", "3")],
    )
    answer = await site.gateway.client.get("/orders/7")
    assert (answer.status_code, answer.headers["x-served-by"], answer.headers["x-took"]) == (404, "one", "3")
    assert answer.json()["error"]["message"]


async def test_exception_in_the_backend_tells_nothing(site: Site) -> None:
    async def fail(_: Call) -> Answer:
        raise ValueError("password of the database")

    site.backend.replies[GET_ORDER] = fail
    answer = await site.gateway.client.get("/orders/7", headers={"X-Request-Id": "r-1"})
    assert answer.status_code == 500
    assert answer.json() == {
        "error": {"code": "INTERNAL_ERROR", "message": "internal error", "request_id": "r-1"}
    }


async def test_unreachable_backend_tells_nothing(site: Site) -> None:
    answer = await site.gateway.client.get("/lost/7", headers={"X-Request-Id": "r-1"})
    assert answer.status_code == 503
    assert answer.json() == {
        "error": {"code": "SERVICE_UNAVAILABLE", "message": "service unavailable", "request_id": "r-1"}
    }


async def test_method_the_backend_does_not_have(site: Site) -> None:
    answer = await site.gateway.client.get("/nothing")
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "UNIMPLEMENTED")
    assert "Nothing" not in answer.json()["error"]["message"]


async def test_answer_that_is_too_large(site: Site) -> None:
    site.answer("shop.v1.Order", id="x" * (11 * 1024 * 1024))
    answer = await site.gateway.client.get("/orders/7")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
