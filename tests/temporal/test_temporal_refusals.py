"""What the gateways refuse, each in its own words, and where the two part.

The table at the end says how and why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pytest

from tests.temporal.orders import workflow
from tests.temporal.sides import Answer, Sides

MALFORMED: Final[dict[bytes, str]] = {
    b"{": "malformed JSON: line 1 column 2",
    b"{'a': 1}": "malformed JSON: line 1 column 2",
    b'{"a": 1,}': "malformed JSON: line 1 column 9",
    b"\xef\xbb\xbf{}": "malformed JSON: line 1 column 1",
    b'{"requestId": "\xff"}': "malformed JSON: not UTF-8",
    b'{"requestId": "\\ud83d"}': "malformed JSON: lone surrogate in a string",
    b'{"requestId": "a", "requestId": "b"}': "malformed JSON: duplicate key `requestId`",
    b'{"requestId": "a", "request_id": "b"}': "`requestId` and `request_id` are one field @ $",
    b"[]": "invalid value for StartWorkflowExecutionRequest @ $",
    b"null": "invalid value for StartWorkflowExecutionRequest @ $",
    b"1": "invalid value for StartWorkflowExecutionRequest @ $",
    b'{"none": 1}': "no field `none` in StartWorkflowExecutionRequest @ $",
    b'{"requestId": 1}': "invalid value for string @ $.requestId",
    b'{"workflowType": "x"}': "invalid value for WorkflowType @ $.workflowType",
    b'{"taskQueue": {"name": {}}}': "invalid value for string @ $.taskQueue.name",
    b'{"requestEagerExecution": "true"}': "invalid value for bool @ $.requestEagerExecution",
    b'{"retryPolicy": {"maximumAttempts": 1.5}}': "invalid value for int32 @ $.retryPolicy.maximumAttempts",
    b'{"retryPolicy": {"maximumAttempts": 2147483648}}': "invalid value for int32"
    " @ $.retryPolicy.maximumAttempts",
    b'{"retryPolicy": {"backoffCoefficient": 1e400}}': "malformed JSON: number out of range",
    b'{"workflowRunTimeout": "1 hour"}': "invalid value for google.protobuf.Duration @ $.workflowRunTimeout",
    b'{"workflowIdReusePolicy": "NONE"}': "invalid value for WorkflowIdReusePolicy @ $.workflowIdReusePolicy",
    b'{"input": {"payloads": [null]}}': "invalid value for Payload @ $.input.payloads[0]",
    b'{"input": {"payloads": [{"data": "***"}]}}': "invalid value for bytes @ $.input.payloads[0].data",
    b'{"memo": {"fields": {"a": null}}}': "invalid value for Payload @ $.memo.fields.a",
    b'{"completionCallbacks": [{"nexus": {}, "internal": {}}]}': "more than one field of oneof `variant`"
    " @ $.completionCallbacks[0]",
}
"""Bodies, and what the gateway says to them; without the packages of types."""


@pytest.mark.parametrize("body", MALFORMED, ids=repr)
async def test_malformed_bodies_are_refused_by_both(sides: Sides, body: bytes) -> None:
    theirs, ours = await sides.ask("POST", "workflows/malformed", body)
    assert ours.refusal == theirs.refusal == (400, "INVALID_ARGUMENT")
    assert without_packages(ours.told["message"]) == MALFORMED[body]


QUERIES: Final[dict[str, str]] = {
    "workflows?pageSize=abc": "invalid value for int32 in query: pageSize",
    "workflows?pageSize=": "invalid value for int32 in query: pageSize",
    "workflows?pageSize=+1": "invalid value for int32 in query: pageSize",
    "workflows?page_size=99999999999": "invalid value for int32 in query: page_size",
    "workflows?pageSize=1&pageSize=2": "more than one value in query: pageSize",
    "workflows?nextPageToken=***": "invalid value for bytes in query: nextPageToken",
    "workflows?query=%zz": "malformed percent-escape in query",
    "workflows/x?execution={}": "WorkflowExecution has no string form in query: execution",
    "task-queues/q?taskQueueType=NONE": "invalid value for TaskQueueType in query: taskQueueType",
    "task-queues/q?includeTaskQueueStatus=yes": "invalid value for bool in query: includeTaskQueueStatus",
    "task-queues/q?versions=x": "TaskQueueVersionSelection has no string form in query: versions",
    "schedules/x/matching-times?startTime=now": "invalid value for google.protobuf.Timestamp"
    " in query: startTime",
}


@pytest.mark.parametrize("path", QUERIES)
async def test_malformed_queries_are_refused_by_both(sides: Sides, path: str) -> None:
    theirs, ours = await sides.ask("GET", path)
    assert ours.refusal == theirs.refusal == (400, "INVALID_ARGUMENT")
    assert without_packages(ours.told["message"]) == QUERIES[path]


def without_packages(message: str) -> str:
    return " ".join(
        word.rpartition(".")[2] if word.startswith("temporal.") else word for word in message.split(" ")
    )


@pytest.mark.parametrize("path", ["/", "/api/v1/none", "/api/v2", "/api/v1/namespaces/x/none/y/z"])
async def test_an_unknown_path_is_404_on_both(sides: Sides, path: str) -> None:
    theirs, ours = await sides.ask("GET", path)
    assert ours.refusal == theirs.refusal == (404, "NOT_FOUND")


@pytest.mark.parametrize("value", ["x", "1", "S", "1s"])
async def test_a_malformed_deadline_is_400_on_both(sides: Sides, value: str) -> None:
    theirs, ours = await sides.ask("GET", "workflows", headers={"Grpc-Timeout": value})
    assert ours.refusal == theirs.refusal == (400, "INVALID_ARGUMENT")


async def test_a_deadline_is_504_on_both(sides: Sides) -> None:
    await sides.same("POST", "workflows/unanswered", workflow())
    theirs, ours = await sides.ask(
        "POST", "workflows/unanswered/query/status", {}, headers={"Grpc-Timeout": "300m"}
    )
    assert ours.refusal == theirs.refusal == (504, "TIMEOUT")
    assert "STREAM" not in ours.told["message"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A request that the two do not answer alike: status and code of each; None is a success."""

    why: str
    method: str = "GET"
    path: str
    body: Any = None
    headers: Any = None
    theirs: tuple[int, str | None]
    ours: tuple[int, str | None]

    def __str__(self) -> str:
        return f"{self.method} {self.path}: {self.why}"


DIFFERENCES: Final = (
    Difference(
        why="grpc-gateway has 501 for a method that a path does not have, we have 405 with Allow",
        method="DELETE",
        path="workflows",
        theirs=(501, "UNIMPLEMENTED"),
        ours=(405, "METHOD_NOT_ALLOWED"),
    ),
    Difference(
        why="grpc-gateway splits the decoded path, http.proto the raw one: an encoded slash is data",
        method="POST",
        path="workflows/a%2Fb",
        body=workflow(),
        theirs=(404, "NOT_FOUND"),
        ours=(200, None),
    ),
    Difference(
        why="grpc-gateway binds an empty segment, http.proto has `*` match a segment that is there",
        path="workflows/",
        theirs=(400, "INVALID_ARGUMENT"),
        ours=(404, "NOT_FOUND"),
    ),
    Difference(
        why="grpc-gateway passes on what is not UTF-8, and their server fails to print it",
        path="workflows/%ff",
        theirs=(500, "INTERNAL_ERROR"),
        ours=(400, "INVALID_ARGUMENT"),
    ),
    Difference(
        why="the same in a query",
        path="workflows?query=%ff",
        theirs=(500, "INTERNAL_ERROR"),
        ours=(400, "INVALID_ARGUMENT"),
    ),
    Difference(
        why="grpc-gateway stops reading after the first JSON value",
        method="POST",
        path="workflows/trailing-data",
        body=b'{"workflowType": {"name": "order"}, "taskQueue": {"name": "q"}} x',
        theirs=(200, None),
        ours=(400, "INVALID_ARGUMENT"),
    ),
    Difference(
        why="Temporal's dialect of ProtoJSON also reads enum names as its first API wrote them",
        method="POST",
        path="workflows/old-names",
        body=workflow(workflowIdReusePolicy="RejectDuplicate"),
        theirs=(200, None),
        ours=(400, "INVALID_ARGUMENT"),
    ),
    Difference(
        why="grpc-gateway takes any media type for JSON",
        method="POST",
        path="workflows/media-type",
        body=workflow(),
        headers={"Content-Type": "text/plain"},
        theirs=(200, None),
        ours=(415, "UNSUPPORTED_MEDIA_TYPE"),
    ),
    Difference(
        why="grpc-gateway reads booleans in a query as Go's ParseBool does, we as ProtoJSON",
        path="task-queues/q?includeTaskQueueStatus=1",
        theirs=(200, None),
        ours=(400, "INVALID_ARGUMENT"),
    ),
    Difference(
        why="and integers as ParseInt does; ProtoJSON has exponents",
        path="workflows?query=WorkflowType='none'&pageSize=1e1",
        theirs=(400, "INVALID_ARGUMENT"),
        ours=(200, None),
    ),
    Difference(
        why="Go refuses a semicolon in a query, for us it is data",
        path="workflows?query=WorkflowType='none'&a;b=c",
        theirs=(400, "INVALID_ARGUMENT"),
        ours=(200, None),
    ),
    Difference(
        why="the gRPC protocol allows eight digits, grpc-gateway any number",
        path="workflows?query=WorkflowType='none'",
        headers={"Grpc-Timeout": "123456789S"},
        theirs=(200, None),
        ours=(400, "INVALID_ARGUMENT"),
    ),
)


@pytest.mark.parametrize("case", DIFFERENCES, ids=str)
async def test_a_known_difference(sides: Sides, case: Difference) -> None:
    theirs, ours = await sides.ask(case.method, case.path, case.body, headers=case.headers)
    assert (outcome(theirs), outcome(ours)) == (case.theirs, case.ours)


def outcome(answer: Answer) -> tuple[int, str | None]:
    return (answer.status, None) if answer.status < 400 else answer.refusal


async def test_head_is_served_by_get_only_here(sides: Sides) -> None:
    theirs, ours = [await side.client.head("/api/v1/system-info") for side in (sides.theirs, sides.ours)]
    assert (theirs.status_code, ours.status_code) == (501, 200)
    assert ours.content == b""
