"""The composition root: owns the backends and the current `Snapshot`, and answers requests with it.

A request reads `snapshot` once. A new configuration or a changed schema builds the next one beside it and
swaps the reference; what the old one used is closed when no request can hold it any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final

from transcoder.backend.backend import Backend
from transcoder.collector import Build, uncollected
from transcoder.config.model import Config
from transcoder.context import Calls, Reply, RequestContext, StreamReply
from transcoder.errors import (
    INTERNAL_ERROR,
    INVALID_ARGUMENT,
    METHOD_NOT_ALLOWED,
    TIMEOUT,
    UNIMPLEMENTED,
    TranscodeError,
)
from transcoder.events import EventLog, Meter, unmetered
from transcoder.plan.compile import BackendCompiler, compile_snapshot
from transcoder.plan.deadline import client_timeout
from transcoder.plan.plan import BackendRoutes, MethodPlan, Route, Snapshot
from transcoder.plan.unary import Exchange
from transcoder.resilience.protection import Protection
from transcoder.routing.table import Match
from transcoder.schema.schema import Schema
from transcoder.security.api_keys import compile_api_keys

if TYPE_CHECKING:
    from transcoder.codec import Codec
    from transcoder.resilience.storage import RateStorage
    from transcoder.security.verifier import Verifier

Closer = Callable[[], Awaitable[None]]

LINGER: Final = 10.0
"""Seconds, beyond its own timeout, that a request may hold what an older configuration used."""


LAST_STREAMS: Final = 3600.0
"""Seconds that streams may go on over a connection an older configuration made."""


class Gateway:
    """Everything one worker process needs to answer requests. Belongs to one event loop.

    clock: monotonic seconds. observe_calls: folds observers around the calls of a backend. build: runs what
    makes a generation.
    """

    def __init__(
        self,
        *,
        log: EventLog,
        meter: Meter = unmetered,
        clock: Callable[[], float] = monotonic,
        observe_calls: Callable[[Calls], Calls] | None = None,
        build: Build = uncollected,
    ) -> None:
        self.snapshot: Snapshot = compile_snapshot(0, Config(), {})
        self.backends: dict[str, Backend] = {}
        self.protections: dict[str, Protection] = {}
        self.verifier: Verifier | None = None
        self.counters: RateStorage | None = None
        self._log = log
        self._meter = meter
        self._clock = clock
        self._observe_calls = observe_calls
        self._build = build
        self._compilers: dict[str, BackendCompiler] = {}
        self._swapping = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()
        self._codec_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="codec")

    async def settled(self) -> None:
        """Wait until every exposed backend has been looked at once, whatever came of it."""
        for backend in tuple(self.backends.values()):
            await backend.settled.wait()

    async def handle(self, ctx: RequestContext) -> Reply | StreamReply:
        """Answer any request; raises only when it is cancelled."""
        started = self._clock()
        try:
            route, captures = self._match(ctx)
            for guard in route.guards:
                await guard(ctx)
            while (plan := route.plan) is None:
                route, captures = await self._learned(ctx, route, started + _timeout(route, ctx))
            exchange = plan.exchange if ctx.accept is None else _conversation(plan)
            metadata = route.metadata(ctx, captures)
            ends = started + _timeout(route, ctx)
            reply = await exchange(ctx, captures, metadata, lambda: ends - self._clock())
        except TranscodeError as error:
            return self.snapshot.refuse(error, ctx.request_id)
        except Exception as error:
            self._log.error("unexpected error", request_id=ctx.request_id, exc_info=error)
            failure = TranscodeError(INTERNAL_ERROR, "", reason=repr(error))
            return self.snapshot.refuse(failure, ctx.request_id)
        if reply.code == UNIMPLEMENTED.name:
            self._hint(route)
        return reply

    def _match(self, ctx: RequestContext) -> Match[Route]:
        """The route of a request. A WebSocket begins with GET, whatever the method of its route is."""
        table = self.snapshot.table
        try:
            match = table.match(ctx.http_method, ctx.path)
        except TranscodeError as error:
            if ctx.accept is None or error.kind is not METHOD_NOT_ALLOWED:
                raise
            match = table.match(next(table.candidates(ctx.path)).info.http_method, ctx.path)
        ctx.route = match[0].info
        return match

    async def _learned(self, ctx: RequestContext, waiting: Route, ends: float) -> Match[Route]:
        """The route of a request when the schema its route waits for is known."""
        await self._learn(waiting, ends)
        match = self._match(ctx)
        if match[0].guards is not waiting.guards:
            for guard in match[0].guards:
                await guard(ctx)
        return match

    async def _learn(self, route: Route, ends: float) -> None:
        """Read the schema a route waits for. Raises TranscodeError when the route cannot be served."""
        if route.problem is not None:
            self._hint(route)
            raise TranscodeError(UNIMPLEMENTED, "the backend has no such method", reason=route.problem)
        backend = self.backends.get(route.info.backend)
        if backend is None:
            return  # just dropped by a reload, and the route with it
        try:
            async with asyncio.timeout(ends - self._clock()):
                await backend.current_schema()
        except TimeoutError:
            raise TranscodeError(TIMEOUT, "deadline exceeded", reason="while reading the schema") from None

    def _hint(self, route: Route) -> None:
        if backend := self.backends.get(route.info.backend):
            backend.hint()

    async def apply(self, config: Config) -> None:
        """Take over a configuration: everything is built first, then swapped in at once.

        Backends whose entry and certificates have not changed are kept with their connection; one that is
        still at the same address keeps its schema. Raises ConfigError for key files that cannot be used, and
        then nothing has changed.
        """
        async with self._swapping:
            verifier, counters = self._verifier(config), self._counters(config)
            api_keys = compile_api_keys(config.auth)
            backends = {name: self._backend(name, config) for name in config.services}
            protections = {name: self._protection(backend) for name, backend in backends.items()}
            compilers = {
                name: BackendCompiler(
                    backend=name,
                    config=config,
                    calls=protections[name].around(self._calls(backend)),
                    verifier=verifier,
                    api_keys=api_keys,
                    counters=counters,
                    meter=self._meter,
                    thread=self._codec_thread,
                )
                for name, backend in backends.items()
            }
            routes = {
                name: await asyncio.to_thread(self._build, compilers[name].compile, backend.schema)
                for name, backend in backends.items()
            }
            delay = self.snapshot.config.server.request_timeout + LINGER
            self._swap(await self._next(config, routes))
            self._retire_unused(backends, verifier, counters, delay)
            self.backends, self.protections, self._compilers = backends, protections, compilers
            self.verifier, self.counters = verifier, counters
        if verifier is not None:
            await verifier.start()
        for backend in backends.values():
            backend.start()

    async def close(self, grace: float) -> None:
        """End everything; calls in flight may finish within `grace` seconds."""
        self._closing.set()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        await asyncio.gather(*(backend.close(grace) for backend in self.backends.values()))
        for owned in (self.verifier, self.counters):
            if owned is not None:
                await owned.close()
        self._codec_thread.shutdown(wait=False, cancel_futures=True)

    def _calls(self, backend: Backend) -> Calls:
        calls = backend.connection
        return calls if self._observe_calls is None else self._observe_calls(calls)

    def _protection(self, backend: Backend) -> Protection:
        if self.backends.get(backend.name) is backend:
            return self.protections[backend.name]
        return Protection(backend.name, backend.config, log=self._log, meter=self._meter, clock=self._clock)

    def _reconnected(self, backend: Backend) -> None:
        if self.backends.get(backend.name) is backend:
            self.protections[backend.name].reconnected()

    def _verifier(self, config: Config) -> Verifier | None:
        if not config.auth.issuers:
            return None
        # its cryptography is a sixth of a worker's memory: only those who verify tokens pay for it
        from transcoder.security.verifier import Verifier  # noqa: PLC0415

        has_changed = config.auth != self.snapshot.config.auth
        # fetched keys are kept while nothing about them has changed, key files are read again
        reads_files = any(issuer.public_key_file for issuer in config.auth.issuers)
        if self.verifier is None or has_changed or reads_files:
            return Verifier.from_config(config.auth, meter=self._meter)
        return self.verifier

    def _counters(self, config: Config) -> RateStorage | None:
        """What counts for rate limits; what it has counted is kept while nothing about it has changed."""
        if not config.has_rate_limits:
            return None
        from transcoder.resilience.storage import RateStorage  # noqa: PLC0415 - 16 MB with `limits`

        if self.counters is None or config.rate_limits != self.snapshot.config.rate_limits:
            return RateStorage.from_config(
                config.rate_limits, self._log, meter=self._meter, clock=self._clock
            )
        return self.counters

    def _backend(self, name: str, config: Config) -> Backend:
        entry = config.services[name]
        old = self.backends.get(name)
        if old is not None and old.is_up_to_date(entry):
            return old
        is_same_place = (
            old is not None
            and old.config.address == entry.address
            and old.config.descriptor_set == entry.descriptor_set
        )
        kept = old if is_same_place else None
        return Backend(
            name,
            entry,
            log=self._log,
            on_change=self._adopt,
            on_reconnect=self._reconnected,
            meter=self._meter,
            clock=self._clock,
            build=self._build,
            schema=kept.schema if kept else None,
            read_at=kept.read_at if kept else None,
        )

    async def _adopt(self, backend: Backend, schema: Schema) -> None:
        """Recompile the routes of a backend for another schema, off the event loop, and swap them in."""
        async with self._swapping:
            if self.backends.get(backend.name) is not backend:
                return
            compiler = self._compilers[backend.name]
            routes = await asyncio.to_thread(self._build, compiler.compile, schema)
            backends = {**self.snapshot.backends, backend.name: routes}
            self._swap(await self._next(self.snapshot.config, backends))

    async def _next(self, config: Config, backends: Mapping[str, BackendRoutes]) -> Snapshot:
        generation = self.snapshot.generation + 1
        return await asyncio.to_thread(self._build, compile_snapshot, generation, config, backends)

    def _swap(self, snapshot: Snapshot) -> None:
        known = set(self.snapshot.problems())
        left = list(self.snapshot.routes)
        codecs = list(self.snapshot.codecs_beside(snapshot))
        self.snapshot = snapshot
        for problem in snapshot.problems():
            if problem not in known:
                self._log.warning("route not served", problem=problem)
        asyncio.get_running_loop().run_in_executor(None, _let_go, left, codecs)

    def _retire_unused(
        self,
        backends: dict[str, Backend],
        verifier: Verifier | None,
        counters: RateStorage | None,
        delay: float,
    ) -> None:
        """Close what the next configuration does not use, when no request can be using it."""
        unused = [backend for name, backend in self.backends.items() if backends.get(name) is not backend]
        closing: list[Closer] = [partial(backend.close, LAST_STREAMS) for backend in unused]
        if self.verifier is not None and self.verifier is not verifier:
            closing.append(self.verifier.close)
        if self.counters is not None and self.counters is not counters:
            closing.append(self.counters.close)
        if closing:
            task = asyncio.create_task(self._close_later(closing, delay), name="retire")
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def _close_later(self, closing: list[Closer], delay: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), delay)
        for close in closing:
            await close()


def _let_go(routes: list[Route], codecs: Iterable[Codec]) -> None:
    """Free routes one by one: thousands at once, with all they hold, would hold the event loop, too."""
    while routes:
        routes.pop()
    for codec in codecs:
        codec.forget()


def _conversation(plan: MethodPlan) -> Exchange:
    if plan.converse is None:
        raise TranscodeError(INVALID_ARGUMENT, "a method without streams is not for a WebSocket")
    return plan.converse


def _timeout(route: Route, ctx: RequestContext) -> float:
    """Seconds the request may take: what the route allows, or less when the client says so."""
    wanted = client_timeout(ctx.headers)
    return route.timeout if wanted is None else min(wanted, route.timeout)
