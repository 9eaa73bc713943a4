"""Who is one caller, and what a request over the limit is answered."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any, Literal

import pytest

from tests.plan.requests import request
from transcoder.config.values import Rate, parse_rate
from transcoder.context import Principal, RequestContext
from transcoder.errors import RESOURCE_EXHAUSTED, TranscodeError
from transcoder.resilience.limiter import Count, compile_caller, limit_rate

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def caller(ctx: RequestContext, key: Literal["client_ip", "user", "route"] = "client_ip") -> str:
    return compile_caller(key, PROXIES)(ctx)


def from_peer(peer: str, *forwarded: str) -> RequestContext:
    return request(peer=peer, headers=[("X-Forwarded-For", value) for value in forwarded])


@pytest.mark.parametrize(
    ("peer", "forwarded", "who"),
    [
        ("192.0.2.7", (), "192.0.2.7"),
        # nobody but a trusted proxy is believed
        ("192.0.2.7", ("198.51.100.1",), "192.0.2.7"),
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        # the nearest hop that is no proxy counts, not what the client says stands before it
        ("10.0.0.1", ("1.1.1.1, 198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("1.1.1.1", "198.51.100.1"), "198.51.100.1"),
        ("10.0.0.1", ("1.1.1.1, 198.51.100.1, 10.0.0.9, 10.0.0.8",), "198.51.100.1"),
        ("10.0.0.1", ("10.0.0.9,\t10.0.0.8",), "10.0.0.9"),
        # proxies that add the port
        ("10.0.0.1", ("198.51.100.1:4711",), "198.51.100.1"),
        ("10.0.0.1", ("[2001:db8:1:2::3]:4711",), "2001:0db8:0001:0002"),
        # what is no address ends the search
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("",), "10.0.0.1"),
        ("10.0.0.1", ("unknown",), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.1, 999.1.1.1",), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.1, unknown, 10.0.0.8",), "10.0.0.8"),
        ("10.0.0.1", ("1:2:3",), "10.0.0.1"),
        # a subscriber chooses the last 64 bits
        ("2001:db8:1:2::3", (), "2001:0db8:0001:0002"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", (), "2001:0db8:0001:0002"),
        ("2001:db8:1:3::3", (), "2001:0db8:0001:0003"),
        ("fd00::1", ("2001:db8::1",), "2001:0db8:0000:0000"),
        # an IPv4 client of a dual-stack socket
        ("::ffff:192.0.2.7", (), "192.0.2.7"),
        ("::ffff:10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("::ffff:198.51.100.1",), "198.51.100.1"),
    ],
)
def test_address(peer: str, forwarded: tuple[str, ...], who: str) -> None:
    assert caller(from_peer(peer, *forwarded)) == f"address {who}"


def test_user() -> None:
    ctx = from_peer("192.0.2.7")
    assert caller(ctx, "user") == "address 192.0.2.7"
    ctx.principal = Principal(user_id="192.0.2.7")
    assert caller(ctx, "user") == "user 192.0.2.7"


def test_route() -> None:
    assert caller(from_peer("192.0.2.7"), "route") == caller(from_peer("192.0.2.8"), "route")


class Scripted:
    """Counters that answer as they are told, and remember the keys."""

    def __init__(self, *answers: float | None) -> None:
        self.keys: list[str] = []
        self.rates: list[Rate] = []
        self._answers = iter(answers)

    def count_of(self, rate: Rate) -> Count:
        self.rates.append(rate)

        async def count(key: str) -> float | None:
            self.keys.append(key)
            return next(self._answers)

        return count


def guard(
    counters: Scripted,
    route: str = "r",
    who: Callable[[RequestContext], str] = lambda _: "c",
    counter: Callable[[], Callable[[], None]] = lambda: lambda: None,
) -> Any:
    return limit_rate(counters, parse_rate("100/minute"), route=route, caller=who, counter=counter)


async def test_request_within_the_limit_passes() -> None:
    counters = Scripted(None)
    await guard(counters)(request())
    assert (counters.rates, len(counters.keys)) == ([parse_rate("100/minute")], 1)


@pytest.mark.parametrize(("wait", "seconds"), [(0.0, "1"), (0.2, "1"), (11.01, "12"), (86400.0, "86400")])
async def test_request_over_the_limit(wait: float, seconds: str) -> None:
    with pytest.raises(TranscodeError) as caught:
        await guard(Scripted(wait), who=lambda _: "address 192.0.2.7")(request())
    error = caught.value
    assert (error.kind, error.message) == (RESOURCE_EXHAUSTED, "rate limit of 100/minute exceeded")
    assert error.reason == "rate limit of 100/minute exceeded by address 192.0.2.7"
    assert dict(error.headers) == {
        "retry-after": seconds,
        "ratelimit-limit": "100",
        "ratelimit-remaining": "0",
        "ratelimit-reset": seconds,
    }


async def test_refusals_are_counted_from_the_first_on() -> None:
    """Nothing is asked of the meter for a limit that nobody reaches."""
    asked: list[str] = []

    def counter() -> Callable[[], None]:
        asked.append("counter")
        return lambda: asked.append("count")

    subject = guard(Scripted(None, 1.0, 1.0), counter=counter)
    await subject(request())
    assert asked == []
    for _ in range(2):
        with pytest.raises(TranscodeError):
            await subject(request())
    assert asked == ["counter", "count", "count"]


async def test_keys_tell_routes_and_callers_apart_and_nothing_else() -> None:
    counters = Scripted(*[None] * 6)
    callers = [("a", "b"), ("a", "c"), ("d", "b"), ("a", "x" * 5000), ("a", "\ud800"), ("ab", "")]
    for route, who in callers:
        await guard(counters, route, lambda _, who=who: who)(request())
    assert len(set(counters.keys)) == len(callers)
    assert {len(key) for key in counters.keys} == {32}
