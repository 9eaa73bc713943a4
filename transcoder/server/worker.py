"""One worker process: a gateway, its two ports, and the way from start to drained."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from sanic import Sanic

from transcoder.collector import Freezer, free_after_each
from transcoder.config.load import LoadedConfig
from transcoder.config.model import Config, TracingConfig
from transcoder.context import Handler, Reply
from transcoder.errors import TranscodeError
from transcoder.events import EventLog, unmetered
from transcoder.gateway import Gateway
from transcoder.observe.access import log_access
from transcoder.plan.reply import Refuse
from transcoder.resilience.in_flight import InFlight, cap_requests
from transcoder.server.admin import make_admin_app
from transcoder.server.configuration import Configuration
from transcoder.server.control import Command, Control, Outcome
from transcoder.server.cors import cors_of_refusals, with_cors
from transcoder.server.instruments import Instruments
from transcoder.server.listener import Listener
from transcoder.server.options import ServeOptions
from transcoder.server.probes import with_probes
from transcoder.server.public import make_public_app, set_limits
from transcoder.server.sockets import Sockets
from transcoder.server.team import Team
from transcoder.server.tls import TlsPort, make_context

if TYPE_CHECKING:
    from transcoder.observe.tracing import Tracing

SETTLE_TIMEOUT: Final = 5.0
"""Seconds after which a worker is ready even if an exposed backend has not answered yet."""

SWITCH_INTERVAL: Final = 0.001
"""Seconds the event loop waits for the interpreter while a thread has it: big messages are coded in one."""


class Worker:
    """Runs the gateway in this process until it is told to stop. started_at: Unix seconds."""

    def __init__(
        self, options: ServeOptions, loaded: LoadedConfig, sockets: Sockets, team: Team, log: EventLog
    ) -> None:
        self.started_at = time.time()
        self._instruments = Instruments(team) if team.memories else None
        self._tracing = _tracing(loaded.config.observability.tracing)
        meter = self._instruments.meter if self._instruments else unmetered
        observe_calls = self._tracing.calls if self._tracing else None
        self._freezer = Freezer()
        self.gateway = Gateway(log=log, meter=meter, observe_calls=observe_calls, build=self._freezer.build)
        tls = loaded.config.server.tls
        self._tls = TlsPort(make_context(tls)) if tls.cert is not None else None
        self.configuration = Configuration(
            options,
            loaded,
            self.gateway,
            team,
            on_change=self._set_limits,
            tls=self._tls,
            log=log,
            meter=meter,
        )
        self._in_flight = InFlight(
            lambda: self.config.server.max_in_flight,
            "server.max_in_flight",
            meter("transcoder_requests_over_capacity_total"),
        )
        self.control = Control(team.folder, self._commands())
        self._team = team
        self._sockets = sockets
        self._log = log
        self._public: Sanic[Any, Any] | None = None
        self._is_ready = False
        self._stopping = asyncio.Event()
        self._is_hurried = asyncio.Event()

    async def run(self, parent: int | None = None) -> None:
        """Serve until stopped, then drain. parent: a file descriptor; its end stops this worker, too."""
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._listen_for_the_end(parent)
        await self.configuration.start()
        self._public = self._public_app()
        tls = self._tls.context if self._tls is not None else None
        listeners = [await Listener.start(self._public, self._sockets.public, tls)]
        if self._sockets.admin is not None:
            listeners.append(await Listener.start(make_admin_app(self), self._sockets.admin))
        await self.control.start()
        tasks = self._start_tasks()
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
        """Whether this worker wants traffic: at the first start, not before all workers can take it."""
        return self._is_ready and not self._stopping.is_set() and self._team.is_complete

    @property
    def config(self) -> Config:
        """The configuration in effect."""
        return self.gateway.snapshot.config

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """The metrics of all workers, and their content type. accept: the header of the request."""
        if self._instruments is None:
            raise AssertionError("metrics without a way to ask for them")
        return await self._instruments.page(self.control, accept)

    def _public_app(self) -> Sanic[Any, Any]:
        refuse: Refuse = self._refuse
        handler: Handler = self.gateway.handle
        if self._tracing is not None:
            handler = self._tracing.handler(handler)
        handler = cap_requests(handler, self._in_flight, refuse)
        handler = with_cors(handler, lambda: self.gateway.snapshot)
        if self._instruments is not None:
            handler, refuse = self._instruments.on_handler(handler), self._instruments.on_refusals(refuse)
        if self.config.observability.access_log:
            handler = log_access(handler, self._log, time.monotonic)
        return make_public_app(
            with_probes(handler, lambda: self.is_ready),
            refuse,
            self.config.server,
            self._log,
            on_refusal=cors_of_refusals(lambda: self.gateway.snapshot),
        )

    def _refuse(self, error: TranscodeError, request_id: str) -> Reply:
        return self.gateway.snapshot.refuse(error, request_id)

    def _set_limits(self, config: Config) -> None:
        if self._public is not None:
            set_limits(self._public, config.server)

    def _commands(self) -> Mapping[str, Command]:
        """What every worker does, whichever was asked."""
        return {"reload": self.configuration.reload, "refresh": self._refresh, "figures": self._figures}

    def _start_tasks(self) -> list[asyncio.Task[None]]:
        works = [self._settle(), self.configuration.watch()]
        if self._instruments is not None:
            works.append(self._instruments.watch_loop())
        return [asyncio.create_task(work) for work in works]

    async def _settle(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.gateway.settled(), SETTLE_TIMEOUT)
        with self._freezer.on():
            self._is_ready = True
            self._team.report_ready()
            public, admin = _address(self._sockets.public), _address(self._sockets.admin)
            self._log.info("ready", listening=public, admin=admin)
            await free_after_each(lambda: self.gateway.snapshot.generation)

    async def _figures(self) -> Outcome:
        return self._instruments.figures(self) if self._instruments else {"ok": True}

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


def _address(sock: socket.socket | None) -> str | None:
    if sock is None:
        return None
    host, port = sock.getsockname()[:2]
    return f"{host}:{port}"
