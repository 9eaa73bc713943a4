from __future__ import annotations

from typing import Any

import pytest

from tests.security.minting import HS, ISSUER, NOW, auth_config
from transcoder.context import Principal
from transcoder.security.claims import MAX_VALUE, ClaimRules, compile_identity
from transcoder.security.jws import InvalidToken

RULES = ClaimRules(issuer=ISSUER, audience=frozenset({"api", "api2"}), leeway=30.0)
GOOD = {"iss": ISSUER, "aud": "api", "exp": NOW + 60}


def check(rules: ClaimRules = RULES, **claims: Any) -> float:
    return rules.check({k: v for k, v in {**GOOD, **claims}.items() if v is not ...}, NOW)


def identify(claims: dict[str, Any], /, **issuer: Any) -> Principal:
    return compile_identity(auth_config({**HS, **issuer}).issuers[0])(claims)


def forwarded(value: Any) -> Any:
    metadata = identify({"sub": "u", "c": value}, forward_claims={"x-c": "c"}).metadata
    return dict(metadata).get("x-c")


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"aud": ["other", "api2"]},
        {"exp": NOW - 29.5},
        {"exp": int(NOW) + 1},
        {"nbf": NOW + 30},
        {"iat": NOW + 30},
        {"nbf": 0, "iat": -1},
        {"exp": 1.7e308},
        {"exp": 2**64 - 1},
    ],
)
def test_claims_that_hold(claims: dict[str, Any]) -> None:
    assert check(**claims) == pytest.approx(claims.get("exp", NOW + 60) + 30)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": ...}, "iss is not the issuer"),
        ({"iss": ISSUER + "/"}, "iss is not the issuer"),
        ({"iss": [ISSUER]}, "iss is not the issuer"),
        ({"iss": None}, "iss is not the issuer"),
        ({"aud": ...}, "aud is missing or not text"),
        ({"aud": None}, "aud is missing or not text"),
        ({"aud": {"api": 1}}, "aud is missing or not text"),
        ({"aud": ["api", 1]}, "aud is missing or not text"),
        ({"aud": []}, "aud is for somebody else"),
        ({"aud": "other"}, "aud is for somebody else"),
        ({"aud": "API"}, "aud is for somebody else"),
        ({"aud": "api api2"}, "aud is for somebody else"),
        ({"exp": ...}, "exp is missing or not a number"),
        ({"exp": None}, "exp is missing or not a number"),
        ({"exp": True}, "exp is missing or not a number"),
        ({"exp": str(int(NOW) + 60)}, "exp is missing or not a number"),
        ({"exp": [NOW + 60]}, "exp is missing or not a number"),
        ({"exp": NOW - 30}, "token has expired"),
        ({"exp": -1.7e308}, "token has expired"),
        ({"nbf": NOW + 31}, "nbf is in the future"),
        ({"iat": NOW + 31}, "iat is in the future"),
        ({"nbf": None}, "nbf is missing or not a number"),
        ({"nbf": False}, "nbf is missing or not a number"),
        ({"iat": "now"}, "iat is missing or not a number"),
    ],
)
def test_claims_that_do_not_hold(claims: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidToken) as caught:
        check(**claims)
    assert str(caught.value) == reason


@pytest.mark.parametrize("claims", [{}, {"iss": ..., "aud": ...}, {"iss": 5, "aud": {"somebody": "else"}}])
def test_what_is_not_configured_is_not_asked_for(claims: dict[str, Any]) -> None:
    check(ClaimRules(issuer=None, audience=frozenset(), leeway=0.0), **claims)


def test_identity() -> None:
    principal = identify({"sub": "user-1", "email": "u@example.com", "x": 1})
    assert (principal.user_id, principal.email) == ("user-1", "u@example.com")
    assert principal.metadata == (("x-user-id", "user-1"), ("x-user-email", "u@example.com"))
    assert principal.claims["x"] == 1


@pytest.mark.parametrize("email", [None, 7, "", ["a@b"]])
def test_email_that_is_none_is_not_sent(email: Any) -> None:
    principal = identify({"sub": "u", "email": email})
    assert (principal.email, principal.metadata) == ("", (("x-user-id", "u"),))


@pytest.mark.parametrize("sub", [..., None, "", 7, True, ["u"], {"u": 1}])
def test_nobody(sub: Any) -> None:
    with pytest.raises(InvalidToken, match="user id"):
        identify({} if sub is ... else {"sub": sub})


def test_other_claims_for_identity() -> None:
    claims = {"ext": {"uid": "42"}, "https://id.example.com/mail": "u@x"}
    principal = identify(claims, claims={"user_id": "ext.uid", "email": "https://id.example.com/mail"})
    assert (principal.user_id, principal.email) == ("42", "u@x")


def test_a_claim_of_the_exact_name_comes_before_the_path() -> None:
    assert identify({"a.b": "name", "a": {"b": "path"}}, claims={"user_id": "a.b"}).user_id == "name"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain text", "plain text"),
        ("é", "%C3%A9"),
        ("%C3%A9", "%25C3%25A9"),
        (" padded", "%20padded"),
        ("a\r\nx-user-id: root", "a%0D%0Ax-user-id:%20root"),
        ("\x00", "%00"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (1.5, "1.5"),
        (["admin", "user"], "admin,user"),
        (["a", 1, True, None, {"b": 1}], 'a,1,true,null,{"b":1}'),
        (["user,admin"], "user%252Cadmin"),
        ({"tenant": {"id": 1, "of": [1, 2]}}, '{"tenant":{"id":1,"of":[1,2]}}'),
        ({}, "{}"),
        (None, None),
        ("", None),
        ([], None),
        ("x" * MAX_VALUE, "x" * MAX_VALUE),
    ],
)
def test_forwarded_claims(value: Any, text: str | None) -> None:
    assert forwarded(value) == text


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", ["x" * (MAX_VALUE + 1), "é" * MAX_VALUE, nested(900), {"a": nested(900)}])
def test_claims_that_cannot_be_sent(value: Any) -> None:
    with pytest.raises(
        InvalidToken, match=r"^(the claim for x-c is too long|a forwarded claim is nested too deep)$"
    ):
        forwarded(value)


@pytest.mark.parametrize(
    ("claims", "roles"),
    [
        ({}, set()),
        ({"roles": ["a", "b c", 7, None, ""]}, {"a", "b c"}),
        ({"roles": "a,b c"}, {"a", "b", "c"}),
        ({"roles": {"a": 1}}, set()),
        ({"role": "not admin"}, {"not admin"}),
        ({"role": ["a"]}, {"a"}),
        ({"realm_access": {"roles": ["a"]}, "roles": ["b"], "role": "c"}, {"a", "b", "c"}),
        ({"realm_access": {"roles": 7}}, set()),
        ({"realm_access": ["roles"]}, set()),
    ],
)
def test_roles(claims: dict[str, Any], roles: set[str]) -> None:
    assert identify({"sub": "u", **claims}).roles == roles


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({}, set()),
        ({"scope": "read  write"}, {"read", "write"}),
        ({"scope": "read,write"}, {"read,write"}),
        ({"scp": "a b"}, {"a", "b"}),
        ({"scp": ["a"], "scopes": ["b"], "scope": "c"}, {"a", "b", "c"}),
        ({"scope": 7}, set()),
    ],
)
def test_scopes(claims: dict[str, Any], scopes: set[str]) -> None:
    assert identify({"sub": "u", **claims}).scopes == scopes
