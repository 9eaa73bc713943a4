"""Thousands of clients that keep their connections, and ask now and then over all of the soak."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from benchmarks.soak.asking import ASKS, WEIGHTS
from benchmarks.soak.client import Caller, Connection
from benchmarks.soak.ledger import Ledger
from benchmarks.soak.notes import SIDES

OPENED_PER_SECOND: Final = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Residents:
    """rate: requests per second of all connections; ends_at: seconds of the ledger's clock."""

    callers: Sequence[Caller]
    ledger: Ledger
    random: Random
    connections: int
    rate: float
    ends_at: float

    async def run(self) -> None:
        """Returns when every client has had its last answer and closed."""
        async with asyncio.TaskGroup() as clients:
            for number in range(self.connections):
                clients.create_task(self._live(self.callers[number % len(self.callers)]))
                await asyncio.sleep(1 / OPENED_PER_SECOND)

    async def _live(self, caller: Caller) -> None:
        connection = await self._ask(caller, None)
        while await self._pause():
            connection = await self._ask(caller, connection)
        if connection is not None:
            await connection.close()

    async def _ask(self, caller: Caller, connection: Connection | None) -> Connection | None:
        """One request; the connection for the next one, None where that needs another."""
        side = self.random.choice(SIDES)
        (kind,) = self.random.choices(list(ASKS), WEIGHTS)
        with self.ledger.entry(kind, side):
            connection = connection or await Connection.open(caller.url)
            answer = await ASKS[kind](connection, caller, side, self.random)
            if answer.header("connection") != "close":
                return connection
        if connection is not None:
            connection.leave()
        return None

    async def _pause(self) -> bool:
        """Whether there is time for a request after it."""
        mean = self.connections / self.rate
        await asyncio.sleep(self.random.uniform(0.5, 1.5) * mean)
        return self.ledger.clock() < self.ends_at
