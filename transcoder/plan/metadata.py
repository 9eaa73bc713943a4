"""What a backend is told beside the message: request headers, identity, path variables, where it came from.

Headers of the client reach a backend through an allow-list only, so no spelling of an identity name can.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from random import getrandbits
from typing import Final

from transcoder.config.names import Network
from transcoder.context import Metadata, RequestContext, metadata_text
from transcoder.errors import INVALID_ARGUMENT, TranscodeError
from transcoder.proxies import compile_trust

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
    forwarded = _compile_forwarded(trusted_proxies)

    def build(ctx: RequestContext, captures: Sequence[str]) -> Metadata:
        metadata = list(static)
        host = trace = ""
        for name, value in ctx.headers:
            if name in allowed:
                metadata.append((name, _copied(name, value)))
            elif name == "host":
                host = host or value
            elif name == "traceparent":
                trace = trace or value
        if ctx.principal is not None:
            metadata += ctx.principal.metadata
        if path_keys:
            metadata += zip(path_keys, map(metadata_text, captures), strict=True)
        metadata += forwarded(ctx, host)
        metadata += (("x-request-id", ctx.request_id), ("traceparent", _traceparent(trace)))
        return metadata

    return build


def path_key(variable: str) -> str:
    """The key under which a backend is told a path variable."""
    return f"x-path-{variable.lower()}"


def _copied(name: str, value: str) -> str | bytes:
    return _binary(name, value) if name.endswith("-bin") else _text(name, value)


def _text(name: str, value: str) -> str:
    if not _is_plain(value):
        raise TranscodeError(INVALID_ARGUMENT, f"header {name}: value is not printable ASCII")
    return value


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _binary(name: str, value: str) -> bytes:
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise TranscodeError(INVALID_ARGUMENT, f"header {name}: value is not base64") from None


def _compile_forwarded(trusted_proxies: Sequence[Network]) -> Callable[[RequestContext, str], Metadata]:
    """X-Forwarded-*: what a trusted proxy said, else what this connection shows."""
    if not trusted_proxies:
        return _shown
    is_trusted = compile_trust(trusted_proxies)
    return lambda ctx, host: _told(ctx, host) if is_trusted(ctx.peer) else _shown(ctx, host)


def _shown(ctx: RequestContext, host: str) -> Metadata:
    return _forwarded(ctx, ctx.peer, host, ctx.scheme)


def _told(ctx: RequestContext, host: str) -> Metadata:
    told = {name: value for name, value in ctx.headers if name.startswith("x-forwarded-")}
    hops = [value for name, value in ctx.headers if name == "x-forwarded-for"]
    return _forwarded(
        ctx,
        ", ".join((*hops, ctx.peer)),
        told.get("x-forwarded-host") or host,
        told.get("x-forwarded-proto") or ctx.scheme,
    )


def _forwarded(ctx: RequestContext, hops: str, host: str, scheme: str) -> Metadata:
    pairs = (
        ("x-forwarded-method", ctx.http_method),
        ("x-forwarded-path", ctx.path),
        ("x-forwarded-for", hops),
        ("x-forwarded-host", host),
        ("x-forwarded-proto", scheme),
    )
    if not _is_plain(f"{ctx.http_method}{ctx.path}{hops}{host}{scheme}"):
        for name, value in pairs:
            _text(name, value)  # says which
    return pairs


def _traceparent(told: str) -> str:
    """The caller's trace context if it is well formed, else the start of a new, unsampled trace."""
    if told and _TRACEPARENT.fullmatch(told):
        return told
    ids = f"{getrandbits(192):048x}"  # ids are to be unique, not secret (W3C Trace Context, section 3.2.2.3)
    return f"00-{ids[:32]}-{ids[32:]}-00"
