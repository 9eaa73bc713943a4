"""Workflows written and read on both sides: every answer is alike, and so is what became of the workflow."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from urllib.parse import quote

import pytest

from tests.temporal.orders import payload, workflow
from tests.temporal.sides import Sides

STARTED: Final = "WORKFLOW_EXECUTION_STATUS_RUNNING"


async def start(sides: Sides, workflow_id: str, **fields: Any) -> Any:
    return await sides.same("POST", f"workflows/{workflow_id}", workflow(**fields))


async def events(sides: Sides, workflow_id: str) -> list[Any]:
    answer = await sides.same("GET", f"workflows/{workflow_id}/history")
    history: list[Any] = answer["history"]["events"]
    return history


async def test_start_and_describe(sides: Sides) -> None:
    started = await start(
        sides,
        "described",
        input={"payloads": [payload({"amount": 12.5}), payload("é")]},
        memo={"fields": {"note": payload("fragile")}},
        workflowRunTimeout="3600s",
        workflowTaskTimeout="1.5s",
        retryPolicy={"initialInterval": "0.250s", "backoffCoefficient": 1.5, "maximumAttempts": 3},
        priority={"priorityKey": 3},
    )
    assert started["status"] == STARTED
    described = await sides.same("GET", "workflows/described")
    info = described["workflowExecutionInfo"]
    assert info["execution"] == {"workflowId": "described", "runId": started["runId"]}
    assert info["memo"] == {"fields": {"note": payload("fragile")}}
    assert described["executionConfig"]["workflowRunTimeout"] == "3600s"
    first, _ = await events(sides, "described")
    attributes = first["workflowExecutionStartedEventAttributes"]
    assert attributes["input"] == {"payloads": [payload({"amount": 12.5}), payload("é")]}
    assert attributes["retryPolicy"]["backoffCoefficient"] == 1.5


async def test_an_additional_binding_is_the_same_method(sides: Sides) -> None:
    await sides.same("POST", "/namespaces/<namespace>/workflows/additional", workflow())
    await sides.same("GET", "/namespaces/<namespace>/workflows/additional")
    await sides.same("GET", "/namespaces/<namespace>/workflows/additional/history")


IDS: Final = {
    "plain": "plain",
    "caf%C3%A9": "café",
    "a%20b": "a b",
    "a+b": "a+b",
    "a:b": "a:b",
    "x:cancel": "x:cancel",
    "%3Acancel": ":cancel",
    "a%3Fb": "a?b",
    "%25": "%",
    "%252F": "%2F",
    "~!$&'()*,;=@": "~!$&'()*,;=@",
    "%F0%9F%9A%80": "\N{ROCKET}",
    "%7Bid%7D": "{id}",
    "a%00b": "a\0b",
    "%2e%2e": "..",
}


@pytest.mark.parametrize("spelling", IDS)
async def test_an_id_in_the_path_is_decoded_alike(sides: Sides, spelling: str) -> None:
    await sides.same("POST", f"workflows/id-{spelling}", workflow())
    described = await sides.same("GET", f"workflows/id-{spelling}")
    assert described["workflowExecutionInfo"]["execution"]["workflowId"] == f"id-{IDS[spelling]}"


BODIES: Final = {
    "proto-names": {"workflow_type": {"name": "order"}, "task_queue": {"name": "q"}},
    "path-wins": workflow(namespace="another", workflowId="another"),
    "nulls": workflow(memo=None, header=None, requestId=None, cronSchedule=None),
    "enum-number": workflow(workflowIdReusePolicy=3),
    "enum-name": workflow(workflowIdReusePolicy="WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE"),
    "enum-unknown-number": workflow(workflowIdReusePolicy=99),
    "int-as-float": workflow(retryPolicy={"maximumAttempts": 3.0}),
    "int-as-string": workflow(retryPolicy={"maximumAttempts": "1e1"}),
    "double-as-string": workflow(retryPolicy={"backoffCoefficient": "2.5"}),
    "double-nan": workflow(retryPolicy={"backoffCoefficient": "NaN"}),
    "url-safe-base64": workflow(input={"payloads": [{"data": "_-8"}]}),
    "base64": workflow(input={"payloads": [{"data": "/+8="}, {"data": ""}, {}]}),
    "oneof": workflow(versioningOverride={"autoUpgrade": True}),
    "duration": workflow(workflowStartDelay="7200.000000001s", workflowExecutionTimeout="90000.25s"),
    "escapes": workflow(identity='\N{ROCKET} \0 \\ " / \u2028'),
    "white-space": b' \n{"workflowType" : {"name": "order"}\t, "taskQueue" : {"name": "q"} }\r\n ',
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_is_read_alike(sides: Sides, name: str) -> None:
    await sides.same("POST", f"workflows/body-{name}", BODIES[name])
    await sides.same("GET", f"workflows/body-{name}")
    assert len(await events(sides, f"body-{name}")) in (1, 2)


async def test_signal_cancel_and_terminate(sides: Sides) -> None:
    await start(sides, "ended")
    signal = {"input": {"payloads": [payload([1, 2])]}, "requestId": "signal-1", "identity": "me"}
    await sides.same("POST", "workflows/ended/signal/pay%2Dnow", signal)
    assert await sides.same("POST", "workflows/ended/cancel", {"reason": "too late"}) == {}
    await sides.same("POST", "workflows/ended/terminate", {"details": {"payloads": [payload("x")]}})
    described = await sides.same("GET", "workflows/ended")
    assert described["workflowExecutionInfo"]["status"] == "WORKFLOW_EXECUTION_STATUS_TERMINATED"
    kinds = [event["eventType"] for event in await events(sides, "ended")]
    assert kinds == [
        "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED",
        "EVENT_TYPE_WORKFLOW_TASK_SCHEDULED",
        "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED",
        "EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED",
        "EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED",
    ]


async def test_two_variables_and_a_body_make_one_request(sides: Sides) -> None:
    body = workflow(signalInput={"payloads": [payload("paid")]}, signalName="another", workflowId="another")
    await sides.same("POST", "workflows/signalled/signal-with-start/pay", body)
    _, signalled, _ = await events(sides, "signalled")
    attributes = signalled["workflowExecutionSignaledEventAttributes"]
    assert attributes["signalName"] == "pay"
    assert attributes["input"] == {"payloads": [payload("paid")]}


async def test_the_history_backwards(sides: Sides) -> None:
    await start(sides, "backwards")
    answer = await sides.same("GET", "workflows/backwards/history-reverse?maximumPageSize=100")
    assert [event["eventId"] for event in answer["history"]["events"]] == ["2", "1"]


async def test_a_field_mask_in_the_body(sides: Sides) -> None:
    await start(sides, "masked")
    options = {"versioningOverride": {"autoUpgrade": True}}
    body = {"workflowExecutionOptions": options, "updateMask": "versioningOverride"}
    answer = await sides.same("POST", "workflows/masked/update-options", body)
    assert answer == {"workflowExecutionOptions": options}


async def test_a_nested_field_in_the_query(sides: Sides) -> None:
    run_id = (await start(sides, "runs"))["runId"]
    await sides.same("GET", "workflows/runs?execution.workflowId=another&nope=1&execution.nope=1")
    answers = [
        await side.ask("GET", f"workflows/runs?execution.run_id={run_id}")
        for side in (sides.theirs, sides.ours)
    ]
    assert [answer.status for answer in answers] == [404, 200]  # the run is ours alone


async def test_lists_pages_and_counts(sides: Sides) -> None:
    names = [f"listed-{number}" for number in range(3)]
    for name in names:
        await start(sides, name, workflowType={"name": "listed"})
    query = "query=WorkflowType%3D%22listed%22"
    await sides.same_in_time({"count": "3"}, "GET", f"workflow-count?{query}")
    listed = await sides.same("GET", f"workflows?{query}")
    assert [one["execution"]["workflowId"] for one in listed["executions"]] == names[::-1]
    page = await sides.same("GET", f"workflows?{query}&pageSize=2")
    assert page["executions"] == listed["executions"][:2]
    token = quote(page["nextPageToken"], safe="")
    rest = await sides.ours.ask("GET", f"workflows?{query}&pageSize=2&nextPageToken={token}")
    assert rest.raw["executions"] == listed["executions"][2:]


async def test_a_long_poll_ends_with_the_workflow(sides: Sides) -> None:
    await start(sides, "awaited")
    close = "waitNewEvent=true&historyEventFilterType=HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT"
    waiting = asyncio.create_task(sides.same("GET", f"workflows/awaited/history?{close}"))
    await sides.same("POST", "workflows/awaited/terminate", {"reason": "enough"})
    (event,) = (await waiting)["history"]["events"]
    assert event["workflowExecutionTerminatedEventAttributes"]["reason"] == "enough"


async def test_a_batch_operation(sides: Sides) -> None:
    job = {
        "visibilityQuery": "WorkflowType='none'",
        "reason": "tidy up",
        "terminationOperation": {"identity": "me"},
    }
    assert await sides.same("POST", "batch-operations/tidy", job) == {}
    described = await sides.same_in_time({"jobId": "tidy"}, "GET", "batch-operations/tidy")
    assert described["operationType"] == "BATCH_OPERATION_TYPE_TERMINATE_WORKFLOW"
