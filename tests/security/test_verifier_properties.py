"""Whatever the header says, it is a Principal or a 401; and what is accepted, PyJWT accepts as well."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any, Final

import jwt
from hypothesis import example, given
from hypothesis import strategies as st

from tests.security.minting import ISSUER, NOW, SECRET, auth_config, verifier
from transcoder.context import Principal
from transcoder.errors import UNAUTHENTICATED, TranscodeError
from transcoder.security.claims import compile_identity
from transcoder.security.jws import InvalidToken

ISSUER_CONFIG: Final = {
    "issuer": ISSUER,
    "audience": ["api"],
    "algorithms": ["HS256", "HS512"],
    "secret": SECRET,
    "forward_claims": {"x-user-roles": "roles", "x-user-any": "any.thing"},
}
SUBJECT: Final = verifier(ISSUER_CONFIG)
IDENTIFY: Final = compile_identity(auth_config(ISSUER_CONFIG).issuers[0])

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
TIMES = st.floats(NOW - 60, NOW + 60) | st.integers(int(NOW) - 60, int(NOW) + 60)
HEADERS = st.fixed_dictionaries(
    {"alg": st.sampled_from(["HS256", "HS512", "HS384", "none"]) | JSON},
    optional=dict.fromkeys(("kid", "crit", "b64", "jwk", "jku", "typ", "x5c"), JSON),
)
CLAIMS = st.fixed_dictionaries(
    {
        "iss": st.just(ISSUER) | JSON,
        "aud": st.sampled_from(["api", ["x", "api"]]) | JSON,
        "exp": TIMES | JSON,
        "sub": st.text() | JSON,
    },
    optional={
        "nbf": TIMES | JSON,
        "iat": TIMES | JSON,
        "email": JSON,
        "roles": JSON,
        "any": JSON,
        "scope": JSON,
    },
)


def verify(*authorization: str) -> Principal | None:
    try:
        return asyncio.run(SUBJECT.verify(authorization))
    except TranscodeError as exc:
        error = exc
    assert error.kind is UNAUTHENTICATED
    assert error.message in {"missing credentials", "invalid token"}
    assert error.reason.isprintable()
    return None


def encode(value: Any) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")


def signed(header: Any, claims: Any) -> str:
    """Signed by HS256 with the right secret, whatever the header says."""
    signing_input = b".".join(encode(json.dumps(part).encode()) for part in (header, claims))
    signature = jwt.get_algorithm_by_name("HS256").sign(signing_input, SECRET.encode())
    return (signing_input + b"." + encode(signature)).decode()


@given(st.lists(st.text() | st.text().map("Bearer {}".format), max_size=3))
def test_any_header(authorization: list[str]) -> None:
    assert verify(*authorization) is None


@given(*[st.binary(max_size=40)] * 3)
def test_any_three_segments(header: bytes, payload: bytes, signature: bytes) -> None:
    assert verify("Bearer " + b".".join(map(encode, (header, payload, signature))).decode()) is None


@given(HEADERS, CLAIMS)
def test_any_header_and_claims_well_signed(header: dict[str, Any], claims: dict[str, Any]) -> None:
    text = signed(header, claims)
    principal = verify(f"Bearer {text}")
    if principal is not None:
        unbound = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
        required = ["exp", "sub", "iss", "aud"]
        known = jwt.decode(
            text, SECRET, ["HS256"], {**unbound, "require": required}, audience="api", issuer=ISSUER
        )
        assert known == principal.claims


@given(CLAIMS)
def test_any_claims_make_metadata_that_can_be_sent(claims: dict[str, Any]) -> None:
    try:
        metadata = IDENTIFY(claims).metadata
    except InvalidToken:
        return
    assert dict(metadata)["x-user-id"]
    for _, value in metadata:
        assert isinstance(value, str)
        assert value.isascii()
        assert value.isprintable()
        assert value == value.strip()


@given(st.text(min_size=1), st.text(min_size=1))
@example("é", "%C3%A9")
@example(" u", "%20u")
def test_two_users_never_look_alike(one: str, other: str) -> None:
    if one != other:
        assert IDENTIFY({"sub": one}).metadata != IDENTIFY({"sub": other}).metadata


@given(st.integers(0, 2), st.integers(0), st.characters(codec="ascii"))
def test_any_change_of_a_character_is_refused(part: int, at: int, char: str) -> None:
    good = signed({"alg": "HS256"}, {"iss": ISSUER, "aud": "api", "exp": NOW + 60, "sub": "user-1"})
    segments = good.split(".")
    at %= len(segments[part])
    segments[part] = segments[part][:at] + char + segments[part][at + 1 :]
    changed = ".".join(segments)
    assert (verify(f"Bearer {changed}") is None) == (changed != good)
