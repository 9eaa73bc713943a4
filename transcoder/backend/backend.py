"""A backend: an entry of `services`, with its connection and the last good schema read from it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from transcoder.backend.channel import certificates_of
from transcoder.backend.connection import Connection
from transcoder.backend.reflection import reflect
from transcoder.backend.status import from_closed_channel, is_own_cancellation
from transcoder.collector import Build, uncollected
from transcoder.config.model import ServiceConfig
from transcoder.context import Metadata
from transcoder.errors import SERVICE_UNAVAILABLE, TranscodeError
from transcoder.events import EventLog, Meter, unmetered
from transcoder.schema.schema import Schema
from transcoder.schema.source import FileSet, from_descriptor_set

FAILURE_STANDS: Final = 1.0
"""Seconds a failed look at a schema stands before a request makes the gateway look again."""

UNSEEN_INTERVAL: Final = 2.0
"""Seconds between looks at an exposed backend whose schema has never been read."""

HINT_PAUSE: Final = 1.0
"""Seconds within which hints that a schema has changed share one look."""


class Backend:
    """One backend of one configuration. Belongs to the event loop that first uses it.

    schema: the last good one; read_at: when it was last read, or found unchanged.
    settled: set once the backend has been looked at, if its routes depend on it.
    on_change: awaited when a look brings another, which counts once it returns. on_reconnect: told when the
    backend is reached again.
    clock: monotonic seconds. build: runs what makes a schema.
    """

    def __init__(
        self,
        name: str,
        config: ServiceConfig,
        *,
        log: EventLog,
        on_change: Callable[[Backend, Schema], Awaitable[None]],
        on_reconnect: Callable[[Backend], None] = lambda _backend: None,
        meter: Meter = unmetered,
        clock: Callable[[], float] = time.monotonic,
        build: Build = uncollected,
        schema: Schema | None = None,
        read_at: float | None = None,
    ) -> None:
        self.name = name
        self.config = config
        self.schema = schema
        self.last_error: str | None = None
        self.read_at = read_at
        self.certificates = certificates_of(config)
        self.connection = Connection(name, config, log=log, on_reconnect=self._reconnected, meter=meter)
        self._refreshes = {
            outcome: meter("transcoder_schema_refreshes_total", backend=name, outcome=outcome)
            for outcome in ("changed", "unchanged", "failed")
        }
        self._log = log
        self._on_change = on_change
        self._on_reconnect = on_reconnect
        self._clock = clock
        self._build = build
        self._failed_at: float | None = None
        self._reading: asyncio.Task[Schema] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._hinted = asyncio.Event()
        self.settled = asyncio.Event()
        if schema is not None or not config.expose:
            self.settled.set()

    def __repr__(self) -> str:
        return f"Backend({self.name!r}, {self.connection.state})"

    @property
    def metadata(self) -> Metadata:
        """Static metadata that goes with every call, reflection included."""
        return tuple(self.config.metadata.items())

    def start(self) -> None:
        """Keep the schema fresh from now on; what is exposed is read at once, the rest when first needed."""
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep_fresh(), name=f"keep schema of {self.name}")

    def hint(self) -> None:
        """Something suggests that the schema has changed: look at it soon."""
        self._hinted.set()

    async def current_schema(self) -> Schema:
        """The schema, read now if it never was. Raises TranscodeError (SERVICE_UNAVAILABLE)."""
        if self.schema is not None:
            return self.schema
        if self._failed_at is not None and self._clock() < self._failed_at + FAILURE_STANDS:
            raise TranscodeError(SERVICE_UNAVAILABLE, "", reason=self.last_error)
        return await self.refresh()

    async def refresh(self) -> Schema:
        """Look at the schema again; callers at the same time share one look.

        Returns the very same object when nothing has changed. When it fails the last good schema stays, and
        TranscodeError (SERVICE_UNAVAILABLE) says why; so it does when the backend is closed meanwhile.
        """
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(), name=f"read schema of {self.name}")
            # whoever asked may be gone by the time it fails
            self._reading.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            return await asyncio.shield(self._reading)
        except asyncio.CancelledError:
            if is_own_cancellation():
                raise
            raise from_closed_channel() from None

    async def close(self, grace: float) -> None:
        """Close the connection; calls in flight may finish within `grace` seconds."""
        tasks = [task for task in (self._keeper, self._reading) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._keeper = self._reading = None  # their tracebacks lead back here
        await self.connection.close(grace)

    def _reconnected(self) -> None:
        self._on_reconnect(self)
        self.hint()

    def is_up_to_date(self, config: ServiceConfig) -> bool:
        """Whether this is the backend that an entry of `services` asks for, certificates included."""
        return self.config == config and self.certificates == certificates_of(config)

    async def _keep_fresh(self) -> None:
        if self.config.expose:
            self._hinted.set()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hinted.wait(), self._interval())
            self._hinted.clear()
            if self.schema is not None or self.config.expose:
                with suppress(TranscodeError):
                    await self.refresh()
                self.settled.set()
                await asyncio.sleep(HINT_PAUSE)

    def _interval(self) -> float:
        is_unseen = self.config.expose and self.schema is None
        return UNSEEN_INTERVAL if is_unseen else self.config.refresh_interval

    async def _read(self) -> Schema:
        try:
            files = await self._files()
            schema, outcome = self.schema, "unchanged"
            if schema is None or schema.fingerprint != files.fingerprint():
                schema, outcome = await self._take_over(files), "changed"
            self.schema = schema
        except TranscodeError as error:
            self._say_failed(error)
            raise
        except Exception as error:  # whatever a backend sends, the next look must happen
            failure = TranscodeError(SERVICE_UNAVAILABLE, "", reason=f"schema cannot be used: {error!r}")
            self._say_failed(failure)
            raise failure from error
        self._refreshes[outcome]()
        self.read_at = self._clock()
        self._failed_at = self.last_error = None
        return schema

    async def _take_over(self, files: FileSet) -> Schema:
        """Build a new generation and have it adopted; only then is it the schema."""
        # thousands of files take a while, and other requests must not wait for them
        schema = await asyncio.to_thread(self._build, Schema.from_files, files)
        await self._on_change(self, schema)
        self._say_loaded(schema)
        return schema

    async def _files(self) -> FileSet:
        if self.config.descriptor_set is None:
            return await reflect(self.connection.channel, self.metadata)
        path = self.config.descriptor_set
        try:
            return from_descriptor_set(await asyncio.to_thread(path.read_bytes))
        except (OSError, ValueError) as error:
            raise TranscodeError(SERVICE_UNAVAILABLE, "", reason=f"descriptor_set {path}: {error}") from error

    def _say_failed(self, error: TranscodeError) -> None:
        self._refreshes["failed"]()
        self._failed_at = self._clock()
        if error.reason != self.last_error:
            self._log.warning("schema not loaded", backend=self.name, reason=error.reason)
        self.last_error = error.reason

    def _say_loaded(self, schema: Schema) -> None:
        self._log.info(
            "schema loaded",
            backend=self.name,
            services=len(schema.services),
            methods=sum(1 for _ in schema.methods()),
            origin=schema.origin,
            fingerprint=schema.fingerprint[:12],
        )
        for problem in schema.problems:
            self._log.warning("schema incomplete", backend=self.name, problem=problem)
