"""`auth.api_keys`: what is read, what is refused, and what is never shown."""

from __future__ import annotations

import pytest

from tests.config.conftest import Load, Problems
from transcoder.config.export import masked

HASH = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
EXPECTED = "expected sha256: and 64 hex digits in lower case, as transcoder api-key prints them"


def test_values(load: Load) -> None:
    auth = load(
        f"auth: {{api_key_header: X-Key, api_keys: [{{name: a, hash: '{HASH}', user_id: u, roles: [r]}}]}}"
    ).config.auth
    [key] = auth.api_keys
    assert auth.api_key_header == "x-key"
    assert (key.hash.get_secret_value(), key.user_id, key.roles, key.scopes) == (HASH, "u", ("r",), ())


def test_keys_are_auth(load: Load) -> None:
    """A route may then ask for a caller, and by default does."""
    config = load(
        f"""
auth: {{api_keys: [{{name: a, hash: '{HASH}', user_id: u}}]}}
services: {{a: {{address: 'h:1', auth_required: true}}}}
routes:
  - {{name: a, path: /a, method: GET, service: a, grpc_service: S, grpc_method: M, require: {{roles: [r]}}}}
"""
    ).config
    assert config.has_auth
    assert config.route_needs_auth(config.routes[0])


def test_hash_is_not_shown(load: Load) -> None:
    config = load(f"auth: {{api_keys: [{{name: a, hash: '{HASH}', user_id: u}}]}}").config
    assert masked(config)["auth"]["api_keys"][0]["hash"] == "***"
    assert HASH not in repr(config)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("name: a, user_id: u", ".hash: is required"),
        (f"name: a, hash: '{HASH}'", ".user_id: is required"),
        (f"name: a, hash: '{HASH}', user_id: ''", ".user_id: must not be empty"),
        ("name: a, user_id: u, hash: my-own-key", f".hash: {EXPECTED}"),
        (f"name: a, user_id: u, hash: '{HASH.upper()}'", f".hash: {EXPECTED}"),
        (f"name: a, user_id: u, hash: '{HASH[7:]}'", f".hash: {EXPECTED}"),
        (f"name: a, user_id: u, hash: '{HASH}0'", f".hash: {EXPECTED}"),
        ("name: a, user_id: u, hash: 5", ".hash: expected a text in quotes"),
        (
            f"name: a, user_id: u, hash: '{HASH}', metadata: {{x-user-id: a}}",
            ".metadata.x-user-id: is set from who the caller is",
        ),
    ],
)
def test_problems(problems: Problems, key: str, expected: str) -> None:
    assert problems(f"auth:\n  api_keys:\n    - {{{key}}}") == [f"config.yaml:3: auth.api_keys[0]{expected}"]


def test_what_is_too_long_for_metadata(problems: Problems) -> None:
    [problem] = problems(f"auth: {{api_keys: [{{name: a, hash: '{HASH}', user_id: {'u' * 257}}}]}}")
    assert problem.startswith("config.yaml:1: auth.api_keys[0].user_id: ")


def test_each_name_and_each_key_once(problems: Problems) -> None:
    two = (
        f"auth: {{api_keys: [{{name: a, hash: '{HASH}', user_id: u}}, {{name: %s, hash: '%s', user_id: v}}]}}"
    )
    assert problems(two % ("a", OTHER)) == [
        "config.yaml:1: auth.api_keys[1].name: is already the name of auth.api_keys[0]"
    ]
    assert problems(two % ("b", HASH)) == [
        "config.yaml:1: auth.api_keys[1].hash: is already the key of auth.api_keys[0]"
    ]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Authorization", "authorization carries other credentials: expected a header such as x-api-key"),
        ("cookie", "cookie carries other credentials: expected a header such as x-api-key"),
        ("X-User-Id", "x-user-id is an identity header: it is never taken from a client"),
        ("content-type", "content-type belongs to HTTP or gRPC itself and is never forwarded"),
        ("x key", "expected a header name of letters, digits, '-', '_' and '.', got \"x key\""),
    ],
)
def test_header(problems: Problems, header: str, expected: str) -> None:
    assert problems(f"auth: {{api_key_header: {header}}}") == [
        f"config.yaml:1: auth.api_key_header: {expected}"
    ]


@pytest.mark.parametrize(("header", "forwarded"), [("x-api-key", "X_Api_Key"), ("x-key", "x-key")])
def test_keys_are_not_forwarded(problems: Problems, load: Load, header: str, forwarded: str) -> None:
    text = f"server: {{forward_headers: [{forwarded}]}}\nauth: {{api_key_header: {header}, api_keys: [%s]}}"
    assert problems(text % f"{{name: a, hash: '{HASH}', user_id: u}}") == [
        f"config.yaml:1: server.forward_headers[0]: {header} carries API keys: it is never forwarded"
    ]
    load(text % "")


def test_identity_of_a_key_is_not_taken_from_a_client(problems: Problems) -> None:
    key = f"{{name: a, hash: '{HASH}', user_id: u, metadata: {{x-tenant: t}}}}"
    assert problems(f"server: {{forward_headers: [X_Tenant]}}\nauth: {{api_keys: [{key}]}}") == [
        "config.yaml:1: server.forward_headers[0]: x-tenant is an identity header:"
        " auth.api_keys[0].metadata.x-tenant sets it"
    ]
