"""Commands that reach every worker."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from transcoder.server import control as module
from transcoder.server.control import Command, Control, Outcome


class Worker:
    """Remembers the commands it got."""

    def __init__(self, name: str, outcome: Outcome | None = None) -> None:
        self.name = name
        self.got: list[dict[str, Any]] = []
        self.outcome = outcome or {"ok": True}

    async def note(self, **arguments: Any) -> Outcome:
        self.got.append(arguments)
        return {"name": self.name, **self.outcome}

    @property
    def commands(self) -> Mapping[str, Command]:
        return {"note": self.note}


class Pid:
    """Which worker this process stands for at the moment."""

    def __init__(self) -> None:
        self.value = os.getpid()


@pytest.fixture
def pid(monkeypatch: pytest.MonkeyPatch) -> Pid:
    one = Pid()
    monkeypatch.setattr(module.os, "getpid", lambda: one.value)
    return one


def sockets(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@asynccontextmanager
async def working(
    pid: Pid, folder: Path | None, number: int, commands: Mapping[str, Command]
) -> AsyncIterator[Control]:
    pid.value = number
    control = Control(folder, commands)
    await control.start()
    try:
        yield control
    finally:
        pid.value = number
        await control.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Names of Unix sockets are short."""
    return tmp_path


async def test_single_worker(pid: Pid) -> None:
    worker = Worker("one")
    async with working(pid, None, 11, worker.commands) as control:
        assert await control.everywhere("note", backend="shop") == [{"worker": 11, "name": "one", "ok": True}]
    assert worker.got == [{"backend": "shop"}]


async def test_every_worker_carries_it_out(pid: Pid, folder: Path) -> None:
    """This one's outcome comes first, the others are told by their process ids."""
    one, two, three = Worker("one"), Worker("two"), Worker("three", {"ok": False, "message": "no"})
    async with (
        working(pid, folder, 11, one.commands),
        working(pid, folder, 12, two.commands) as asked,
        working(pid, folder, 13, three.commands),
    ):
        pid.value = 12
        outcomes = await asked.everywhere("note", number=1, text="é\n")
        names = [outcome["name"] for outcome in outcomes]
        assert names == ["two", "one", "three"]
        assert outcomes[0] == {"worker": 12, "name": "two", "ok": True}
        assert outcomes[2]["message"] == "no"
    assert [worker.got for worker in (one, two, three)] == [[{"number": 1, "text": "é\n"}]] * 3


async def test_socket_is_gone_at_the_end(pid: Pid, folder: Path) -> None:
    async with working(pid, folder, 11, {}):
        assert sockets(folder) == ["11.sock"]
    assert sockets(folder) == []


async def test_socket_of_a_dead_worker_is_skipped(pid: Pid, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "9.sock"))
    (folder / "8.sock").symlink_to("missing")
    worker = Worker("one")
    async with working(pid, folder, 11, worker.commands) as control:
        assert [outcome["worker"] for outcome in await control.everywhere("note")] == [11]


async def test_socket_of_a_dead_predecessor_is_taken_over(pid: Pid, folder: Path) -> None:
    """Process ids come again."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "11.sock"))
    one, two = Worker("one"), Worker("two")
    async with working(pid, folder, 11, one.commands), working(pid, folder, 12, two.commands) as control:
        pid.value = 12
        assert len(await control.everywhere("note")) == 2


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"", "JSONDecodeError"),
        (b"no json\n", "JSONDecodeError"),
        (b"x" * 100, "ValueError"),
    ],
)
async def test_worker_that_answers_nonsense(
    pid: Pid, folder: Path, answer: bytes, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_LINE", 64)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()

    server = await asyncio.start_unix_server(serve, folder / "9.sock")
    worker = Worker("one")
    async with server, working(pid, folder, 11, worker.commands) as control:
        good, bad = await control.everywhere("note")
    assert good["ok"]
    assert bad == {"worker": 9, "ok": False, "message": f"no answer: {problem}"}


async def test_worker_that_does_not_answer(pid: Pid, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.1)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(serve, folder / "9.sock")
    worker = Worker("one")
    async with server, working(pid, folder, 11, worker.commands) as control:
        good, bad = await control.everywhere("note")
    assert good["ok"]
    assert bad == {"worker": 9, "ok": False, "message": "no answer: TimeoutError"}


async def test_command_that_breaks_elsewhere_is_an_answer(pid: Pid, folder: Path) -> None:
    """Nobody waits a minute for it."""
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    worker = Worker("one")

    async def broken(**_: Any) -> Outcome:
        raise RuntimeError("a bug")

    async with (
        working(pid, folder, 11, {"note": broken}),
        working(pid, folder, 12, {}),
        working(pid, folder, 13, worker.commands) as control,
    ):
        pid.value = 13
        good, *others = await asyncio.wait_for(control.everywhere("note"), 5)
    assert good["ok"]
    assert [(other["worker"], other["ok"]) for other in others] == [(11, False), (12, False)]
    assert len(unhandled) == 2


@pytest.mark.parametrize("line", [b"", b"no json\n", b'{"command": '])
async def test_nonsense_on_the_socket_is_ignored(pid: Pid, folder: Path, line: bytes) -> None:
    worker = Worker("one")
    async with working(pid, folder, 11, worker.commands) as control:
        reader, writer = await asyncio.open_unix_connection(folder / "11.sock")
        writer.write(line)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        assert len(await control.everywhere("note")) == 1
    assert worker.got == [{}]
