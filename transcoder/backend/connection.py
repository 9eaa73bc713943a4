"""The connection to a backend: made on first use, its state watched, closed gracefully."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import grpc
import grpc.aio

from transcoder.backend.channel import open_channel
from transcoder.backend.status import Pairs, grpc_errors, metadata_of
from transcoder.backend.stream import MessageCounts, open_streams
from transcoder.backend.waiting import to_the_end
from transcoder.config.model import RetryConfig, ServiceConfig
from transcoder.context import CallResult, Metadata, OpenStream, Stream, UnaryCall
from transcoder.errors import SERVICE_UNAVAILABLE, TIMEOUT, TranscodeError
from transcoder.events import EventLog, Meter, unmetered

UNUSED: Final = "unused"
"""State of a connection that no call has needed yet; the others are grpc's, in lower case."""

READY: Final = "ready"
SHUTDOWN: Final = "shutdown"
STATES: Final = (UNUSED, *(state.name.lower() for state in grpc.ChannelConnectivity))


class Connection:
    """Lazily opened channels. Belongs to the event loop that first uses it.

    Whether calls are retried is a matter of their channel in grpc: there is one for each sort of calls, and
    both share the connections.

    on_reconnect: called when the backend is reached again, or at last: it may be another version. A lost
    connection is made again at once, whether or not there are calls.
    """

    def __init__(
        self,
        name: str,
        config: ServiceConfig,
        *,
        log: EventLog,
        on_reconnect: Callable[[], None],
        meter: Meter = unmetered,
    ) -> None:
        self.state = UNUSED
        self._name = name
        self._config = config
        self._log = log
        self._on_reconnect = on_reconnect
        self._meter = meter
        self._count_exhausted = meter("transcoder_retries_exhausted_total", backend=name)
        self._owner = uuid.uuid4().hex
        self._channels: dict[bool, grpc.aio.Channel] = {}
        self._watcher: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"Connection({self._name!r}, {self.state})"

    @property
    def channel(self) -> grpc.aio.Channel:
        """The channel of calls that are made once. Raises TranscodeError when certificates cannot be read."""
        if False not in self._channels:
            self._log.info("creating channel", backend=self._name, address=self._config.address)
            channel = self._channels[False] = self._open(None)
            self._watcher = asyncio.create_task(self._watch(channel), name=f"watch {self._name}")
        return self._channels[False]

    @property
    def retrying_channel(self) -> grpc.aio.Channel:
        """The channel of calls that may be made again. Raises TranscodeError as `channel` does."""
        if self._config.retries.max_attempts == 1:
            return self.channel
        if True not in self._channels:
            self.channel.get_state()  # the one whose state is watched
            self._channels[True] = self._open(self._config.retries)
        return self._channels[True]

    def _open(self, retries: RetryConfig | None) -> grpc.aio.Channel:
        try:
            return open_channel(self._config, owner=self._owner, retries=retries)
        except OSError as error:
            raise TranscodeError(SERVICE_UNAVAILABLE, "", reason=str(error)) from error

    def unary(self, path: str, *, is_retried: bool = False) -> UnaryCall:
        """A generic unary call of a method: bytes in and out, errors mapped, cancelled when abandoned."""
        multicallable: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] | None = None
        failed = self._count_failure if is_retried else _ignore

        def call(wire: bytes, metadata: Metadata, timeout: float) -> Awaitable[CallResult]:
            nonlocal multicallable
            if timeout <= 0:
                raise TranscodeError(TIMEOUT, "deadline exceeded")
            if multicallable is None:
                multicallable = self._channel_of(is_retried).unary_unary(path)
            return _invoke(multicallable, wire, metadata, timeout, failed)

        return call

    def _count_failure(self, error: TranscodeError) -> None:
        retries = self._config.retries
        if retries.max_attempts > 1 and error.kind.grpc.name in retries.status_codes:
            self._count_exhausted()

    def stream(self, path: str, *, is_retried: bool = False) -> OpenStream:
        """Calls of a method with streams: bytes in and out, errors mapped."""
        opened: OpenStream | None = None

        def open_stream(metadata: Metadata, timeout: float | None, only: bytes | None = None) -> Stream:
            nonlocal opened
            if opened is None:
                opened = open_streams(self._channel_of(is_retried), path, self._message_counts(path))
            return opened(metadata, timeout, only)

        return open_stream

    def _channel_of(self, is_retried: bool) -> grpc.aio.Channel:
        return self.retrying_channel if is_retried else self.channel

    def _message_counts(self, path: str) -> MessageCounts:
        count = partial(
            self._meter,
            "transcoder_stream_messages_total",
            backend=self._name,
            method=path.removeprefix("/"),
        )
        return MessageCounts(sent=count(direction="sent"), received=count(direction="received"))

    async def close(self, grace: float) -> None:
        """Close the channels; calls in flight may finish within `grace` seconds."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        if self._channels:
            await asyncio.gather(*(channel.close(grace) for channel in self._channels.values()))
            self.state = SHUTDOWN
        # both lead back here or to the owner: neither would be freed before the collector finds them
        self._watcher, self._on_reconnect = None, lambda: None

    async def _watch(self, channel: grpc.aio.Channel) -> None:
        lost = was_seen = False
        connectivity = channel.get_state()
        while True:
            self.state = connectivity.name.lower()
            if self.state == READY:
                self._log.info("connected", backend=self._name, address=self._config.address)
                if was_seen:
                    self._on_reconnect()
                lost, was_seen = False, True
            elif connectivity is grpc.ChannelConnectivity.TRANSIENT_FAILURE and not lost:
                self._log.warning("backend unreachable", backend=self._name, address=self._config.address)
                lost = was_seen = True
            await channel.wait_for_state_change(connectivity)
            # pick_first leaves a lost connection alone until a call comes; an open breaker lets none pass
            connectivity = channel.get_state(try_to_connect=True)


async def _invoke(
    multicallable: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes],
    wire: bytes,
    metadata: Metadata,
    timeout: float,  # noqa: ASYNC109
    failed: Callable[[TranscodeError], None],
) -> CallResult:
    try:
        with grpc_errors() as border:
            call = border.call = multicallable(wire, metadata=Pairs(metadata), timeout=timeout)
            response = await to_the_end(call, call)
            initial, trailing = await call.initial_metadata(), await call.trailing_metadata()
    except TranscodeError as error:
        failed(error)
        raise
    if initial or trailing:
        return CallResult(wire=response, metadata=(*metadata_of(initial), *metadata_of(trailing)))
    return CallResult(wire=response)


def _ignore(_error: TranscodeError) -> None:
    """What is made once only cannot exhaust its attempts."""
