"""Requests without a break, while something else happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tests.support.gateway import RunningGateway


@asynccontextmanager
async def asking(
    gateway: RunningGateway, target: str, *, http_method: str = "GET", clients: int = 2
) -> AsyncIterator[list[httpx.Response]]:
    """Clients keep asking for the same while the block runs, before it and after it too.

    Yields their answers so far; raises what went wrong in them.
    """
    answers: list[httpx.Response] = []
    progress = asyncio.Condition()
    is_enough = False

    async def ask() -> None:
        while not is_enough:
            answers.append(await gateway.client.request(http_method, target))
            async with progress:
                progress.notify_all()

    async def wait_for_more() -> None:
        wanted = len(answers) + 2 * clients
        async with progress:
            await progress.wait_for(lambda: len(answers) >= wanted)

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(ask())
        await wait_for_more()
        yield answers
        await wait_for_more()
        is_enough = True
