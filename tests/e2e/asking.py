"""Requests without a break, while something else happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx

from tests.support.gateway import RunningGateway

_CLIENTS: Final = 2


@asynccontextmanager
async def asking(gateway: RunningGateway, target: str) -> AsyncIterator[list[httpx.Response]]:
    """Clients keep asking for the same while the block runs, before it and after it too.

    Yields their answers so far; raises what went wrong in them.
    """
    answers: list[httpx.Response] = []
    progress = asyncio.Condition()
    is_enough = False

    async def ask() -> None:
        while not is_enough:
            answers.append(await gateway.client.get(target))
            async with progress:
                progress.notify_all()

    async def wait_for_more() -> None:
        wanted = len(answers) + 2 * _CLIENTS
        async with progress:
            await progress.wait_for(lambda: len(answers) >= wanted)

    async with asyncio.TaskGroup() as group:
        for _ in range(_CLIENTS):
            group.create_task(ask())
        await wait_for_more()
        yield answers
        await wait_for_more()
        is_enough = True
