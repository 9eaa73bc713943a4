"""One worker process: a gateway, its two ports, and the way from start to drained."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from sanic import Sanic

from transcoder.config.load import LoadedConfig
from transcoder.config.model import Config, TracingConfig
from transcoder.context import Reply
from transcoder.errors import ConfigError, TranscodeError
from transcoder.events import EventLog
from transcoder.gateway import Gateway
from transcoder.observe.access import log_access
from transcoder.resilience.in_flight import InFlight, cap_requests
from transcoder.server.admin import make_admin_app
from transcoder.server.control import Control, Outcome
from transcoder.server.cors import with_cors
from transcoder.server.listener import Listener
from transcoder.server.options import ServeOptions
from transcoder.server.probes import with_probes
from transcoder.server.public import make_public_app, set_limits
from transcoder.watch import watch_files

if TYPE_CHECKING:
    from transcoder.observe.tracing import Tracing

SETTLE_TIMEOUT: Final = 5.0
"""Seconds after which a worker is ready even if an exposed backend has not answered yet."""

SWITCH_INTERVAL: Final = 0.001
"""Seconds the event loop waits for the interpreter while a thread has it: big messages are coded in one."""

RESTART_KEYS: Final = (
    "server.host",
    "server.port",
    "server.workers",
    "admin.enabled",
    "admin.host",
    "admin.port",
    "observability",
)
"""What a reload cannot change: it belongs to the process, not to the snapshot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sockets:
    """Bound sockets, shared by all workers. admin: None when it is off."""

    public: socket.socket
    admin: socket.socket | None

    @property
    def pair(self) -> tuple[socket.socket, socket.socket | None]:
        """Both, the public one first."""
        return self.public, self.admin


class Worker:
    """Runs the gateway in this process until it is told to stop.

    control_folder: where the workers meet, None when there is only one.
    """

    def __init__(
        self, options: ServeOptions, sockets: Sockets, control_folder: Path | None, log: EventLog
    ) -> None:
        self.control = Control(control_folder, {"reload": self._reload, "refresh": self._refresh})
        self._options = options
        self._sockets = sockets
        self._log = log
        self._loaded = options.load()
        self._started_with = self._loaded.config
        self._tracing = _tracing(self._loaded.config.observability.tracing)
        self.gateway = Gateway(log=log, observe_calls=self._tracing.calls if self._tracing else None)
        self._public: Sanic[Any, Any] | None = None
        self._is_ready = False
        self._stopping = asyncio.Event()
        self._is_hurried = asyncio.Event()
        self._reloading = asyncio.Lock()

    async def run(self, parent: int | None = None) -> None:
        """Serve until stopped, then drain. parent: a file descriptor; its end stops this worker, too."""
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._listen_for_the_end(parent)
        await self._take_over(self._loaded)
        self._public = self._public_app()
        listeners = [await Listener.start(self._public, self._sockets.public)]
        if self._sockets.admin is not None:
            listeners.append(await Listener.start(make_admin_app(self), self._sockets.admin))
        await self.control.start()
        tasks = [asyncio.create_task(self._settle()), asyncio.create_task(self._watch())]
        await self._stopping.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._drain(listeners)
        await self.control.close()
        await self.gateway.close(grace=0)
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.close)
        self._log.info("stopped")

    def stop(self) -> None:
        """Drain and end; called again, without waiting for anybody."""
        if self._stopping.is_set():
            self._is_hurried.set()
        self._stopping.set()

    @property
    def is_ready(self) -> bool:
        """Whether this worker wants traffic."""
        return self._is_ready and not self._stopping.is_set()

    @property
    def config(self) -> Config:
        """The configuration in effect."""
        return self.gateway.snapshot.config

    def _public_app(self) -> Sanic[Any, Any]:
        handler = with_cors(self.gateway.handle, lambda: self.gateway.snapshot)
        if self._tracing is not None:
            handler = self._tracing.handler(handler)
        in_flight = InFlight(lambda: self.config.server.max_in_flight, "server.max_in_flight")
        handler = cap_requests(handler, in_flight, self._refuse)
        if self.config.observability.access_log:
            handler = log_access(handler, self._log, monotonic)
        return make_public_app(
            with_probes(handler, lambda: self.is_ready),
            self._refuse,
            self.config.server,
            self._log,
        )

    def _refuse(self, error: TranscodeError, request_id: str) -> Reply:
        return self.gateway.snapshot.refuse(error, request_id)

    async def _take_over(self, loaded: LoadedConfig) -> None:
        for warning in loaded.warnings:
            self._log.warning("configuration", problem=str(warning))
        await self.gateway.apply(loaded.config)
        if self._public is not None:
            set_limits(self._public, loaded.config.server)
        self._loaded = loaded

    async def _settle(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.gateway.settled(), SETTLE_TIMEOUT)
        self._is_ready = True
        self._log.info("ready", listening=_address(self._sockets.public), admin=_address(self._sockets.admin))

    async def _watch(self) -> None:
        if not self._loaded.files:
            return
        try:
            await watch_files(lambda: self._loaded.files, self._reload)
        except Exception as error:
            self._log.error("the configuration is not watched any more", exc_info=error)

    async def _reload(self) -> Outcome:
        """Read the configuration again and take it over; a bad one changes nothing."""
        async with self._reloading:
            try:
                loaded = await asyncio.to_thread(self._options.load)
                await self._take_over(loaded)
            except ConfigError as error:
                problems = [str(problem) for problem in error.problems]
                self._log.error("reload failed, the old configuration stays", problems=problems)
                return {"ok": False, "message": "the configuration is not valid", "problems": problems}
            old, new = self._started_with, loaded.config
            needs_restart = [key for key in RESTART_KEYS if _at(old, key) != _at(new, key)]
            generation = self.gateway.snapshot.generation
            self._log.info("reload", generation=generation, needs_restart=needs_restart)
            return {"ok": True, "generation": generation, "needs_restart": needs_restart}

    async def _refresh(self, backend: str) -> Outcome:
        """Look at the schema of a backend again."""
        subject = self.gateway.backends.get(backend)
        if subject is None:
            return {"ok": False, "message": f"no service {backend!r}"}
        before = subject.schema
        try:
            schema = await subject.refresh()
        except TranscodeError as error:
            return {"ok": False, "message": error.reason}
        return {"ok": True, "changed": schema is not before, "fingerprint": schema.fingerprint}

    def _listen_for_the_end(self, parent: int | None) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        if parent is not None:
            loop.add_reader(parent, self._orphaned, parent)

    def _orphaned(self, parent: int) -> None:
        asyncio.get_running_loop().remove_reader(parent)
        self.stop()

    async def _drain(self, listeners: list[Listener]) -> None:
        """Be not ready for a while, then stop listening and wait for what is in flight."""
        server = self.config.server
        self._log.info("draining", delay=server.drain_delay, timeout=server.drain_timeout)
        for listener in listeners:
            listener.stop_keeping_alive()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._is_hurried.wait(), server.drain_delay)
        stops = (listener.stop(server.drain_timeout, self._is_hurried) for listener in listeners)
        if not all(await asyncio.gather(*stops)):
            self._log.warning("requests cut", hurried=self._is_hurried.is_set())


def _tracing(config: TracingConfig) -> Tracing | None:
    if config.otlp_endpoint is None:
        return None
    # an extra: without an endpoint it need not be installed, nor held in memory
    from transcoder.observe.tracing import Tracing  # noqa: PLC0415

    return Tracing.to_collector(config.otlp_endpoint, config.sample_ratio)


def _at(config: Config, key: str) -> Any:
    value: Any = config
    for name in key.split("."):
        value = getattr(value, name)
    return value


def _address(sock: socket.socket | None) -> str | None:
    if sock is None:
        return None
    host, port = sock.getsockname()[:2]
    return f"{host}:{port}"
