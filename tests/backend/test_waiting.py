"""What waits for grpc is cancelled: grpc goes on to the end of the call."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from transcoder.backend.waiting import to_the_end


class Call:
    """A call that is over as soon as it is cancelled. steps: what grpc waits for in turn."""

    def __init__(self, *steps: asyncio.Future[str]) -> None:
        self.steps = steps
        self.seen: list[str] = []
        self.is_cancelled = False

    def _cancel(self, _details: str) -> None:
        self.is_cancelled = True
        for step in self.steps:
            if not step.done():
                step.set_result("cancelled")

    async def read(self) -> str:
        for step in self.steps:
            self.seen.append(await step)
        return self.seen[-1]


def future() -> asyncio.Future[str]:
    return asyncio.get_running_loop().create_future()


async def waiting(call: Any) -> asyncio.Task[str]:
    async def wait() -> str:
        return await to_the_end(call, call.read())

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    return task


async def test_what_comes_of_it() -> None:
    step = future()
    task = await waiting(Call(step))
    step.set_result("message")
    assert await task == "message"


async def test_error_of_it() -> None:
    step = future()
    task = await waiting(Call(step))
    step.set_exception(LookupError("no message"))
    with pytest.raises(LookupError, match="no message"):
        await task


async def test_cancellation_ends_the_call_and_lets_grpc_finish() -> None:
    call = Call(future(), future())
    task = await waiting(call)
    task.cancel()
    assert call.is_cancelled
    assert not task.done(), "grpc has not noticed yet"
    with pytest.raises(asyncio.CancelledError):
        await task
    assert call.seen == ["cancelled", "cancelled"]


async def test_error_that_follows_a_cancellation_is_not_raised() -> None:
    class Failing(Call):
        def _cancel(self, _details: str) -> None:
            self.steps[0].set_exception(LookupError("the call is over"))

    task = await waiting(Failing(future()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancellation_by_grpc_itself_is_raised_at_once() -> None:
    step = future()
    call = Call(step, future())
    task = await waiting(call)
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not call.is_cancelled
