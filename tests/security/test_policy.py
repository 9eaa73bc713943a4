from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.security.minting import HS, token, verifier
from transcoder.context import Principal, RequestContext
from transcoder.errors import PERMISSION_DENIED, UNAUTHENTICATED, TranscodeError
from transcoder.security.policy import authenticate, require


def context(headers: Sequence[tuple[str, str]] = (), principal: Principal | None = None) -> RequestContext:
    return RequestContext(
        http_method="GET",
        path="/",
        query="",
        headers=headers,
        body=b"",
        peer="127.0.0.1",
        scheme="http",
        request_id="r",
        principal=principal,
    )


async def test_authenticate_sets_the_principal() -> None:
    ctx = context([("accept", "*/*"), ("authorization", f"Bearer {token()}")])
    await authenticate(verifier(HS))(ctx)
    assert ctx.principal is not None
    assert ctx.principal.user_id == "user-1"


async def test_authenticate_sees_every_header() -> None:
    good = ("authorization", f"Bearer {token()}")
    for headers in ([], [good, ("x", ""), good], [good, ("authorization", "")]):
        ctx = context(headers)
        with pytest.raises(TranscodeError) as caught:
            await authenticate(verifier(HS))(ctx)
        assert caught.value.kind is UNAUTHENTICATED
        assert ctx.principal is None


CALLER = Principal(user_id="u", roles=frozenset({"editor", "viewer"}), scopes=frozenset({"read", "write"}))


@pytest.mark.parametrize(
    ("roles", "scopes"),
    [
        ([], []),
        (["editor"], []),
        (["admin", "editor"], []),
        ([], ["read"]),
        ([], ["read", "write"]),
        (["viewer"], ["write"]),
    ],
)
async def test_require_lets_pass(roles: list[str], scopes: list[str]) -> None:
    await require(roles, scopes)(context(principal=CALLER))


@pytest.mark.parametrize(
    ("roles", "scopes"),
    [
        (["admin"], []),
        (["Editor"], []),
        (["read"], []),
        ([], ["editor"]),
        ([], ["read", "delete"]),
        (["editor"], ["delete"]),
        (["admin"], ["read"]),
    ],
)
async def test_require_refuses(roles: list[str], scopes: list[str]) -> None:
    with pytest.raises(TranscodeError) as caught:
        await require(roles, scopes)(context(principal=CALLER))
    assert (caught.value.kind, caught.value.message) == (PERMISSION_DENIED, "permission denied")


async def test_require_refuses_nobody() -> None:
    for guard in (require([], []), require(["editor"], [])):
        with pytest.raises(TranscodeError) as caught:
            await guard(context())
        assert caught.value.kind is PERMISSION_DENIED
