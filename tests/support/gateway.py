"""The gateway as its own process, with clients for its two ports."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from tests.support.ports import free_port
from tests.support.process import Process, running

_READY_WITHIN: Final = 30.0
_POLL_INTERVAL: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningGateway:
    """client and admin: HTTP clients of the two ports, whose base addresses are url and admin_url."""

    url: str
    admin_url: str
    client: httpx.AsyncClient
    admin: httpx.AsyncClient
    process: Process
    config_file: Path

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log records so far."""
        return [json.loads(line) for line in self.process.stderr if line.startswith("{")]


@asynccontextmanager
async def running_gateway(
    config: Mapping[str, Any] | str,
    directory: Path,
    *,
    arguments: Sequence[str] = (),
    files: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    is_awaited: bool = True,
    verify: ssl.SSLContext | bool = False,
) -> AsyncIterator[RunningGateway]:
    """Starts `transcoder serve` and waits until it is ready, if it is awaited.

    config: what config.yaml says; host, ports and a drain without delay are filled in where they are missing.
    files: what stands beside it, by name. verify: httpx's, of the client of the public port. Raises
    AssertionError, with what the gateway wrote, if it does not become ready.
    """
    settings = _with_defaults(yaml.safe_load(config) if isinstance(config, str) else config)
    for name, text in (files or {}).items():
        (directory / name).write_text(text)
    config_file = directory / "config.yaml"
    config_file.write_text(yaml.safe_dump(settings, sort_keys=False))
    scheme = "https" if settings["server"].get("tls") else "http"
    url = f"{scheme}://127.0.0.1:{settings['server']['port']}"
    admin_url = f"http://127.0.0.1:{settings['admin']['port']}"
    command = (sys.executable, "-m", "transcoder", "serve", "--config", str(config_file), *arguments)
    async with (
        running(*command, env=env) as process,
        _client(url, verify) as client,
        _client(admin_url) as admin,
    ):
        if is_awaited:
            await _until_ready(client, process)
        yield RunningGateway(
            url=url, admin_url=admin_url, client=client, admin=admin, process=process, config_file=config_file
        )


def _with_defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    server = {"host": "127.0.0.1", "port": free_port(), "drain_delay": "0s"}
    return {
        **config,
        "server": {**server, **(config.get("server") or {})},
        "admin": {"port": free_port(), **(config.get("admin") or {})},
    }


def _client(url: str, verify: ssl.SSLContext | bool = False) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, verify=verify, trust_env=False, timeout=30)


async def _until_ready(client: httpx.AsyncClient, process: Process) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_READY_WITHIN):
            while process.returncode is None:
                with suppress(httpx.TransportError):
                    if (await client.get("/-/ready")).status_code == 200:
                        return
                await asyncio.sleep(_POLL_INTERVAL)
    raise AssertionError(f"the gateway did not become ready\n{process}")
