"""Schedules: times, durations, ranges and time zones, and what the server makes of them."""

from __future__ import annotations

from typing import Any, Final

from tests.temporal.orders import payload
from tests.temporal.sides import Sides

ACTION: Final[dict[str, Any]] = {
    "startWorkflow": {
        "workflowId": "scheduled",
        "workflowType": {"name": "order"},
        "taskQueue": {"name": "nobody-listens"},
        "input": {"payloads": [payload(1)]},
    }
}


async def create(sides: Sides, schedule_id: str, spec: Any, **state: Any) -> Any:
    schedule = {"spec": spec, "action": ACTION, "state": {"paused": True, **state}}
    return await sides.same(
        "POST", f"schedules/{schedule_id}", {"schedule": schedule, "requestId": f"create-{schedule_id}"}
    )


async def test_create_and_describe(sides: Sides) -> None:
    spec = {
        "interval": [{"interval": "86400s", "phase": "3600.500s"}],
        "structuredCalendar": [{"hour": [{"start": 1, "end": 5, "step": 2}]}],
        "startTime": "2030-01-01T00:00:00.5Z",
        "endTime": "2031-01-01T00:00:00+02:00",
        "timezoneName": "Europe/Berlin",
    }
    await create(sides, "described", spec, notes="by hand", limitedActions=True, remainingActions="7")
    schedule = (await sides.same("GET", "schedules/described"))["schedule"]
    assert schedule["spec"]["startTime"] == "2030-01-01T00:00:00.500Z"
    assert schedule["spec"]["endTime"] == "2030-12-31T22:00:00Z"
    assert schedule["state"] == {
        "notes": "by hand",
        "paused": True,
        "limitedActions": True,
        "remainingActions": "7",
    }


async def test_times_in_the_query(sides: Sides) -> None:
    await create(sides, "asked", {"cronString": ["0 12 * * MON"]})
    window = "startTime=2030-01-01T00:00:00Z&end_time=2030-01-15T01:30:00.25%2B02:00"
    answer = await sides.same("GET", f"schedules/asked/matching-times?{window}")
    assert answer == {"startTime": ["2030-01-07T12:00:00Z", "2030-01-14T12:00:00Z"]}


async def test_patch_and_update(sides: Sides) -> None:
    await create(sides, "changed", {"jitter": "1.5s"})
    unpause = {"patch": {"unpause": "because"}, "requestId": "patch-1"}
    assert await sides.same("POST", "schedules/changed/patch", unpause) == {}
    schedule = (await sides.same("GET", "schedules/changed"))["schedule"]
    assert schedule["spec"] == {"jitter": "1.500s"}
    assert schedule["state"] == {"notes": "because"}
    changed = {"spec": {"interval": [{"interval": "3600s"}]}, "action": ACTION, "state": {"paused": True}}
    assert await sides.same("POST", "schedules/changed/update", {"schedule": changed}) == {}
    described = await sides.same("GET", "schedules/changed")
    assert described["schedule"]["spec"] == {"interval": [{"interval": "3600s"}]}
    assert described["schedule"]["state"] == {"paused": True}


async def test_list_and_delete(sides: Sides) -> None:
    await create(sides, "listed", {"interval": [{"interval": "3600s"}]})
    query = "query=ScheduleId%3D%22listed%22"
    await sides.same_in_time({"count": "1"}, "GET", f"schedule-count?{query}")
    (one,) = (await sides.same("GET", f"schedules?maximumPageSize=5&{query}"))["schedules"]
    assert one["scheduleId"] == "listed"
    assert await sides.same("DELETE", "schedules/listed?identity=me") == {}
    error = await sides.refused(404, "NOT_FOUND", "GET", "schedules/listed")
    assert error["message"]
