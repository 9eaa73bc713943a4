from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.security.minting import (
    HS,
    ISSUER,
    NOW,
    SECRET,
    Clock,
    auth_config,
    ec_key,
    jwk,
    jwks,
    pem,
    refusal,
    rsa_key,
    token,
    verifier,
)
from tests.support.metrics import Counts
from transcoder.errors import ConfigError
from transcoder.security.verifier import Verifier

FULL: dict[str, Any] = {**HS, "issuer": ISSUER, "audience": ["api"]}
"""An issuer that pins everything."""


def full(**claims: Any) -> str:
    return token(**{"iss": ISSUER, "aud": "api", **claims})


@pytest.fixture
def pem_file(tmp_path: Path) -> dict[str, Any]:
    """An issuer with the public key of rsa_key()."""
    (tmp_path / "key.pem").write_bytes(pem(rsa_key()))
    return {"algorithms": ["RS256"], "public_key_file": str(tmp_path / "key.pem")}


async def user(subject: Verifier, text: str) -> str:
    return (await subject.verify([f"Bearer {text}"])).user_id


async def test_good_token() -> None:
    principal = await verifier({**FULL, "forward_claims": {"x-user-roles": "roles"}}).verify(
        ["bearer " + full(email="u@example.com", roles=["a", "b"], scope="read")]
    )
    assert principal.metadata == (
        ("x-user-id", "user-1"),
        ("x-user-email", "u@example.com"),
        ("x-user-roles", "a,b"),
    )
    assert (principal.roles, principal.scopes) == ({"a", "b"}, {"read"})
    assert principal.claims["iss"] == ISSUER


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "missing credentials"),
        ([""], "missing credentials"),
        (["Basic dTpw"], "missing credentials"),
        (["Bearer"], "invalid token"),
        (["Bearer "], "invalid token"),
        (["Bearer a.b.c"], "invalid token"),
        (["Bearer " + "A" * 65536], "invalid token"),
        (["Bearer " + full() + " "], "invalid token"),
        (["Bearer " + full() + "\n"], "invalid token"),
        (["Bearer " + full(), "Bearer " + full()], "invalid token"),
        (["Bearer " + full() + ", Bearer " + full()], "invalid token"),
    ],
)
async def test_bad_credentials(values: list[str], message: str) -> None:
    assert (await refusal(verifier(FULL), *values)).message == message


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": ...},
        {"exp": NOW - 31},
        {"exp": True},
        {"exp": "2100-01-01"},
        {"nbf": NOW + 31},
        {"iat": NOW + 31},
        {"iss": ...},
        {"iss": "https://evil.example.com"},
        {"iss": [ISSUER]},
        {"iss": {}},
        {"aud": ...},
        {"aud": "other"},
        {"aud": ["other"]},
        {"sub": ...},
        {"sub": ""},
        {"sub": 7},
    ],
)
async def test_claims(claims: dict[str, Any]) -> None:
    try:
        text = full(**claims)
    except TypeError:  # PyJWT makes no token whose iss is not text
        text = forged({"iss": ISSUER, "aud": "api", "sub": "u", "exp": NOW + 60, **claims})
    assert (await refusal(verifier(FULL), f"Bearer {text}")).message == "invalid token"


def forged(claims: dict[str, Any], **header: Any) -> str:
    """A token signed with SECRET by HS256, whatever its header and claims say."""
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", **header}, claims)]
    signing_input = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    algorithm = jwt.get_algorithm_by_name("HS256")
    signature = base64.urlsafe_b64encode(algorithm.sign(signing_input, SECRET.encode())).rstrip(b"=")
    return (signing_input + b"." + signature).decode()


CLAIMS = {"sub": "user-1", "exp": NOW + 60}


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "None"},
        {"alg": ""},
        {"alg": "hs256"},
        {"alg": "HS512"},
        {"alg": "RS256"},
        {"alg": None},
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": False},
        {"crit": []},
        {"b64": False},
        {"kid": 7},
        {"kid": ["k"]},
        {"kid": "k" * 1000},
        {"kid": "../../dev/null\x00"},
        {"kid": "a\r\nb"},
    ],
)
async def test_headers(header: dict[str, Any]) -> None:
    subject = verifier(HS)
    assert await user(subject, forged(CLAIMS)) == "user-1"
    error = await refusal(subject, f"Bearer {forged(CLAIMS, **header)}")
    assert error.message == "invalid token"
    assert "null" not in error.reason


@pytest.mark.parametrize("signature", ["", "AAAA", "A" * 43])
async def test_without_a_signature(signature: str) -> None:
    for alg in ("none", "HS256"):
        unsigned = forged(CLAIMS, alg=alg).rpartition(".")[0]
        await refusal(verifier(HS), f"Bearer {unsigned}.{signature}")


async def test_changed_payload() -> None:
    header, _, signature = token().split(".")
    payload = token(sub="admin").split(".")[1]
    error = await refusal(verifier(HS), f"Bearer {header}.{payload}.{signature}")
    assert error.reason == "invalid token: i0: wrong signature"


async def test_public_key_as_hmac_secret(pem_file: dict[str, Any]) -> None:
    text = forged(CLAIMS).rpartition(".")[0]
    algorithm = jwt.get_algorithm_by_name("HS256")
    for secret in (pem(rsa_key()), pem(rsa_key()).strip(), json.dumps(jwk(rsa_key())).encode()):
        signature = base64.urlsafe_b64encode(algorithm.sign(text.encode(), secret)).rstrip(b"=").decode()
        await refusal(verifier(pem_file), f"Bearer {text}.{signature}")
        await refusal(verifier(pem_file, HS), f"Bearer {text}.{signature}")


async def test_issuer_is_chosen_by_iss_and_alg(pem_file: dict[str, Any]) -> None:
    other = "https://other.example.com"
    subject = verifier({**FULL, "claims": {"user_id": "uid"}}, {**pem_file, "issuer": other})
    assert await user(subject, full(uid="from-uid")) == "from-uid"
    assert await user(subject, token(rsa_key(), "RS256", iss=other)) == "user-1"
    for text in (token(rsa_key(), "RS256", iss=ISSUER), token(iss=other), token(rsa_key(), "RS256")):
        error = await refusal(subject, f"Bearer {text}")
        assert error.reason == "invalid token: no issuer has its iss and alg"


async def test_issuers_without_iss_are_tried_in_turn() -> None:
    secrets = [f"{n} is a secret of more than thirty-two bytes" for n in range(3)]
    subject = verifier(*({"algorithms": ["HS256"], "secret": secret} for secret in secrets), FULL)
    for secret in secrets:
        assert await user(subject, token(secret, iss="anybody")) == "user-1"
        assert await user(subject, token(secret, iss=ISSUER)) == "user-1"
    error = await refusal(subject, f"Bearer {full(exp=NOW - 100)}")
    refused = "; ".join(f"i{n}: wrong signature" for n in range(3))
    assert error.reason == f"invalid token: i3: token has expired; {refused}"


async def test_one_secret_for_two_audiences() -> None:
    subject = verifier({**HS, "audience": ["a"]}, {**HS, "audience": ["b"], "claims": {"user_id": "uid"}})
    assert await user(subject, token(aud="b", uid="b-user")) == "b-user"
    assert await user(subject, token(aud="a")) == "user-1"


async def test_aud_is_not_looked_at_when_none_is_configured() -> None:
    assert await user(verifier(HS), token(aud="somebody else")) == "user-1"


class CountedChecks:
    """Counts the signatures that are checked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        verify = jwt.algorithms.HMACAlgorithm.verify

        def counted(*args: Any) -> bool:
            self.count += 1
            return verify(*args)

        monkeypatch.setattr(jwt.algorithms.HMACAlgorithm, "verify", counted)


async def test_good_tokens_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, checks = Clock(), CountedChecks(monkeypatch)
    subject = verifier(HS, clock=clock)
    text = token(exp=NOW + 3600)
    assert await user(subject, text) == await user(subject, text)
    assert checks.count == 1
    clock.now += 299
    await user(subject, text)
    assert checks.count == 1
    clock.now += 1
    await user(subject, text)
    assert checks.count == 2


async def test_checks_are_counted() -> None:
    clock, counts = Clock(), Counts()
    subject = verifier(HS, clock=clock, meter=counts)
    text = token(exp=NOW + 3600)
    for _ in range(3):
        await user(subject, text)
    clock.now += 300
    await user(subject, text)
    for header in ("Bearer no", f"Bearer {token(exp=NOW - 60)}", "", "Basic x"):
        await refusal(subject, header)
    outcomes = counts.by("outcome", "transcoder_token_checks_total")
    assert outcomes == {"verified": 2, "cached": 2, "invalid": 2, "missing": 2}


async def test_remembered_token_ends_with_its_exp() -> None:
    clock = Clock()
    subject = verifier(HS, clock=clock)
    text = token(exp=NOW + 10)
    assert await user(subject, text) == "user-1"
    clock.now += 39.5
    assert await user(subject, text) == "user-1"
    clock.now += 0.5
    assert (await refusal(subject, f"Bearer {text}")).reason == "invalid token: i0: token has expired"


async def test_bad_tokens_are_not_remembered() -> None:
    clock = Clock()
    subject = verifier(HS, clock=clock)
    text = token(nbf=NOW + 60)
    await refusal(subject, f"Bearer {text}")
    clock.now += 30
    assert await user(subject, text) == "user-1"


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = CountedChecks(monkeypatch)
    subject = verifier(HS)
    texts = [token(jti=str(n)) for n in range(4097)]
    for text in texts:
        await user(subject, text)
    await user(subject, texts[-1])
    assert checks.count == 4097
    await user(subject, texts[0])
    assert checks.count == 4098


def test_every_problem_of_the_configuration_is_reported(tmp_path: Path) -> None:
    (tmp_path / "weak.pem").write_bytes(pem(rsa_key(bits=1024)))
    (tmp_path / "ec.pem").write_bytes(pem(ec_key()))
    (tmp_path / "hs.json").write_bytes(jwks(jwk(rsa_key()), {"kty": "oct", "k": "eA"}))
    (tmp_path / "empty.json").write_bytes(jwks())
    (tmp_path / "unfit.json").write_bytes(jwks(jwk(ec_key())))
    rs: dict[str, Any] = {"algorithms": ["RS256"], "issuer": ISSUER}
    config = auth_config(
        {**rs, "public_key_file": str(tmp_path / "missing.pem")},
        {**rs, "public_key_file": str(tmp_path / "weak.pem")},
        {**rs, "public_key_file": str(tmp_path / "ec.pem")},
        {**rs, "jwks_file": str(tmp_path / "missing.json")},
        {**rs, "jwks_file": str(tmp_path / "hs.json")},
        {**rs, "jwks_file": str(tmp_path / "empty.json")},
        {**rs, "jwks_file": str(tmp_path / "unfit.json")},
        {**rs, "jwks_file": str(tmp_path / "ec.pem")},
        HS,
        {"algorithms": ["HS256"], "secret": json.dumps(jwk(rsa_key()))},
    )
    with pytest.raises(ConfigError) as caught:
        Verifier.from_config(config)
    assert [str(problem) for problem in caught.value.problems] == [
        "auth.issuers[0].public_key_file: cannot be read: No such file or directory",
        "auth.issuers[1].public_key_file: RSA key of 1024 bits, not 2048 to 8192",
        "auth.issuers[2].public_key_file: EC key on secp256r1 does not fit RS256",
        "auth.issuers[3].jwks_file: cannot be read: No such file or directory",
        "auth.issuers[4].jwks_file: keys[1]: a symmetric key has no place in a JWK set",
        "auth.issuers[5].jwks_file: no usable key",
        "auth.issuers[6].jwks_file: no usable key",
        "auth.issuers[7].jwks_file: not a JWK set",
        "auth.issuers[9].secret: not a key for HS256",
    ]


def test_describe(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(jwks(jwk(rsa_key(), "k"), jwk(ec_key(), "e")))
    clock = Clock()
    rs = {"algorithms": ["RS256"], "issuer": ISSUER}
    subject = verifier(
        HS,
        {**rs, "jwks_file": str(tmp_path / "keys.json")},
        {**rs, "jwks_url": "http://user:password@127.0.0.1:1/"},
        clock=clock,
    )
    clock.now += 5
    common = {"issuer": ISSUER, "algorithms": ["RS256"], "refused": [], "error": None}
    assert subject.describe() == [
        {**common, "name": "i1", "source": "jwks_file", "keys": 1, "age": 5.0},
        {**common, "name": "i2", "source": "jwks_url", "keys": 0, "age": None},
        {
            **common,
            "name": "i0",
            "issuer": None,
            "algorithms": ["HS256"],
            "source": "secret",
            "keys": 1,
            "age": None,
        },
    ]
