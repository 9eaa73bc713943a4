"""Rate limits: how many requests a route takes from one caller in a while."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import cache
from hashlib import blake2b
from ipaddress import IPv6Address
from typing import Final, Literal, Protocol

from transcoder.config.names import Network
from transcoder.config.values import Rate
from transcoder.context import RequestContext
from transcoder.errors import RESOURCE_EXHAUSTED, TranscodeError
from transcoder.proxies import compile_client_address

Count = Callable[[str], Coroutine[None, None, float | None]]
"""Counts a request under a key: None if there was room for it, else the seconds until there will be.

Raises TranscodeError (SERVICE_UNAVAILABLE) when that cannot be known and nothing may pass then.
"""

Caller = Callable[[RequestContext], str]
"""Who makes a request, as far as its limit is concerned."""

_NETWORK_DIGITS: Final = len("2001:0db8:0000:0000")


class Counters(Protocol):
    """Where requests are counted; `resilience.storage.RateStorage` is the one there is."""

    def count_of(self, rate: Rate) -> Count:
        """What counts requests against a rate."""


def compile_caller(key: Literal["client_ip", "user", "route"], trusted_proxies: Sequence[Network]) -> Caller:
    """What one caller is. A request without a verified user counts for its address."""
    if key == "route":
        return lambda _ctx: "all"
    address_of = compile_client_address(trusted_proxies)

    def address(ctx: RequestContext) -> str:
        return f"address {_one_client(address_of(ctx))}"

    def user(ctx: RequestContext) -> str:
        return address(ctx) if ctx.principal is None else f"user {ctx.principal.user_id}"

    return user if key == "user" else address


def limit_rate(
    counters: Counters,
    rate: Rate,
    *,
    route: str,
    caller: Caller,
    counter: Callable[[], Callable[[], None]],
) -> Callable[[RequestContext], Awaitable[None]]:
    """A guard that lets so many requests of each caller through to a route.

    counter: asked, when the first is refused, for what counts those.

    Raises RESOURCE_EXHAUSTED with Retry-After and the RateLimit headers of
    draft-ietf-httpapi-ratelimit-headers-06, which are those that clients read; what `Count` raises.
    """
    count = counters.count_of(rate)
    refusals = cache(counter)

    async def guard(ctx: RequestContext) -> None:
        who = caller(ctx)
        wait = await count(_key(route, who))
        if wait is not None:
            refusals()()
            raise _exhausted(rate, who, math.ceil(wait) or 1)

    return guard


def _one_client(address: str) -> str:
    """An IPv4 address, or the network of an IPv6 one: a subscriber has a whole /64 to choose from."""
    if ":" not in address:
        return address
    parsed = IPv6Address(address)
    mapped = parsed.ipv4_mapped
    return parsed.exploded[:_NETWORK_DIGITS] if mapped is None else str(mapped)


def _key(route: str, who: str) -> str:
    """Of one length, whatever a user is called; nobody who sees the storage learns who called."""
    return blake2b(f"{route}\0{who}".encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _exhausted(rate: Rate, who: str, seconds: int) -> TranscodeError:
    message = f"rate limit of {rate} exceeded"
    return TranscodeError(
        RESOURCE_EXHAUSTED,
        message,
        reason=f"{message} by {who}",
        headers=[
            ("retry-after", str(seconds)),
            ("ratelimit-limit", str(rate.requests)),
            ("ratelimit-remaining", "0"),
            ("ratelimit-reset", str(seconds)),
        ],
    )
