"""Counting requests, in memory and in a real Redis."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from limits import RateLimitItemPerMinute
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from tests.support.certs import Authority
from tests.support.events import Events
from tests.support.ports import free_port
from tests.support.redis import RedisServer, running_redis
from transcoder.config.model import RateLimitsConfig
from transcoder.config.values import parse_rate
from transcoder.errors import ConfigError, TranscodeError
from transcoder.resilience.limiter import Count
from transcoder.resilience.outage import TOLERATED
from transcoder.resilience.storage import BoundedMemory, RateStorage

DAILY = parse_rate("3/day")


@asynccontextmanager
async def storage(events: Events | None = None, **keys: str) -> AsyncIterator[RateStorage]:
    config = RateLimitsConfig.model_validate({"storage_timeout": "5s", **keys})
    subject = RateStorage.from_config(config, events or Events())
    try:
        yield subject
    finally:
        await subject.close()


async def until_counted(count: Count, events: Events) -> None:
    """Ask until it is said that requests are counted again."""
    async with asyncio.timeout(30):
        while not events.named("rate limits are counted again"):
            await count("another")
            await asyncio.sleep(0.02)


class Window:
    """100 requests a minute, in memory, at a time that passes only when told to."""

    def __init__(self, size: int = 100) -> None:
        self.now = 60_000.0
        self._limiter = SlidingWindowCounterRateLimiter(BoundedMemory(size, lambda: self.now))
        self._item = RateLimitItemPerMinute(100)

    async def admitted(self, requests: int, key: str = "k") -> int:
        return sum([await self._limiter.hit(self._item, key) for _ in range(requests)])

    async def wait(self) -> float:
        return (await self._limiter.get_window_stats(self._item, "k")).reset_time - time.time()


async def test_window_slides() -> None:
    window = Window()
    assert await window.admitted(150) == 100
    window.now += 59.9
    assert await window.admitted(10) == 0
    window.now += 15.1  # a quarter of the next minute: three quarters of the last one still count
    assert await window.admitted(150) == 25
    window.now += 30
    assert await window.admitted(150) == 50
    window.now += 120
    assert await window.admitted(150) == 100


async def test_refused_requests_do_not_count() -> None:
    window = Window()
    await window.admitted(1000)
    window.now += 90
    assert await window.admitted(1000) == 50


async def test_waiting_as_long_as_told_helps() -> None:
    window = Window()
    await window.admitted(100)
    window.now += 61.0
    while await window.admitted(1):
        pass
    for _ in range(20):
        wait = await window.wait()
        assert 0 < wait <= 0.6 + 0.01
        assert await window.admitted(1) == 0
        window.now += wait + 0.01
        assert await window.admitted(2) == 1


async def test_memory_is_never_down() -> None:
    async with storage() as subject:
        assert subject.is_up is None


async def test_callers_do_not_share() -> None:
    window = Window()
    assert [await window.admitted(150, key) for key in ("a", "b")] == [100, 100]


async def test_memory_has_a_bound() -> None:
    window = Window(size=2)
    assert await window.admitted(100, "a") == 100
    for key in ("b", "c"):
        await window.admitted(1, key)
    assert await window.admitted(1, "a") == 1


async def test_every_caller_costs_the_same() -> None:
    """What `limits` itself keeps in memory is looked through on every request."""
    window = Window(size=1000)
    for number in range(1000):
        await window.admitted(1, str(number))
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("period", ["second", "minute", "hour", "day"])
async def test_every_period(period: str) -> None:
    rate = parse_rate(f"1/{period}")
    async with storage() as subject:
        count = subject.count_of(rate)
        assert await count("k") is None
        wait = await count("k")
        assert wait is None or wait <= rate.seconds


async def test_a_burst_gets_no_more(redis_server: RedisServer) -> None:
    for url in ("memory", redis_server.url):
        async with storage(storage=url) as subject:
            count = subject.count_of(parse_rate("100/day"))
            answers = await asyncio.gather(*(count(f"burst-{url}") for _ in range(300)))
            assert answers.count(None) == 100
            assert all(0 < wait <= 86400 for wait in answers if wait is not None)


async def test_redis_is_shared(redis_server: RedisServer) -> None:
    async with storage(storage=redis_server.url) as one, storage(storage=redis_server.url) as other:
        answers = [await subject.count_of(DAILY)("shared") for subject in (one, other, one, other, one)]
        assert [answer is None for answer in answers] == [True, True, True, False, False]
        assert await one.count_of(DAILY)("another") is None


async def test_flood_is_not_passed_on_to_redis(redis_server: RedisServer) -> None:
    from redis.asyncio import Redis

    async with (
        storage(storage=redis_server.url) as subject,
        Redis.from_url(redis_server.url) as client,
    ):
        count = subject.count_of(parse_rate("1/day"))
        await count("flood")
        await client.config_resetstat()
        waits = [await count("flood") for _ in range(500)]
        stats = await client.info("commandstats")
    assert None not in waits
    assert waits == sorted(waits, reverse=True)
    # a refusal is two questions, and there is one a second
    assert 2 <= stats["cmdstat_evalsha"]["calls"] <= 4


async def test_redis_window_ends(redis_server: RedisServer) -> None:
    async with storage(storage=redis_server.url) as subject:
        count = subject.count_of(parse_rate("1/second"))
        assert await count("ends") is None
        async with asyncio.timeout(10):
            while (wait := await count("ends")) is not None:
                assert wait <= 1
                await asyncio.sleep(wait)


async def test_redis_forgets(redis_server: RedisServer) -> None:
    from redis.asyncio import Redis

    async with storage(storage=redis_server.url) as subject:
        await subject.count_of(DAILY)("forgets")
        async with Redis.from_url(redis_server.url) as client:
            keys = [key async for key in client.scan_iter("*forgets*")]
            assert keys
            for key in keys:
                assert key.startswith(b"transcoder:")
                assert 0 < await client.ttl(key) <= 2 * DAILY.seconds


async def test_redis_that_is_killed_and_comes_back() -> None:
    events = Events()
    port = free_port()
    async with storage(events, storage=f"redis://127.0.0.1:{port}") as subject:
        count = subject.count_of(parse_rate("1/day"))
        async with running_redis(port) as server:
            assert await count("k") is None
            assert await count("k") is not None
            server.process.kill()
            await server.process.wait()
            assert [await count("k2") for _ in range(50)] == [None] * 50
            assert subject.is_up is False
        async with running_redis(port):
            await until_counted(count, events)
            assert subject.is_up is True
            assert await count("k") is None
            assert await count("k") is not None
        levels = [(event.level, event.event) for event in events.all]
        assert levels == [
            ("error", "rate limits are not counted"),
            ("info", "rate limits are counted again"),
        ]


async def test_redis_that_is_frozen() -> None:
    events = Events()
    async with (
        running_redis() as server,
        storage(events, storage=server.url, storage_timeout="50ms") as subject,
    ):
        count = subject.count_of(parse_rate("100/day"))
        await count("k")
        server.process.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        assert await asyncio.gather(*(count("k") for _ in range(200))) == [None] * 200
        assert time.monotonic() - started < 3  # the client alone takes 5 to give up
        server.process.send_signal(signal.SIGCONT)
        await until_counted(count, events)


@pytest.mark.parametrize("path", ["/0", "/99", "?socket_timeout=1&no_such_option=1"])
async def test_redis_that_refuses(path: str) -> None:
    """A password that is wrong, a database or an option there is not."""
    events = Events()
    async with (
        running_redis(None, "--requirepass", "right") as server,
        storage(
            events, storage=f"redis://:wrong@127.0.0.1:{server.port}{path}", on_storage_failure="deny"
        ) as subject,
    ):
        for _ in range(TOLERATED):
            with pytest.raises(TranscodeError, match="rate limit storage"):
                await subject.count_of(DAILY)("k")
        assert "wrong" not in events.all[0].fields["reason"].replace("WRONGPASS", "")


async def test_redis_over_tls(tmp_path: Path) -> None:
    ours = Authority(tmp_path)
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other")
    shown = ours.issue("redis")
    tls_port = free_port()
    tls = ("--tls-port", str(tls_port), "--tls-cert-file", str(shown.cert), "--tls-key-file", str(shown.key))
    url = f"rediss://127.0.0.1:{tls_port}?ssl_ca_certs="
    async with running_redis(None, *tls, "--tls-auth-clients", "no"):
        async with storage(storage=f"{url}{ours.cert}") as subject:
            count = subject.count_of(parse_rate("1/day"))
            assert [await count("tls") is None for _ in range(2)] == [True, False]
        async with storage(storage=f"{url}{stranger.cert}", on_storage_failure="deny") as subject:
            with pytest.raises(TranscodeError, match="CERTIFICATE_VERIFY_FAILED"):
                await subject.count_of(DAILY)("tls")


async def test_server_that_is_no_redis() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n\x00\xff")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with storage(storage=f"redis://127.0.0.1:{port}") as subject:
            assert [await subject.count_of(DAILY)("k") for _ in range(5)] == [None] * 5


def test_redis_without_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    config = RateLimitsConfig.model_validate({"storage": "redis://127.0.0.1:6379"})
    with pytest.raises(ConfigError) as caught:
        RateStorage.from_config(config, Events())
    assert str(caught.value) == "rate_limits.storage: needs the Redis client: pip install transcoder[redis]"
