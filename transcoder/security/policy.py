"""The guards of a route: who is calling, and may they."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

from transcoder.context import Principal, RequestContext
from transcoder.errors import PERMISSION_DENIED, TranscodeError

Guard = Callable[[RequestContext], Awaitable[None]]
"""Looks at a request before it is encoded; may set its principal. Raises TranscodeError to refuse it."""


class TokenVerifier(Protocol):
    """What knows the callers; `security.verifier.Verifier` is the one there is."""

    async def verify(self, authorization: Sequence[str]) -> Principal:
        """Whom all values of the request's Authorization header prove; raises TranscodeError."""


def authenticate(verifier: TokenVerifier) -> Guard:
    """Sets the request's principal from its Authorization header. Raises what `verify` raises."""

    async def guard(ctx: RequestContext) -> None:
        ctx.principal = await verifier.verify(
            [value for name, value in ctx.headers if name == "authorization"]
        )

    return guard


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
