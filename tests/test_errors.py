"""The one table of errors, and their one shape."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from transcoder import errors
from transcoder.errors import (
    INTERNAL_ERROR,
    INVALID_ARGUMENT,
    SERVICE_UNAVAILABLE,
    UNKNOWN,
    Code,
    ConfigError,
    ErrorKind,
    Problem,
    TranscodeError,
    gateway_shape,
    kind_of_code,
    kind_of_http,
)

TABLE = {
    "CANCELLED": (499, "CANCELLED"),
    "UNKNOWN": (500, "INTERNAL_ERROR"),
    "INVALID_ARGUMENT": (400, "INVALID_ARGUMENT"),
    "DEADLINE_EXCEEDED": (504, "TIMEOUT"),
    "NOT_FOUND": (404, "NOT_FOUND"),
    "ALREADY_EXISTS": (409, "ALREADY_EXISTS"),
    "PERMISSION_DENIED": (403, "PERMISSION_DENIED"),
    "RESOURCE_EXHAUSTED": (429, "RESOURCE_EXHAUSTED"),
    "FAILED_PRECONDITION": (400, "FAILED_PRECONDITION"),
    "ABORTED": (409, "ABORTED"),
    "OUT_OF_RANGE": (400, "OUT_OF_RANGE"),
    "UNIMPLEMENTED": (501, "UNIMPLEMENTED"),
    "INTERNAL": (500, "INTERNAL_ERROR"),
    "UNAVAILABLE": (503, "SERVICE_UNAVAILABLE"),
    "DATA_LOSS": (500, "INTERNAL_ERROR"),
    "UNAUTHENTICATED": (401, "UNAUTHENTICATED"),
}


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_grpc_code_has_its_row(code: grpc.StatusCode) -> None:
    kind = kind_of_code(code.value[0])
    assert (kind.http, kind.name) == TABLE[code.name]
    assert kind.grpc.name == code.name


def test_codes_are_those_of_grpc() -> None:
    assert {code.name: code.value for code in Code} == {code.name: code.value[0] for code in grpc.StatusCode}


@pytest.mark.parametrize("code", [0, 17, 99, -1, 2**40])
def test_unknown_codes_are_unknown(code: int) -> None:
    assert kind_of_code(code) is UNKNOWN


@pytest.mark.parametrize(
    ("status", "http", "name"),
    [
        (400, 400, "INVALID_ARGUMENT"),
        (404, 404, "NOT_FOUND"),
        (405, 405, "METHOD_NOT_ALLOWED"),
        (408, 408, "REQUEST_TIMEOUT"),
        (413, 413, "PAYLOAD_TOO_LARGE"),
        (415, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (503, 503, "SERVICE_UNAVAILABLE"),
        (417, 400, "INVALID_ARGUMENT"),
        (499, 400, "INVALID_ARGUMENT"),
        (500, 500, "INTERNAL_ERROR"),
        (399, 500, "INTERNAL_ERROR"),
        (599, 500, "INTERNAL_ERROR"),
    ],
)
def test_refusals_of_the_server(status: int, http: int, name: str) -> None:
    kind = kind_of_http(status)
    assert (kind.http, kind.name) == (http, name)


def all_kinds() -> list[ErrorKind]:
    return [value for value in vars(errors).values() if isinstance(value, ErrorKind)]


@pytest.mark.parametrize("kind", all_kinds(), ids=lambda kind: f"{kind.name}-{kind.grpc.name}")
def test_only_some_kinds_say_what_happened(kind: ErrorKind) -> None:
    error = TranscodeError(kind, "10.0.0.1:50051 refused", reason="why")
    if kind.name in ("INTERNAL_ERROR", "SERVICE_UNAVAILABLE"):
        assert error.message == kind.fixed_message
        assert "10.0.0.1" not in str(gateway_shape(error, "id"))
    else:
        assert error.message == "10.0.0.1:50051 refused"
    assert str(error) == error.reason == "why"
    assert repr(error) == f"TranscodeError({kind.name}, {error.message!r})"


def test_reason_is_the_message_when_nothing_else_is_said() -> None:
    assert TranscodeError(INTERNAL_ERROR, "what happened").reason == "what happened"
    assert TranscodeError(INVALID_ARGUMENT, "what happened").reason == "what happened"


def test_error_keeps_what_it_is_given() -> None:
    error = TranscodeError(
        SERVICE_UNAVAILABLE, "", headers=[("retry-after", "1")], status_details=b"d", metadata=[("k", b"v")]
    )
    assert (error.headers, error.status_details, error.metadata) == (
        (("retry-after", "1"),),
        b"d",
        (("k", b"v"),),
    )


@pytest.mark.parametrize(
    ("details", "expected"), [([], {}), ([{"@type": "t"}], {"details": [{"@type": "t"}]})]
)
def test_one_shape(details: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    error = TranscodeError(INVALID_ARGUMENT, "no")
    shape = {"code": "INVALID_ARGUMENT", "message": "no", "request_id": "r1", **expected}
    assert gateway_shape(error, "r1", details) == {"error": shape}


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem(message="m"), "m"),
        (Problem(message="m", key="a.b"), "a.b: m"),
        (Problem(message="m", key="a.b", file="f.yaml"), "f.yaml: a.b: m"),
        (Problem(message="m", key="a.b", file="f.yaml", line=3), "f.yaml:3: a.b: m"),
        (Problem(message="m", file="f.yaml", line=3), "f.yaml:3: m"),
    ],
)
def test_problem_says_where(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_all_problems_are_said() -> None:
    error = ConfigError([Problem(message="one"), Problem(message="two")])
    assert str(error) == "one\ntwo"
    assert [problem.message for problem in error.problems] == ["one", "two"]
