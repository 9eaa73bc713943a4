"""What is measured: each of these is given every cell."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson
import yaml

from benchmarks.cells import Cell
from benchmarks.envoy import envoy_config
from benchmarks.load import Load, wrk
from benchmarks.processes import end, free_port, running, wait_until_idle, wait_until_serving
from benchmarks.sample import Sample
from benchmarks.shop.build import Built
from benchmarks.stream import read_streams
from benchmarks.tokens import AUDIENCE, ISSUER, SECRET, bearer
from benchmarks.usage import usage_of

GATEWAY: Final = "transcoder"
ENVOY: Final = "envoy"
NAIVE: Final = "hand-written"
DIRECT: Final = "direct client"

_PROBE: Final = "/v1/orders/probe"

Measure: TypeAlias = Callable[[Cell, int], Sample | None]
"""(cell, whole seconds) -> what was seen; None where a cell means nothing for this target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A program that serves the paths of the shop."""

    name: str
    url: str
    pid: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What servers stand on. backend: its port; envoy: the program; folder: for logs and configurations."""

    backend: int
    built: Built
    envoy: Path
    folder: Path


@contextmanager
def running_backend(program: Path) -> Iterator[int]:
    """The port of the backend."""
    process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        end(process)


@contextmanager
def running_server(site: Site, name: str, *, has_auth: bool) -> Iterator[Server]:
    """One of the servers, once it answers."""
    port = free_port()
    headers = bearer() if has_auth else {}
    log = site.folder / f"{name}{'-auth' if has_auth else ''}.log"
    command = _COMMANDS[name](site, port, has_auth)
    with running(command, log) as pid:
        wait_until_serving(port, _PROBE, headers, log)
        yield Server(name=name, url=f"http://127.0.0.1:{port}", pid=pid, headers=headers)


@contextmanager
def running_targets(
    site: Site, names: Sequence[str], auth: Sequence[bool]
) -> Iterator[Mapping[str, Measure]]:
    """Every target by name, in that order; each server runs once with auth and once without, as asked for."""
    with ExitStack() as stack:
        yield {
            name: _direct(site)
            if name == DIRECT
            else _served(
                {
                    has_auth: stack.enter_context(running_server(site, name, has_auth=has_auth))
                    for has_auth in auth
                }
            )
            for name in names
        }


def put_load(server: Server, cell: Cell, seconds: int) -> Load:
    """Load a server with a cell."""
    if cell.workload.unit == "message":
        return read_streams(server.url, cell.workload.target, cell.connections, seconds, server.headers)
    return wrk(server.url, cell.workload, cell.connections, seconds, server.headers)


def measure_server(server: Server, cell: Cell, seconds: int) -> Sample:
    """Load a server that has nothing else to do, and see what it used."""
    wait_until_idle(server.pid)
    before = usage_of(server.pid)
    load = put_load(server, cell, seconds)
    used = usage_of(server.pid)
    return Sample(load=load, cpu=used.cpu - before.cpu, rss=used.rss)


def _served(servers: Mapping[bool, Server]) -> Measure:
    return lambda cell, seconds: measure_server(servers[cell.has_auth], cell, seconds)


def _direct(site: Site) -> Measure:
    def measure(cell: Cell, seconds: int) -> Sample | None:
        if cell.has_auth:
            return None
        command = [sys.executable, "-m", "benchmarks.direct", f"127.0.0.1:{site.backend}"]
        command += [str(site.built.descriptors), cell.workload.name, str(cell.connections), str(seconds)]
        done = subprocess.run(command, check=True, capture_output=True)
        sample = orjson.loads(done.stdout)
        return Sample(load=Load(**sample["load"]), cpu=sample["cpu"], rss=sample["rss"])

    return measure


def _gateway_command(site: Site, port: int, has_auth: bool) -> list[str]:
    file = site.folder / f"transcoder{'-auth' if has_auth else ''}.yaml"
    file.write_text(yaml.safe_dump(gateway_config(port, f"127.0.0.1:{site.backend}", has_auth=has_auth)))
    return [sys.executable, "-m", "transcoder", "serve", "--config", str(file)]


def gateway_config(port: int, backend: str, *, has_auth: bool) -> dict[str, Any]:
    """What `config.yaml` says; the access log is off, as Envoy's is by default."""
    issuer = {"issuer": ISSUER, "audience": [AUDIENCE], "algorithms": ["HS256"], "secret": SECRET}
    return {
        "server": {"port": port},
        "admin": {"port": free_port()},
        "auth": {"issuers": [{"name": "main", **issuer}] if has_auth else []},
        "services": {"shop": {"address": backend, "expose": ["annotations"]}},
        "observability": {"access_log": False, "log_level": "warning"},
    }


def _envoy_command(site: Site, port: int, has_auth: bool) -> list[str]:
    file = site.folder / f"envoy{'-auth' if has_auth else ''}.json"
    file.write_bytes(envoy_config(port, site.backend, site.built.descriptors, has_auth=has_auth))
    return [
        str(site.envoy),
        *("--config-path", str(file), "--concurrency", "1"),
        *("--disable-hot-restart", "--log-level", "warning"),
    ]


def _naive_command(site: Site, port: int, has_auth: bool) -> list[str]:
    arguments = [str(port), f"127.0.0.1:{site.backend}", str(site.built.descriptors)]
    return [sys.executable, "-m", "benchmarks.naive", *arguments, *(["auth"] if has_auth else [])]


_COMMANDS: Final[Mapping[str, Callable[[Site, int, bool], list[str]]]] = {
    GATEWAY: _gateway_command,
    ENVOY: _envoy_command,
    NAIVE: _naive_command,
}
