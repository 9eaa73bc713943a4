"""What is refused: by the server, in its own words on both sides; by the gateways, each in its own.

Where theirs and ours part, the table at the end says how and why.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from tests.support.gateway import RunningGateway, running_gateway
from tests.temporal.orders import workflow
from tests.temporal.server import TemporalServer
from tests.temporal.sides import Sides

DETAILS: Final = "type.googleapis.com/temporal.api.errordetails.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """By the server. body: of the request."""

    status: int
    code: str
    method: str = "GET"
    path: str
    body: object = None

    def __str__(self) -> str:
        return f"{self.status} {self.method} {self.path}"


BY_THE_SERVER: Final = (
    Refused(status=404, code="NOT_FOUND", path="workflows/none"),
    Refused(status=404, code="NOT_FOUND", path="workflows/caf%C3%A9%0Anone/history"),
    Refused(status=404, code="NOT_FOUND", path="workflows/" + "x" * 1000),
    Refused(status=404, code="NOT_FOUND", path="/api/v1/namespaces/none"),
    Refused(status=404, code="NOT_FOUND", path="/api/v1/namespaces/none/workflows/x"),
    Refused(status=404, code="NOT_FOUND", path="/namespaces/none/workflows"),
    Refused(status=404, code="NOT_FOUND", path="schedules/none"),
    Refused(status=404, code="NOT_FOUND", path="batch-operations/none"),
    Refused(status=404, code="NOT_FOUND", path="activities/none"),
    Refused(status=404, code="NOT_FOUND", path="workers/describe/none"),
    Refused(status=404, code="NOT_FOUND", path="worker-deployments/none"),
    Refused(status=404, code="NOT_FOUND", method="DELETE", path="schedules/none", body={"identity": 1}),
    Refused(status=404, code="NOT_FOUND", method="POST", path="workflows/none/signal/x", body={}),
    Refused(status=404, code="NOT_FOUND", method="POST", path="workflows/none/cancel"),
    Refused(status=404, code="NOT_FOUND", method="POST", path="workflows/none/query/x", body={}),
    Refused(status=400, code="INVALID_ARGUMENT", path="workflows/none?execution.runId=no-uuid"),
    Refused(status=400, code="INVALID_ARGUMENT", path="workflows?query=bad+("),
    Refused(status=400, code="INVALID_ARGUMENT", path="schedules?query=bad+("),
    Refused(status=400, code="INVALID_ARGUMENT", path="archived-workflows"),
    Refused(status=400, code="INVALID_ARGUMENT", path="/api/v1/nexus/endpoints/no-uuid"),
    Refused(status=400, code="INVALID_ARGUMENT", method="POST", path="workflows/new"),
    Refused(status=400, code="INVALID_ARGUMENT", method="POST", path="workflows/new", body=b""),
    Refused(status=400, code="INVALID_ARGUMENT", method="POST", path="workflows/new", body={}),
    Refused(
        status=400,
        code="INVALID_ARGUMENT",
        method="POST",
        path="workflows/new",
        body=workflow(workflowRunTimeout="-1s"),
    ),
    Refused(
        status=400,
        code="INVALID_ARGUMENT",
        method="POST",
        path="workflows/new",
        body=workflow(searchAttributes={"indexedFields": {"None": {"data": "MQ=="}}}),
    ),
    Refused(
        status=400,
        code="INVALID_ARGUMENT",
        method="POST",
        path="workflows/new",
        body=workflow(input={"payloads": [{"data": "A" * 3_000_000}]}),
    ),
    Refused(status=400, code="INVALID_ARGUMENT", method="POST", path="schedules/new", body={}),
    Refused(status=400, code="INVALID_ARGUMENT", method="POST", path="/api/v1/namespaces", body={}),
    Refused(status=403, code="PERMISSION_DENIED", path="task-queues/q/worker-versioning-rules"),
    Refused(status=403, code="PERMISSION_DENIED", path="worker-task-reachability?buildIds=a&buildIds=b"),
    Refused(
        status=409,
        code="ALREADY_EXISTS",
        method="POST",
        path="/cluster/namespaces",
        body={"namespace": "default", "workflowExecutionRetentionPeriod": "86400s"},
    ),
    Refused(status=501, code="UNIMPLEMENTED", path="workflow-rules"),
    Refused(status=501, code="UNIMPLEMENTED", path="current-deployment/a"),
)


@pytest.mark.parametrize("case", BY_THE_SERVER, ids=str)
async def test_by_the_server_in_its_own_words(sides: Sides, case: Refused) -> None:
    await sides.refused(case.status, case.code, case.method, case.path, case.body)


async def test_what_is_already_running(sides: Sides) -> None:
    await sides.same("POST", "workflows/running", workflow())
    error = await sides.refused(
        409, "ALREADY_EXISTS", "POST", "workflows/running", workflow(requestId="request-2")
    )
    (detail,) = error["details"]
    assert detail["@type"] == f"{DETAILS}.WorkflowExecutionAlreadyStartedFailure"


async def test_a_precondition_is_400(sides: Sides) -> None:
    await sides.same("POST", "workflows/unpaused", workflow())
    await sides.refused(
        400, "FAILED_PRECONDITION", "POST", "workflows/unpaused/unpause", {"reason": "because"}
    )


async def test_a_detail_of_a_type_that_no_method_mentions_is_base64(sides: Sides) -> None:
    """Reflection brings the files of services and what they import; these types are in neither."""
    error = await sides.refused(404, "NOT_FOUND", "GET", "/api/v1/namespaces/none")
    value = base64.b64encode(b"\x0a\x04none").decode()
    assert error["details"] == [{"@type": f"{DETAILS}.NamespaceNotFoundFailure", "value": value}]


@pytest_asyncio.fixture(loop_scope="package")
async def informed_gateway(
    temporal: TemporalServer, gateway: RunningGateway, sides: Sides, tmp_path: Path
) -> AsyncIterator[RunningGateway]:
    """One that has these types from a descriptor set instead of reflection."""
    files = FileDescriptorSet.FromString((await gateway.admin.get("/services/temporal/descriptors")).content)
    missing = FileDescriptorProto()
    sides.ours.types.FindFileByName("temporal/api/errordetails/v1/message.proto").CopyToProto(missing)
    (tmp_path / "temporal.binpb").write_bytes(
        FileDescriptorSet(file=[*files.file, missing]).SerializeToString()
    )
    service = {"address": temporal.address, "expose": ["annotations"], "descriptor_set": "temporal.binpb"}
    async with running_gateway(
        {"services": {"temporal": {**service, "auth_required": False}}}, tmp_path
    ) as informed:
        yield informed


async def test_a_descriptor_set_tells_what_reflection_does_not(
    sides: Sides, informed_gateway: RunningGateway
) -> None:
    path = "/api/v1/namespaces/none"
    theirs = (await sides.theirs.ask("GET", path)).raw
    error = (await informed_gateway.client.get(path)).json()["error"]
    assert error["details"] == theirs["details"]
    assert error["message"] == theirs["message"]


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


def outcome(answer: Any) -> tuple[int, str | None]:
    return (answer.status, None) if answer.status < 400 else answer.refusal


async def test_head_is_served_by_get_only_here(sides: Sides) -> None:
    theirs, ours = [await side.client.head("/api/v1/system-info") for side in (sides.theirs, sides.ours)]
    assert (theirs.status_code, ours.status_code) == (501, 200)
    assert ours.content == b""


async def test_an_unexpected_error_of_the_server_says_nothing_here(sides: Sides) -> None:
    theirs, ours = await sides.ask("GET", "/api/v1/namespaces/x?id=no-uuid")
    assert ours.refusal == theirs.refusal == (500, "INTERNAL_ERROR")
    assert theirs.told["message"] == "invalid UUID length: 7"
    assert ours.told["message"] == "internal error"
