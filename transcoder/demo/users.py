"""UserService: signs users in with an HS256 token and tells them who they are."""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
from grpc import StatusCode

from transcoder.demo.calls import Clock, Context, Violation, refuse_bad_request, user_id
from transcoder.demo.messages import message_class
from transcoder.demo.serving import Service

DEFAULT_SECRET: Final = "transcoder-demo-secret-not-for-production"  # noqa: S105
ISSUER: Final = "transcoder-demo"
AUDIENCE: Final = "trading-api"
TOKEN_LIFETIME: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user who may sign in."""

    user_id: str
    email: str
    password: str
    display_name: str
    roles: tuple[str, ...]


ACCOUNTS: Final = (
    Account(
        user_id="user-1",
        email="user@example.com",
        password="password123",  # noqa: S106
        display_name="Demo User",
        roles=("trader",),
    ),
    Account(
        user_id="user-2",
        email="admin@example.com",
        password="password456",  # noqa: S106
        display_name="Demo Admin",
        roles=("trader", "admin"),
    ),
)
OPENED_AT: Final = datetime(2024, 1, 2, 9, 30, tzinfo=UTC)


def secret_from_env() -> str:
    """The key tokens are signed with: JWT_SECRET, or the default that the shipped configuration has too."""
    return os.environ.get("JWT_SECRET") or DEFAULT_SECRET


class Users:
    """The accounts, which are fixed, and the key that signs their tokens."""

    def __init__(self, *, secret: str, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock
        self._by_email = {account.email: account for account in ACCOUNTS}
        self._by_id = {account.user_id: account for account in ACCOUNTS}

    async def login(self, request: Any, context: Context) -> Any:
        await refuse_bad_request(context, _login_violations(request))
        account = self._by_email.get(request.email.lower())
        if account is None or not hmac.compare_digest(account.password.encode(), request.password.encode()):
            await context.abort(StatusCode.UNAUTHENTICATED, "wrong email or password")
        now = self._clock()
        return message_class("user.v1.LoginResponse")(
            token=self._token(account, now), expires_at=now + TOKEN_LIFETIME
        )

    async def get_profile(self, _request: Any, context: Context) -> Any:
        caller = await user_id(context)
        account = self._by_id.get(caller)
        if account is None:
            await context.abort(StatusCode.NOT_FOUND, f"user {caller!r} not found")
        return message_class("user.v1.Profile")(
            user_id=account.user_id,
            email=account.email,
            display_name=account.display_name,
            roles=account.roles,
            created_at=OPENED_AT,
        )

    def _token(self, account: Account, now: datetime) -> str:
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": account.user_id,
            "email": account.email,
            "roles": account.roles,
            "iat": now,
            "exp": now + TOKEN_LIFETIME,
        }
        return jwt.encode(claims, self._secret, algorithm="HS256")


def _login_violations(request: Any) -> Iterator[Violation]:
    for field in ("email", "password"):
        if not getattr(request, field):
            yield Violation(field, "must not be empty")


def user_service(*, secret: str, clock: Clock) -> Service:
    users = Users(secret=secret, clock=clock)
    return Service(
        backend="user-service",
        name="user.v1.UserService",
        methods={"Login": users.login, "GetProfile": users.get_profile},
    )
