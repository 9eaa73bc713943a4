from __future__ import annotations

from datetime import UTC, datetime

import grpc
import jwt
import pytest

from tests.demo.conftest import Client, connected
from transcoder.demo.serving import start
from transcoder.demo.users import AUDIENCE, DEFAULT_SECRET, ISSUER, secret_from_env, user_service

LOGIN = "user.v1.UserService/Login"
PROFILE = "user.v1.UserService/GetProfile"
CREDENTIALS = {"email": "user@example.com", "password": "password123"}


@pytest.fixture(autouse=True)
def _default_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JWT_SECRET", raising=False)


async def test_login_issues_a_token_that_says_who_the_user_is(client: Client) -> None:
    answer = await client.call(LOGIN, CREDENTIALS)

    claims = jwt.decode(
        answer["token"], DEFAULT_SECRET, algorithms=["HS256"], issuer=ISSUER, audience=AUDIENCE
    )
    assert claims["sub"] == "user-1"
    assert claims["email"] == "user@example.com"
    assert claims["roles"] == ["trader"]
    assert claims["exp"] == claims["iat"] + 3600
    assert answer["expiresAt"] == datetime.fromtimestamp(claims["exp"], UTC).isoformat()[:-6] + "Z"


async def test_login_signs_with_its_secret_at_the_time_of_its_clock() -> None:
    secret, now = "another-secret-of-at-least-32-bytes", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    backend = await start(user_service(secret=secret, clock=lambda: now), host="127.0.0.1", port=0)
    async with connected([backend]) as client:
        answer = await client.call(LOGIN, CREDENTIALS)
    await backend.stop()

    assert answer["expiresAt"] == "2024-05-06T08:08:09Z"
    claims = jwt.decode(
        answer["token"],
        secret,
        algorithms=["HS256"],
        audience=AUDIENCE,
        options={"verify_exp": False},
    )
    assert claims["iat"] == now.timestamp()


async def test_the_email_is_the_same_in_any_case(client: Client) -> None:
    assert (await client.call(LOGIN, {**CREDENTIALS, "email": "User@Example.COM"}))["token"]


@pytest.mark.parametrize(
    "changed", [{"password": "wrong"}, {"password": "pässword"}, {"email": "x@example.com"}]
)
async def test_wrong_credentials_are_unauthenticated(client: Client, changed: dict[str, str]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.call(LOGIN, CREDENTIALS | changed)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert caught.value.details() == "wrong email or password"


async def test_missing_credentials_are_invalid(client: Client) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.call(LOGIN)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "email: must not be empty; password: must not be empty"


async def test_the_profile_is_the_caller_s(client: Client) -> None:
    assert await client.call(PROFILE, user="user-2") == {
        "userId": "user-2",
        "email": "admin@example.com",
        "displayName": "Demo Admin",
        "roles": ["trader", "admin"],
        "createdAt": "2024-01-02T09:30:00Z",
    }


async def test_a_user_without_account_has_no_profile(client: Client) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.call(PROFILE, user="user-9")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert "user-9" in str(caught.value.details())


@pytest.mark.parametrize(("value", "secret"), [(None, DEFAULT_SECRET), ("", DEFAULT_SECRET), ("own", "own")])
def test_the_secret_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, value: str | None, secret: str
) -> None:
    if value is not None:
        monkeypatch.setenv("JWT_SECRET", value)
    assert secret_from_env() == secret
