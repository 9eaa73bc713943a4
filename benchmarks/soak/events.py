"""What happens to the gateway and its backends while they are busy."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import cycle
from random import Random
from typing import Any, Final

import httpx
import yaml

from benchmarks.soak.backend import READY
from benchmarks.soak.ledger import Ledger
from benchmarks.soak.notes import Side
from tests.support.gateway import RunningGateway
from tests.support.metrics import read_metrics
from tests.support.ports import free_port
from tests.support.process import Process, running

_INTERVAL: Final = (15.0, 20.0)
_DOWN_FOR: Final = 3.0
_RELOADED_WITHIN: Final = 10.0
_POLL: Final = 0.25


@dataclass(slots=True, kw_only=True)
class Backend:
    """A backend that can be ended and comes back on its port."""

    side: Side
    port: int = field(default_factory=free_port)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _process: Process | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        command = (sys.executable, "-m", "benchmarks.soak.backend", self.side, str(self.port))
        self._process = await self._stack.enter_async_context(running(*command))
        await self._process.wait_for_line(READY)

    async def stop(self, *, is_killed: bool = False) -> None:
        """By SIGKILL, or by SIGTERM and with time for running calls."""
        if is_killed and self._process is not None:
            self._process.kill()
            await self._process.wait()
        await self._stack.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """at: seconds since the start of the soak."""

    at: float
    event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """One event after the other, every 15 to 20 seconds; happened: those so far."""

    gateway: RunningGateway
    backends: Mapping[Side, Backend]
    ledger: Ledger
    random: Random
    ends_at: float
    happened: list[Happened] = field(default_factory=list)

    async def run(self) -> None:
        for name, event in cycle(self._events().items()):
            pause = self.random.uniform(*_INTERVAL)
            if self.ledger.clock() + pause + _INTERVAL[0] > self.ends_at:
                return
            await asyncio.sleep(pause)
            self.happened.append(Happened(at=round(self.ledger.clock(), 3), event=name))
            try:
                await event()
            except (httpx.HTTPError, AssertionError, TimeoutError) as failure:
                self.ledger.lose("event", f"{name}: {type(failure).__name__} {failure}")

    def _events(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        return {
            "east killed": lambda: self._restart("east", is_killed=True),
            "POST /reload": self._reload,
            "west restarted": lambda: self._restart("west", is_killed=False),
            "config touched": self._touch,
            "west killed": lambda: self._restart("west", is_killed=True),
            "schemas refreshed": self._refresh,
            "east restarted": lambda: self._restart("east", is_killed=False),
        }

    async def _restart(self, side: Side, *, is_killed: bool) -> None:
        backend = self.backends[side]
        with self.ledger.outage(side):
            await backend.stop(is_killed=is_killed)
            await asyncio.sleep(_DOWN_FOR)
            await backend.start()

    async def _reload(self) -> None:
        await self._post("/reload")

    async def _refresh(self) -> None:
        for side in self.backends:
            await self._post(f"/services/{side}/refresh")

    async def _post(self, path: str) -> None:
        answer = await self.gateway.admin.post(path)
        assert answer.status_code == 200, answer.text

    async def _touch(self) -> None:
        """Another configuration, which makes every plan anew."""
        file = self.gateway.config_file
        config: dict[str, Any] = yaml.safe_load(file.read_text())
        is_short = config["server"].get("request_timeout") == "20s"
        config["server"]["request_timeout"] = "30s" if is_short else "20s"
        before = await self._reloads()
        draft = file.with_suffix(".draft")
        draft.write_text(yaml.safe_dump(config, sort_keys=False))
        draft.replace(file)
        async with asyncio.timeout(_RELOADED_WITHIN):
            while await self._reloads() == before:  # noqa: ASYNC110  it happens in another process
                await asyncio.sleep(_POLL)

    async def _reloads(self) -> float:
        page = await read_metrics(self.gateway.admin)
        return page.sum("transcoder_config_reloads_total", outcome="ok")
