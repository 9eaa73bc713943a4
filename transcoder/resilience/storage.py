"""Where the requests of rate limits are counted: in this process, or in Redis for all that share it."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from cachetools import LRUCache
from limits import (
    RateLimitItem,
    RateLimitItemPerDay,
    RateLimitItemPerHour,
    RateLimitItemPerMinute,
    RateLimitItemPerSecond,
)
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from transcoder.config.model import RateLimitsConfig
from transcoder.config.values import Rate
from transcoder.errors import ConfigError, Problem
from transcoder.events import EventLog, Meter, unmetered
from transcoder.resilience.limiter import Count
from transcoder.resilience.outage import Outage

if TYPE_CHECKING:
    from redis.asyncio import ConnectionPool

MAX_CALLERS: Final = 65536
"""Callers, of all routes together, that one process remembers; those longest unheard of are forgotten."""

_CONNECTIONS: Final = 8
"""Enough for all that one process can ask; each costs a millisecond of it to open, and a burst opens all."""

_REFUSED: Final = 4096
_REFUSED_FOR: Final = 1.0
"""Callers, and seconds, that a refusal is remembered."""

_KEY_PREFIX: Final = "transcoder"

_ITEMS: Final[Mapping[str, type[RateLimitItem]]] = {
    "second": RateLimitItemPerSecond,
    "minute": RateLimitItemPerMinute,
    "hour": RateLimitItemPerHour,
    "day": RateLimitItemPerDay,
}


class RateStorage:
    """Counts requests in sliding windows, as `limits` knows them. Belongs to one event loop.

    outage: what stands between a request and a storage that can fail, None for one that cannot; clock:
    monotonic seconds.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        close: Callable[[], Awaitable[None]],
        outage: Outage | None,
        clock: Callable[[], float],
    ) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._outage = outage
        self._clock = clock
        self.close = close

    @classmethod
    def from_config(
        cls,
        config: RateLimitsConfig,
        log: EventLog,
        *,
        meter: Meter = unmetered,
        clock: Callable[[], float] = time.monotonic,
    ) -> RateStorage:
        """Connects to nothing yet. clock: monotonic seconds.

        Raises ConfigError when the storage is Redis and its client is not installed.
        """
        if config.storage == "memory":
            return cls(BoundedMemory(), close=_nothing, outage=None, clock=clock)
        pool = _redis_pool(config)
        options: Any = {"key_prefix": _KEY_PREFIX, "connection_pool": pool}
        storage = RedisStorage("redis://", implementation="redispy", **options)
        outage = Outage(
            timeout=config.storage_timeout,
            is_open=config.on_storage_failure == "allow",
            at_once=_CONNECTIONS,
            log=log,
            meter=meter,
            clock=clock,
        )
        return cls(storage, close=pool.aclose, outage=outage, clock=clock)

    @property
    def is_up(self) -> bool | None:
        """Whether it answers; None of one that cannot fail."""
        return None if self._outage is None else not self._outage.is_down

    def count_of(self, rate: Rate) -> Count:
        """What counts requests against a rate."""
        item = _ITEMS[rate.period](rate.requests)

        async def count(key: str) -> float | None:
            if await self._limiter.hit(item, key):
                return None
            stats = await self._limiter.get_window_stats(item, key)
            return max(stats.reset_time - time.time(), 0.0)

        return count if self._outage is None else _remembering(self._outage.guarded(count), self._clock)


def _redis_pool(config: RateLimitsConfig) -> ConnectionPool:
    try:
        from redis.asyncio import ConnectionPool  # noqa: PLC0415 - an extra, and 7 MB
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
    except ImportError:
        message = "needs the Redis client: pip install transcoder[redis]"
        raise ConfigError([Problem(message=message, key="rate_limits.storage")]) from None
    return ConnectionPool.from_url(
        config.storage,
        max_connections=_CONNECTIONS,
        retry=Retry(NoBackoff(), 0),  # what asks decides about another attempt
        socket_connect_timeout=config.storage_timeout,  # bounds how long it takes to close one, too
        socket_timeout=config.storage_timeout,
    )


def _remembering(count: Count, clock: Callable[[], float]) -> Count:
    """The same, but who was just refused is refused without asking, as long as there can be no room."""
    refused: LRUCache[str, tuple[float, float]] = LRUCache(_REFUSED)

    async def remembering(key: str) -> float | None:
        now = clock()
        when, wait = refused.get(key, (now, 0.0))
        if now - when < min(wait, _REFUSED_FOR):
            return wait - (now - when)
        answer = await count(key)
        if answer is not None:
            refused[key] = (now, answer)
        return answer

    return remembering


async def _nothing() -> None:
    pass


class BoundedMemory(MemoryStorage):
    """Sliding windows in memory, each request at the same price and no more than `size` of them.

    The storage `limits` has looks through all callers on every request (14 ms with 100 000 of them) and keeps
    as many as there come.
    """

    def __init__(self, size: int = MAX_CALLERS, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._clock = clock
        self._windows: LRUCache[str, tuple[float, int, int]] = LRUCache(size)

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count a request, if the last `expiry` seconds have room for it."""
        number, left, previous, current = self._window(key, expiry)
        if math.floor(previous * left / expiry) + current + amount > limit:
            return False
        self._windows[key] = (number, previous, current + amount)
        return True

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Requests of the previous window and the seconds it still counts; the same of the current one."""
        _, left, previous, current = self._window(key, expiry)
        return previous, left, current, left + expiry

    def _window(self, key: str, expiry: int) -> tuple[float, float, int, int]:
        """Its number, the seconds left of it, and the requests of the one before and of itself."""
        number, elapsed = divmod(self._clock(), expiry)
        last, previous, current = self._windows.get(key, (number, 0, 0))
        if last != number:
            previous, current = (current if last == number - 1 else 0), 0
        return number, expiry - elapsed, previous, current
