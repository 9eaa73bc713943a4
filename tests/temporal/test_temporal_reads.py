"""Reads that Temporal's own REST API and the gateway answer alike."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import pytest

from tests.temporal.sides import NAMESPACES, Sides

OF_THE_SERVER: Final = (
    "/api/v1/cluster-info",
    "/cluster",
    "/api/v1/system-info",
    "/system-info",
    "/api/v1/namespaces",
    "/cluster/namespaces",
    "/api/v1/namespaces?pageSize=1",
    "/api/v1/namespaces?namespace_filter.include_deleted=true",
    "/api/v1/nexus/endpoints?name=none",
)

OF_A_NAMESPACE: Final = (
    "/api/v1/namespaces/<namespace>",
    "/cluster/namespaces/<namespace>",
    "search-attributes",
    "/cluster/namespaces/<namespace>/search-attributes",
    "workflows?query=WorkflowType%3D%22none%22",
    "workflows?query=WorkflowType='none'&pageSize=7&nope=1",
    "workflows?query=WorkflowType+%3D+'none'&page_size=7",
    "workflow-count?query=WorkflowType='none'",
    "workflow-count?query=WorkflowType='none'+GROUP+BY+ExecutionStatus",
    "schedules?query=TemporalSchedulePaused=true+AND+ScheduleId='none'",
    "batch-operations",
    "activities?query=ActivityType='none'",
    "activity-count?query=ActivityType='none'",
    "worker-deployments",
    "task-queues/idle",
    "task-queues/idle?taskQueueType=TASK_QUEUE_TYPE_ACTIVITY",
    "task-queues/idle?taskQueueType=2",
    "task-queues/idle?task_queue_type=TASK_QUEUE_TYPE_ACTIVITY&includeTaskQueueStatus=true",
    "task-queues/idle?taskQueue.kind=TASK_QUEUE_KIND_NORMAL&reportStats=true",
    "task-queues/idle?taskQueue.name=another",
    "task-queues/idle?taskQueue.nope=1",
    "task-queues/idle?apiMode=DESCRIBE_TASK_QUEUE_MODE_ENHANCED&taskQueueTypes=1"
    "&taskQueueTypes=TASK_QUEUE_TYPE_ACTIVITY&versions.unversioned=true&reportStats=true",
    "task-queues/idle?apiMode=1&versions.buildIds=a&versions.build_ids=b",
)


@pytest.mark.parametrize("path", OF_THE_SERVER)
async def test_of_the_server(sides: Sides, path: str) -> None:
    theirs, ours = await sides.ask("GET", path)
    assert ours.status == theirs.status == 200
    assert ours.raw == theirs.raw


@pytest.mark.parametrize("path", OF_A_NAMESPACE)
async def test_of_a_namespace(sides: Sides, path: str) -> None:
    await sides.same("GET", path)


async def test_a_namespace_is_the_one_asked_for(sides: Sides) -> None:
    _, south = NAMESPACES
    answer = await sides.same("GET", "/api/v1/namespaces/<namespace>")
    assert answer["namespaceInfo"]["name"] == south
    assert answer["config"]["workflowExecutionRetentionTtl"] == "86400s"


async def test_int64_is_a_string_and_int32_a_number(sides: Sides) -> None:
    answer = await sides.same("GET", "/api/v1/cluster-info")
    assert answer["failoverVersionIncrement"] == "10"
    assert answer["historyShardCount"] == 1


async def test_a_map_of_enums_has_their_names(sides: Sides) -> None:
    answer = await sides.same("GET", "search-attributes")
    assert answer["systemAttributes"]["StartTime"] == "INDEXED_VALUE_TYPE_DATETIME"


async def test_pages_follow_each_other_by_their_tokens(sides: Sides) -> None:
    first = await sides.ask("GET", "/api/v1/namespaces?pageSize=2")
    token = quote(first[1].raw["nextPageToken"], safe="")
    theirs, ours = await sides.ask("GET", f"/api/v1/namespaces?pageSize=2&nextPageToken={token}")
    assert ours.raw == theirs.raw
    assert len(ours.raw["namespaces"]) == 2
    assert ours.raw["namespaces"] != first[1].raw["namespaces"]
