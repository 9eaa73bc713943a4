from __future__ import annotations

from typing import Any

import pytest

from transcoder.config.model import CorsConfig
from transcoder.security.cors import CorsPolicy, compile_cors, is_same_origin

PAGE = "https://app.example.com"


def policy(**keys: Any) -> CorsPolicy:
    compiled = compile_cors(CorsConfig.model_validate({"origins": [PAGE], **keys}))
    assert compiled is not None
    return compiled


def test_off_without_origins() -> None:
    assert compile_cors(CorsConfig()) is None


def test_only_what_is_configured_is_said() -> None:
    plain = policy()
    assert plain.headers(PAGE) == (("access-control-allow-origin", PAGE), ("vary", "origin"))
    assert plain.headers(None) == plain.headers("https://evil.example") == (("vary", "origin"),)
    assert plain.preflight_headers(["PUT"]) == (
        ("access-control-max-age", "600"),
        ("access-control-allow-methods", "PUT"),
    )


def test_origins_are_written_as_browsers_send_them() -> None:
    assert policy(origins=["https://App.Example.COM"]).allows(PAGE)


def test_any_origin() -> None:
    """The answer is the same for all, so it may be kept for all; and it never comes with credentials."""
    for origins in (["*"], [PAGE, "*"]):
        any_origin = policy(origins=origins, expose=["etag", "x-request-id"])
        expected = (
            ("access-control-allow-origin", "*"),
            ("access-control-expose-headers", "etag, x-request-id"),
        )
        for origin in (PAGE, "https://evil.example", "null", None):
            assert any_origin.headers(origin) == expected
        assert any_origin.allows("null")


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        ([], "DELETE, GET, PUT"),
        (["*"], "DELETE, GET, PUT"),
        (["PUT", "GET"], "GET, PUT"),
        (["PUT", "POST"], "PUT"),
        (["put"], None),
        (["POST"], None),
    ],
)
def test_methods(methods: list[str], expected: str | None) -> None:
    said = dict(policy(methods=methods).preflight_headers({"GET", "PUT", "DELETE"}))
    assert said.get("access-control-allow-methods") == expected


@pytest.mark.parametrize(
    ("origin", "host", "scheme"),
    [
        ("http://api.example", "api.example", "http"),
        ("http://api.example", "API.example", "http"),
        ("http://api.example", "api.example:80", "http"),
        ("http://api.example:8080", "api.example:8080", "http"),
        ("https://api.example", "api.example", "https"),
        ("https://api.example", "api.example:443", "https"),
        ("https://api.example", "api.example", "http"),
        ("http://[::1]:8080", "[::1]:8080", "http"),
    ],
)
def test_same_origin(origin: str, host: str, scheme: str) -> None:
    assert is_same_origin(origin, host, scheme)


@pytest.mark.parametrize(
    ("origin", "host", "scheme"),
    [
        ("http://api.example", "api.example", "https"),
        ("http://api.example", "api.example:8080", "http"),
        ("http://api.example", "api.example:443", "http"),
        ("https://api.example", "api.example:80", "http"),
        ("https://evil.example", "api.example", "https"),
        ("https://api.example.evil.example", "api.example", "https"),
        ("ftp://api.example", "api.example", "http"),
        ("null", "", "http"),
        ("null", "null", "http"),
        ("https://", "", "https"),
        ("https://:443", "", "https"),
        ("://api.example", "api.example", "http"),
        ("", "", "http"),
    ],
)
def test_other_origin(origin: str, host: str, scheme: str) -> None:
    assert not is_same_origin(origin, host, scheme)
