"""A log that remembers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the log."""

    level: str
    event: str
    fields: dict[str, Any]


class Events:
    """An EventLog whose lines can be looked at, and waited for."""

    def __init__(self) -> None:
        self.all: list[Event] = []
        self._arrived = asyncio.Event()

    def info(self, event: str, **fields: Any) -> None:
        self._add("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._add("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._add("error", event, fields)

    def named(self, event: str) -> list[Event]:
        """The lines that say this, oldest first."""
        return [one for one in self.all if one.event == event]

    async def wait_for(self, event: str, count: int = 1, within: float = 10) -> Event:
        """The last of `count` such lines; raises TimeoutError, with all there are, after `within` seconds."""
        try:
            async with asyncio.timeout(within):
                while len(self.named(event)) < count:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError as error:
            raise TimeoutError(f"no {event!r} in {self.all}") from error
        return self.named(event)[count - 1]

    def _add(self, level: str, event: str, fields: dict[str, Any]) -> None:
        self.all.append(Event(level=level, event=event, fields=fields))
        self._arrived.set()
