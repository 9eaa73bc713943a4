"""Which peers are believed about where a request comes from, and whose request it then is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from transcoder.config.names import Network
from transcoder.context import RequestContext

_HOP: Final = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]+)?|([0-9.]+)(?::[0-9]+)?|([0-9A-Fa-f:.]+)")
"""An address of X-Forwarded-For; some proxies add the client's port."""


def compile_trust(networks: Sequence[Network]) -> Callable[[str], bool]:
    """Whether an address belongs to one of the networks."""

    @lru_cache(maxsize=1024)
    def is_trusted(peer: str) -> bool:
        address = _parse(peer)
        return address is not None and any(address in network for network in networks)

    return is_trusted


def compile_client_address(networks: Sequence[Network]) -> Callable[[RequestContext], str]:
    """The address of a request's client: the nearest hop that is no trusted proxy.

    X-Forwarded-For is read from its end, where the nearest proxy writes: what stands before the first address
    that is not trusted, or is none, may be anybody's invention.
    """
    if not networks:
        return lambda ctx: ctx.peer
    is_trusted = compile_trust(networks)

    def client_address(ctx: RequestContext) -> str:
        address = ctx.peer
        hops = _hops(ctx)
        while is_trusted(address) and (hop := next(hops, None)) is not None:
            address = hop
        return address

    return client_address


def _hops(ctx: RequestContext) -> Iterator[str]:
    """The addresses of X-Forwarded-For, last first, up to the first that is none."""
    said = ",".join(value for name, value in ctx.headers if name == "x-forwarded-for")
    for hop in reversed(said.split(",")):
        match = _HOP.fullmatch(hop.strip(" \t"))
        address = _parse(match[1] or match[2] or match[3]) if match else None
        if address is None:
            return
        yield str(address)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """An address; an IPv4 one that is mapped into IPv6, as dual-stack sockets show it, as what it is."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
