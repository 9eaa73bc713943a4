"""Commands that every worker process carries out, whichever of them was asked.

Workers meet in a folder of their own: each listens on a Unix socket there, and a command goes to every socket
as one line of JSON, answered by one line.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson

Outcome = dict[str, Any]
"""What a command led to in one worker: JSON-able, with `ok`; the sender adds `worker`, the process id."""

Command = Callable[..., Awaitable[Outcome]]
"""Takes JSON-able keyword arguments; does not raise."""

TIMEOUT: Final = 60.0
"""Seconds a worker may take for a command."""

_MAX_LINE: Final = 4 * 1024 * 1024


class Control:
    """The commands of this worker, and the way to those of the others.

    folder: where workers meet, None when there is only one.
    """

    def __init__(self, folder: Path | None, commands: Mapping[str, Command]) -> None:
        self._folder = folder
        self._commands = commands
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Take commands from other workers."""
        if self._folder is not None:
            self._server = await asyncio.start_unix_server(
                self._serve, self._own(self._folder), limit=_MAX_LINE
            )

    async def close(self) -> None:
        """Take none any more."""
        if self._server is not None and self._folder is not None:
            self._server.close()
            self._own(self._folder).unlink(missing_ok=True)

    async def everywhere(
        self, command: str, *, within: float | None = None, **arguments: Any
    ) -> list[Outcome]:
        """Carry out a command in every worker at once; this one's outcome comes first.

        within: seconds the others may take for it, TIMEOUT by default.
        """
        line = orjson.dumps({"command": command, "arguments": arguments}) + b"\n"
        others = (_ask(path, line, within or TIMEOUT) for path in self._others())
        outcomes = await asyncio.gather(self._run(line), *others)
        return [outcome for outcome in outcomes if outcome is not None]

    def _own(self, folder: Path) -> Path:
        return folder / f"{os.getpid()}.sock"

    def _others(self) -> list[Path]:
        if self._folder is None:
            return []
        return sorted(path for path in self._folder.glob("*.sock") if path != self._own(self._folder))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, ValueError):
                outcome = await self._run(await reader.readline())
                writer.write(orjson.dumps(outcome) + b"\n")
                await writer.drain()
        finally:
            writer.close()  # whatever happened here, nobody waits for an answer in vain

    async def _run(self, line: bytes) -> Outcome:
        message = orjson.loads(line)
        outcome = await self._commands[message["command"]](**message["arguments"])
        return {"worker": os.getpid(), **outcome}


async def _ask(path: Path, line: bytes, within: float) -> Outcome | None:
    """The outcome in the worker behind a socket; None when that worker is gone."""
    worker = {"worker": int(path.stem)}
    try:
        async with asyncio.timeout(within):
            reader, writer = await asyncio.open_unix_connection(path, limit=_MAX_LINE)
            try:
                writer.write(line)
                return {**worker, **orjson.loads(await reader.readline())}
            finally:
                writer.close()
    except (ConnectionRefusedError, FileNotFoundError):
        return None  # its supervisor starts another one, with a socket of its own
    except (OSError, ValueError, TimeoutError) as error:
        return {**worker, "ok": False, "message": f"no answer: {type(error).__name__}"}
