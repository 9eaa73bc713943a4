"""The guards of a route: who is calling, and may they."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

from transcoder.context import Principal, RequestContext
from transcoder.errors import PERMISSION_DENIED, UNAUTHENTICATED, TranscodeError
from transcoder.security.api_keys import CHALLENGE, ApiKeys

Guard = Callable[[RequestContext], Awaitable[None]]
"""Looks at a request before it is encoded; may set its principal. Raises TranscodeError to refuse it."""


class TokenVerifier(Protocol):
    """What knows the callers; `security.verifier.Verifier` is the one there is."""

    async def verify(self, authorization: Sequence[str]) -> Principal:
        """Whom all values of the request's Authorization header prove; raises TranscodeError."""


def authenticate(tokens: TokenVerifier | None, keys: ApiKeys | None = None) -> Guard:
    """Sets the request's principal from its token or its API key; one of the two kinds at least is known.

    A request with both is refused: whichever won, somebody would be taken for somebody else. A kind that is
    not configured is not looked at. Raises UNAUTHENTICATED, and what `verify` raises.
    """
    if tokens is not None and keys is not None:
        return _by_either(tokens, keys)
    if tokens is not None:
        return _by_token(tokens)
    if keys is not None:
        return _by_key(keys)
    raise AssertionError("a configuration that asks for callers nobody knows was let through")


def _by_token(tokens: TokenVerifier) -> Guard:
    async def guard(ctx: RequestContext) -> None:
        ctx.principal = await tokens.verify(_values(ctx, "authorization"))

    return guard


def _by_key(keys: ApiKeys) -> Guard:
    async def guard(ctx: RequestContext) -> None:
        presented = _values(ctx, keys.header)
        if not presented:
            raise _unauthenticated("missing credentials", CHALLENGE)
        ctx.principal = keys.identify(presented)

    return guard


def _by_either(tokens: TokenVerifier, keys: ApiKeys) -> Guard:
    challenge = f"Bearer, {CHALLENGE}"

    async def guard(ctx: RequestContext) -> None:
        authorization, presented = _values(ctx, "authorization"), _values(ctx, keys.header)
        if bool(authorization) is bool(presented):
            message = "both a token and an API key" if presented else "missing credentials"
            raise _unauthenticated(message, challenge)
        ctx.principal = keys.identify(presented) if presented else await tokens.verify(authorization)

    return guard


def _values(ctx: RequestContext, header: str) -> list[str]:
    return [value for name, value in ctx.headers if name == header]


def _unauthenticated(message: str, challenge: str) -> TranscodeError:
    return TranscodeError(UNAUTHENTICATED, message, headers=[("www-authenticate", challenge)])


def require(roles: Collection[str], scopes: Collection[str]) -> Guard:
    """Lets only callers pass who have one of the roles and all of the scopes; an empty list asks for nothing.

    One role of several is what Spring users know as `hasAnyRole`; all scopes is what a bearer challenge means
    by the `scope` it lists (RFC 6750 section 3). Names are compared exactly. Raises PERMISSION_DENIED, which
    does not name what is missing, also when no guard before has set a principal.
    """
    any_of, all_of = frozenset(roles), frozenset(scopes)

    async def guard(ctx: RequestContext) -> None:
        if ctx.principal is None or not _has(ctx.principal, any_of, all_of):
            raise TranscodeError(PERMISSION_DENIED, "permission denied", reason="role or scope is missing")

    return guard


def _has(principal: Principal, any_of: frozenset[str], all_of: frozenset[str]) -> bool:
    return all_of <= principal.scopes and (not any_of or not any_of.isdisjoint(principal.roles))
