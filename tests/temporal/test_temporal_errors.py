"""What the server refuses: both pass on its code, its words and its details."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
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

ERRORS: Final[dict[tuple[int, str], tuple[tuple[Any, ...], ...]]] = {
    (404, "NOT_FOUND"): (
        ("GET", "workflows/none"),
        ("GET", "workflows/caf%C3%A9%0Anone/history"),
        ("GET", "workflows/" + "x" * 1000),
        ("GET", "/api/v1/namespaces/none"),
        ("GET", "/api/v1/namespaces/none/workflows/x"),
        ("GET", "/namespaces/none/workflows"),
        ("GET", "schedules/none"),
        ("GET", "batch-operations/none"),
        ("GET", "activities/none"),
        ("GET", "workers/describe/none"),
        ("GET", "worker-deployments/none"),
        ("DELETE", "schedules/none", {"identity": 1}),
        ("POST", "workflows/none/signal/x", {}),
        ("POST", "workflows/none/cancel"),
        ("POST", "workflows/none/query/x", {}),
    ),
    (400, "INVALID_ARGUMENT"): (
        ("GET", "workflows/none?execution.runId=no-uuid"),
        ("GET", "workflows?query=bad+("),
        ("GET", "schedules?query=bad+("),
        ("GET", "archived-workflows"),
        ("GET", "/api/v1/nexus/endpoints/no-uuid"),
        ("POST", "workflows/no-body"),
        ("POST", "workflows/empty-body", b""),
        ("POST", "workflows/empty-object", {}),
        ("POST", "workflows/negative", workflow(workflowRunTimeout="-1s")),
        ("POST", "workflows/unknown", workflow(searchAttributes={"indexedFields": {"None": {}}})),
        ("POST", "workflows/large", workflow(input={"payloads": [{"data": "A" * 3_000_000}]})),
        ("POST", "schedules/new", {}),
        ("POST", "/api/v1/namespaces", {}),
    ),
    (403, "PERMISSION_DENIED"): (
        ("GET", "task-queues/q/worker-versioning-rules"),
        ("GET", "worker-task-reachability?buildIds=a&buildIds=b"),
    ),
    (409, "ALREADY_EXISTS"): (
        (
            "POST",
            "/cluster/namespaces",
            {"namespace": "default", "workflowExecutionRetentionPeriod": "86400s"},
        ),
    ),
    (501, "UNIMPLEMENTED"): (
        ("GET", "workflow-rules"),
        ("GET", "current-deployment/a"),
    ),
}
"""Requests, as method, path and body, by the answer they get."""


@pytest.mark.parametrize(
    ("status", "code", "request_parts"),
    [
        pytest.param(*answer, request, id=f"{answer[0]} {request[0]} {request[1][:50]}")
        for answer, requests in ERRORS.items()
        for request in requests
    ],
)
async def test_in_its_own_words(sides: Sides, status: int, code: str, request_parts: tuple[Any, ...]) -> None:
    await sides.refused(status, code, *request_parts)


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


async def test_an_unexpected_error_of_the_server_says_nothing_here(sides: Sides) -> None:
    theirs, ours = await sides.ask("GET", "/api/v1/namespaces/x?id=no-uuid")
    assert ours.refusal == theirs.refusal == (500, "INTERNAL_ERROR")
    assert theirs.told["message"] == "invalid UUID length: 7"
    assert ours.told["message"] == "internal error"
