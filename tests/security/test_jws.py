from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.security.minting import SECRET, token
from transcoder.security.jws import InvalidToken, MissingToken, bearer_token, parse_jws


def encode(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(header: Any = None, payload: Any = None, signature: bytes = b"s") -> str:
    parts = ({"alg": "HS256"} if header is None else header, {} if payload is None else payload, signature)
    return ".".join(map(encode, parts))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer "])
def test_scheme_in_any_case(scheme: str) -> None:
    assert bearer_token([f"{scheme} a.b.c"]) == "a.b.c"


@pytest.mark.parametrize("values", [[], [""], ["Basic dTpw"], ["Token a.b.c"], ["a.b.c"], ["Bearera.b.c"]])
def test_no_bearer_credential(values: list[str]) -> None:
    with pytest.raises(MissingToken):
        bearer_token(values)


@pytest.mark.parametrize("values", [["Bearer a.b.c", "Bearer a.b.c"], ["Bearer " + "a" * 8193]])
def test_unusable_credential(values: list[str]) -> None:
    with pytest.raises(InvalidToken):
        bearer_token(values)


def test_longest_token() -> None:
    assert len(bearer_token(["Bearer " + "a" * 8192])) == 8192


def test_parts() -> None:
    text = token(SECRET, "HS256", headers={"kid": "k1"}, sub="u")
    jws = parse_jws(text)
    assert (jws.algorithm, jws.kid, jws.claims["sub"]) == ("HS256", "k1", "u")
    assert jws.signing_input.decode() == text.rpartition(".")[0]
    assert encode(jws.signature) == text.rpartition(".")[2]


def test_embedded_keys_are_not_looked_at() -> None:
    parse_jws(compact({"alg": "RS256", "jwk": 1, "jku": "http://127.0.0.1:1/", "x5u": [], "x5c": {}}))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a compact JWS"),
        ("a.b", "not a compact JWS"),
        ("a.b.", "not a compact JWS"),
        ("a.b.c.d.e", "not a compact JWS"),
        (compact() + "\n", "not a compact JWS"),
        (compact() + "=", "not a compact JWS"),
        ("é.b.c", "not a compact JWS"),
        ("\ud800.b.c", "not a compact JWS"),
        (f"a.{compact().partition('.')[2]}", "header is not base64url"),
        (f"{compact()[:-1]}", "signature is not base64url"),
        (f"{compact(signature=b'aa')[:-1]}F", "signature is not base64url"),
        (compact(b"{"), "header is not JSON"),
        (compact(b"\xff"), "header is not JSON"),
        (compact([]), "header is not a JSON object"),
        (compact({}), "header has no alg"),
        (compact({"alg": None}), "header has no alg"),
        (compact({"alg": ["HS256"]}), "header has no alg"),
        (compact({"alg": "HS256", "crit": ["b64"], "b64": False}), "header asks for an extension"),
        (compact({"alg": "HS256", "crit": []}), "header asks for an extension"),
        (compact({"alg": "HS256", "b64": True}), "header asks for an extension"),
        (compact(payload=b""), "not a compact JWS"),
        (compact(payload=b"x"), "payload is not JSON"),
        (compact(payload=b'"x"'), "payload is not a JSON object"),
        (compact(payload=b'{"exp": NaN}'), "payload is not JSON"),
        (compact(payload=b'{"exp": 1e400}'), "payload is not JSON"),
        (compact(payload=b'{"exp": %s}' % (b"9" * 5000)), "payload is not JSON"),
        (compact(payload=b'{"a": %s}' % (b"[" * 2000 + b"]" * 2000)), "payload is not JSON"),
        (compact(payload=b'{"sub": "\\ud800"}'), "payload is not JSON"),
    ],
)
def test_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidToken, match=f"^{reason}$"):
        parse_jws(text)


@pytest.mark.parametrize("kid", [1, True, [], {}, "k" * 257, "a\x00b", "a\nb", "\x1b[31m", "\u202e"])
def test_hostile_kid(kid: Any) -> None:
    with pytest.raises(InvalidToken, match=r"^kid is not a short printable text$"):
        parse_jws(compact({"alg": "HS256", "kid": kid}))
