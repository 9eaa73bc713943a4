"""What a backend is told beside the message: request headers, identity, path variables, where it came from.

Headers of the client reach a backend through an allow-list only, so no spelling of an identity name can.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from transcoder.config.names import Network
from transcoder.context import Headers, Metadata, RequestContext, metadata_text
from transcoder.errors import INVALID_ARGUMENT, TranscodeError

MetadataBuilder = Callable[[RequestContext, Sequence[str]], Metadata]
"""`(request, captured path values in template order)`; raises TranscodeError (INVALID_ARGUMENT)."""

_ALWAYS: Final = frozenset({"tracestate", "baggage"})
_OWN: Final = frozenset({"traceparent", "x-request-id"})
"""Sent in any case, once, in the form the gateway has made of them."""

_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context, section 3.2: version, trace id, parent id, flags."""


def compile_metadata(
    *,
    static: Metadata,
    forward_headers: Sequence[str],
    trusted_proxies: Sequence[Network],
    variables: Sequence[str],
) -> MetadataBuilder:
    """The metadata of every call of a route.

    static: sent as it is; forward_headers: lower-case names of request headers to copy; trusted_proxies:
    peers whose X-Forwarded-* headers are believed; variables: the path variables, in template order.
    """
    allowed = _ALWAYS.union(forward_headers) - _OWN
    path_keys = tuple(map(path_key, variables))
    is_trusted = _trust(trusted_proxies)

    def build(ctx: RequestContext, captures: Sequence[str]) -> Metadata:
        metadata = [*static, *_copied(ctx.headers, allowed)]
        if ctx.principal is not None:
            metadata += ctx.principal.metadata
        metadata += zip(path_keys, map(metadata_text, captures), strict=True)
        forwarded = _forwarded(ctx, ctx.headers if is_trusted(ctx.peer) else ())
        metadata += ((name, _text(name, value)) for name, value in forwarded)
        metadata += (("x-request-id", ctx.request_id), ("traceparent", _traceparent(ctx)))
        return metadata

    return build


def path_key(variable: str) -> str:
    """The key under which a backend is told a path variable."""
    return f"x-path-{variable.lower()}"


def _copied(headers: Headers, allowed: frozenset[str]) -> Iterator[tuple[str, str | bytes]]:
    for name, value in headers:
        if name in allowed:
            yield name, _binary(name, value) if name.endswith("-bin") else _text(name, value)


def _text(name: str, value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise TranscodeError(INVALID_ARGUMENT, f"header {name}: value is not printable ASCII")
    return value


def _binary(name: str, value: str) -> bytes:
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise TranscodeError(INVALID_ARGUMENT, f"header {name}: value is not base64") from None


def _forwarded(ctx: RequestContext, believed: Headers) -> Iterator[tuple[str, str]]:
    """X-Forwarded-*: what a trusted proxy said, else what this connection shows."""
    said = {name: value for name, value in believed if name.startswith("x-forwarded-")}
    hops = [value for name, value in believed if name == "x-forwarded-for"]
    host = said.get("x-forwarded-host") or ctx.header("host") or ""
    yield "x-forwarded-method", ctx.http_method
    yield "x-forwarded-path", ctx.path
    yield "x-forwarded-for", ", ".join((*hops, ctx.peer))
    yield "x-forwarded-host", host
    yield "x-forwarded-proto", said.get("x-forwarded-proto") or ctx.scheme


def _traceparent(ctx: RequestContext) -> str:
    """The caller's trace context if it is well formed, else the start of a new, unsampled trace."""
    value = ctx.header("traceparent")
    if value is not None and _TRACEPARENT.fullmatch(value):
        return value
    random = os.urandom(24).hex()
    return f"00-{random[:32]}-{random[32:]}-00"


def _trust(networks: Sequence[Network]) -> Callable[[str], bool]:
    if not networks:
        return lambda _peer: False

    @lru_cache(maxsize=1024)
    def is_trusted(peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in networks)

    return is_trusted
