"""A worker that speaks JSON only: it polls and completes by gRPC method name, on both sides' workflows."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support.gateway import RunningGateway
from tests.temporal.orders import payload, workflow
from tests.temporal.sides import NAMESPACES, Sides


async def call(gateway: RunningGateway, method: str, namespace: str, **request: Any) -> Any:
    """A method of the WorkflowService by its name, which their REST API does not have."""
    answer = await gateway.client.post(
        f"/temporal.api.workflowservice.v1.WorkflowService/{method}", json={"namespace": namespace, **request}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def complete_workflow(gateway: RunningGateway, namespace: str) -> Any:
    queue = {"taskQueue": {"name": "worked"}, "identity": "worker"}
    task = await call(gateway, "PollWorkflowTaskQueue", namespace, **queue)
    command = {
        "commandType": "COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION",
        "completeWorkflowExecutionCommandAttributes": {"result": {"payloads": [payload({"paid": True})]}},
    }
    await call(
        gateway,
        "RespondWorkflowTaskCompleted",
        namespace,
        taskToken=task["taskToken"],
        commands=[command],
        identity="worker",
    )
    return task


async def test_a_workflow_from_start_to_result(sides: Sides, gateway: RunningGateway) -> None:
    body = workflow("worked", input={"payloads": [payload({"order": 7})]})
    await sides.same("POST", "workflows/worked", body)
    tasks = await asyncio.gather(*(complete_workflow(gateway, namespace) for namespace in NAMESPACES))
    for task in tasks:
        started = task["history"]["events"][0]["workflowExecutionStartedEventAttributes"]
        assert started["input"] == {"payloads": [payload({"order": 7})]}
    answer = await sides.same("GET", "workflows/worked/history")
    completed = answer["history"]["events"][-1]["workflowExecutionCompletedEventAttributes"]
    assert completed["result"] == {"payloads": [payload({"paid": True})]}
    described = await sides.same("GET", "workflows/worked")
    assert described["workflowExecutionInfo"]["status"] == "WORKFLOW_EXECUTION_STATUS_COMPLETED"


async def test_an_activity_from_start_to_result(sides: Sides, gateway: RunningGateway) -> None:
    activity = {
        "activityType": {"name": "charge"},
        "taskQueue": {"name": "worked"},
        "startToCloseTimeout": "10s",
        "input": {"payloads": [payload(5)]},
        "requestId": "activity-1",
    }
    await sides.same("POST", "activities/charge", activity)
    described = await sides.same("GET", "activities/charge?includeInput=true")
    assert described["input"] == {"payloads": [payload(5)]}
    for side in (sides.theirs, sides.ours):
        queue = {"taskQueue": {"name": "worked"}, "identity": "worker"}
        task = await call(gateway, "PollActivityTaskQueue", side.namespace, **queue)
        done = {"taskToken": task["taskToken"], "result": {"payloads": [payload("charged")]}}
        assert (await side.ask("POST", "activity-complete", done)).raw == {}
    outcome = (await sides.same("GET", "activities/charge/outcome"))["outcome"]
    assert outcome == {"result": {"payloads": [payload("charged")]}}


async def test_floats_doubles_and_durations_of_a_heartbeat(sides: Sides) -> None:
    heartbeat = {
        "workerInstanceKey": "w-1",
        "taskQueue": "worked",
        "heartbeatTime": "2030-01-01T00:00:00.000000001Z",
        "elapsedSinceLastHeartbeat": "1.000001s",
        "hostInfo": {"hostName": "h", "currentHostCpuUsage": 0.1, "currentHostMemUsage": 1e-7},
        "workflowTaskSlotsInfo": {"currentAvailableSlots": 5, "totalProcessedTasks": 0},
    }
    assert await sides.same("POST", "workers/heartbeat", {"workerHeartbeat": [heartbeat]}) == {}
    info = (await sides.same("GET", "workers/describe/w-1"))["workerInfo"]["workerHeartbeat"]
    assert info["hostInfo"] == heartbeat["hostInfo"]
    assert info["elapsedSinceLastHeartbeat"] == "1.000001s"
    assert info["heartbeatTime"] == "2030-01-01T00:00:00.000000001Z"
    await sides.same("GET", "workers")


async def test_a_rate_limit_of_a_task_queue(sides: Sides) -> None:
    limit = {"rateLimit": {"requestsPerSecond": 1.5}, "reason": "slowly"}
    body = {"taskQueueType": "TASK_QUEUE_TYPE_ACTIVITY", "updateQueueRateLimit": limit}
    answer = await sides.same("POST", "task-queues/limited/update-config", body)
    assert answer["config"]["queueRateLimit"]["rateLimit"] == {"requestsPerSecond": 1.5}


async def test_a_worker_deployment(sides: Sides) -> None:
    await sides.same("POST", "worker-deployments/shop", {"requestId": "deployment-1"})
    version = {"deploymentVersion": {"buildId": "1.0"}, "requestId": "version-1"}
    await sides.same("POST", "worker-deployment-versions/shop", version)
    await sides.same("GET", "worker-deployment-versions/shop/1.0")
    described = await sides.same("GET", "worker-deployments/shop")
    assert described["workerDeploymentInfo"]["name"] == "shop"


async def test_a_namespace_is_updated(sides: Sides) -> None:
    body = {
        "updateInfo": {"description": "of the tests", "data": {"team": "é"}},
        "config": {"workflowExecutionRetentionTtl": "172800s"},
    }
    answer = await sides.same("POST", "update", body)
    assert answer["namespaceInfo"]["data"] == {"team": "é"}
    assert answer["config"]["workflowExecutionRetentionTtl"] == "172800s"
