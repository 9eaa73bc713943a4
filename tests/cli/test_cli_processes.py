"""The program as a user runs it: exit codes, pipes, signals."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import SCHEMA, run_cli
from tests.support.backend import Call, RecordingBackend
from tests.support.ports import free_port
from tests.support.process import running


async def test_a_call_and_its_exit_code(backend: RecordingBackend) -> None:
    backend.replies["shop.v1.Shop/GetItem"] = SCHEMA.message("shop.v1.Item", id="7")
    arguments = (
        "call",
        backend.address,
        "Shop/GetItem",
        "-d",
        '{"id": "7"}',
        "-H",
        "k: v",
        "--timeout",
        "30s",
    )
    code, out, err = await run_cli(*arguments)
    assert (code, json.loads("".join(out)), err) == (0, {"id": "7"}, [])
    assert backend.calls[0].values("k") == ["v"]
    assert backend.calls[0].timeout is not None


@pytest.mark.parametrize(
    ("arguments", "code", "out", "err"),
    [
        (["list", "{}"], 0, "stock.v1.Till", None),
        (["list", "{}", "Shp"], 1, None, "transcoder: no service 'Shp'; there are: "),
        (["describe", "{}", "shop.v1.Box"], 0, "  shop.v1.Size size = 1;", None),
        (["descriptors", "{}", "-o", "/none/x"], 1, None, "transcoder: /none/x: No such file or directory"),
        (["call", "{}", "stock.v1.Till/Nope"], 1, None, "transcoder: service 'stock.v1.Till' has no method"),
        (["list", "--tls", "{}"], 1, None, "transcoder: reflection: "),
    ],
)
async def test_results_go_to_stdout_and_failures_to_stderr(
    backend: RecordingBackend, arguments: list[str], code: int, out: str | None, err: str | None
) -> None:
    returncode, stdout, stderr = await run_cli(*(part.format(backend.address) for part in arguments))
    assert returncode == code
    if out is not None:
        assert out in stdout
        assert stderr == []
    if err is not None:
        (line,) = stderr
        assert line.startswith(err)
        assert stdout == []


async def test_ctrl_c_during_a_call(backend: RecordingBackend) -> None:
    async def never(call: Call) -> None:
        await call.done.wait()

    backend.replies["shop.v1.Shop/GetItem"] = never  # type: ignore[assignment]
    arguments = ("call", backend.address, "Shop/GetItem")
    async with running(sys.executable, "-m", "transcoder", *arguments) as process:
        (call,) = await backend.wait_for_calls(within=30)
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 130
        await call.done.wait()
    assert call.cancelled
    assert "".join(process.stdout + process.stderr) == ""


def test_a_reader_that_goes_away_is_no_failure_to_tell(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        finished = subprocess.run(
            [sys.executable, "-m", "transcoder", "routes"],
            stdout=write_end,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(write_end)
    assert (finished.returncode, finished.stderr) == (1, b"")


async def test_serve_needs_no_file(backend: RecordingBackend) -> None:
    backend.replies["shop.v1.Shop/GetItem"] = SCHEMA.message("shop.v1.Item", id="7")
    ports = ("--port", str(free_port()), "--admin-port", str(free_port()))
    command = ("serve", "--backend", f"shop={backend.address}", *ports)
    async with running(sys.executable, "-m", "transcoder", *command) as process:
        await process.wait_for_line('"ready"')
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports[1]}", trust_env=False) as client:
            response = await client.post("/shop.v1.Shop/GetItem", json={"id": "7"})
        assert (response.status_code, response.json()) == (200, {"id": "7"})
        process.terminate()
        assert await process.wait() == 0


async def test_serve_on_a_taken_port(backend: RecordingBackend) -> None:
    code, out, err = await run_cli("serve", "--backend", "127.0.0.1:1", "--port", str(backend.port))
    (line,) = err
    assert (code, out) == (1, [])
    assert re.match(f"transcoder: cannot listen on 127.0.0.1:{backend.port}: Address already in use", line)
