from __future__ import annotations

import datetime
import json
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.security.minting import SECRET, ec_key, ed_key, jwk, jwks, pem, rsa_key, token
from transcoder.security.jws import parse_jws
from transcoder.security.keys import (
    KeyProblem,
    VerificationKey,
    key_from_pem,
    key_from_secret,
    keys_from_jwks,
)

KEYS = {
    "RS256": rsa_key(),
    "RS384": rsa_key(),
    "RS512": rsa_key(),
    "PS256": rsa_key(),
    "PS384": rsa_key(),
    "PS512": rsa_key(),
    "ES256": ec_key(),
    "ES384": ec_key(curve=ec.SECP384R1),
    "ES512": ec_key(curve=ec.SECP521R1),
    "EdDSA": ed_key(),
}
ASYMMETRIC = tuple(KEYS)


def verifies(key: VerificationKey, algorithm: str, text: str) -> bool:
    jws = parse_jws(text)
    return key.checks[algorithm](jws.signing_input, jws.signature)


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_secret(algorithm: str) -> None:
    key = key_from_secret(SECRET, [algorithm])
    assert verifies(key, algorithm, token(SECRET, algorithm))
    assert not verifies(key, algorithm, token(SECRET + "x", algorithm))


@pytest.mark.parametrize("secret", [pem(rsa_key()).decode(), json.dumps(jwk(rsa_key())), "", "ssh-rsa AAAA"])
def test_public_key_as_secret(secret: str) -> None:
    with pytest.raises(KeyProblem, match="not a key for HS256"):
        key_from_secret(secret, ["HS256"])


def test_secret_of_any_bytes() -> None:
    secret = bytes(range(128, 192))
    key = key_from_secret(secret.decode("utf-8", "surrogateescape"), ["HS256"])
    assert verifies(key, "HS256", token(secret))


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_pem(algorithm: str) -> None:
    key = key_from_pem(pem(KEYS[algorithm]), [algorithm])
    good = token(KEYS[algorithm], algorithm)
    assert verifies(key, algorithm, good)
    assert not verifies(
        key, algorithm, token(KEYS[algorithm], algorithm, sub="x").rpartition(".")[0] + ".AAAA"
    )
    assert not key.checks[algorithm](b"", parse_jws(good).signature)


def test_pem_certificate() -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "id")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, rsa_key().public_key(), 1, start, start.replace(year=2021))
    certificate = builder.sign(rsa_key(), hashes.SHA256()).public_bytes(Encoding.PEM)
    assert verifies(key_from_pem(certificate, ["RS256"]), "RS256", token(rsa_key(), "RS256"))


@pytest.mark.parametrize(
    ("data", "algorithms", "problem"),
    [
        (b"", ["RS256"], "not a public key or certificate in PEM"),
        (b"-----BEGIN CERTIFICATE-----\nxx", ["RS256"], "not a public key or certificate in PEM"),
        (
            rsa_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            ["RS256"],
            "not a public key or certificate in PEM",
        ),
        (pem(rsa_key(bits=1024)), ["RS256"], "RSA key of 1024 bits, not 2048 to 8192"),
        (pem(rsa_key()), ["RS256", "ES256"], "RSA key does not fit ES256"),
        (pem(ec_key()), ["ES256", "ES384"], "EC key on secp256r1 does not fit ES384"),
        (pem(ec_key(curve=ec.SECP256K1)), ["ES256"], "EC key on secp256k1 does not fit ES256"),
        (pem(ed_key()), ["RS256"], "Ed25519 key does not fit RS256"),
        (pem(x25519.X25519PrivateKey.generate()), ["EdDSA"], "X25519 key does not fit EdDSA"),
        (pem(dsa.generate_private_key(1024)), ["RS256"], "DSA key does not fit RS256"),
    ],
)
def test_unfit_pem(data: bytes, algorithms: list[str], problem: str) -> None:
    with pytest.raises(KeyProblem) as caught:
        key_from_pem(data, algorithms)
    assert str(caught.value) == problem


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_jwk(algorithm: str) -> None:
    keys = keys_from_jwks(
        jwks(jwk(KEYS[algorithm], "k", alg=algorithm, use="sig", key_ops=["verify"])), ASYMMETRIC
    )
    (key,) = keys.keys
    assert (key.kid, keys.refused) == ("k", ())
    assert list(key.checks) == [algorithm]
    assert verifies(key, algorithm, token(KEYS[algorithm], algorithm))


def test_jwk_without_alg_serves_what_fits_and_is_configured() -> None:
    keys = keys_from_jwks(jwks(jwk(rsa_key()), jwk(ec_key())), ["RS256", "PS256", "ES256"])
    assert [set(key.checks) for key in keys.keys] == [{"RS256", "PS256"}, {"ES256"}]
    assert [key.kid for key in keys.keys] == [None, None]


@pytest.mark.parametrize(
    "member",
    [
        jwk(rsa_key(), use="enc"),
        jwk(rsa_key(), use=["sig"]),
        jwk(rsa_key(), key_ops=["sign"]),
        jwk(rsa_key(), key_ops="verify"),
        jwk(rsa_key(), alg="RS512"),
        jwk(rsa_key(), alg="RSA-OAEP"),
        jwk(ec_key(curve=ec.SECP384R1)),
        jwk(ec_key(), alg="RS256"),
        {"kty": "future"},
        {"kty": ["RSA"]},
        {},
    ],
)
def test_passed_over(member: Any) -> None:
    keys = keys_from_jwks(jwks(member, jwk(rsa_key(), "good")), ["RS256", "ES256"])
    assert [key.kid for key in keys.keys] == ["good"]
    assert keys.refused == ()


@pytest.mark.parametrize(
    ("member", "problem"),
    [
        ({"kty": "oct", "k": "c2VjcmV0"}, "a symmetric key has no place in a JWK set"),
        (
            jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key(), as_dict=True),
            "a private key has no place in a JWK set",
        ),
        (jwk(rsa_key(bits=1024)), "RSA key of 1024 bits, not 2048 to 8192"),
        (jwk(rsa_key(), n="AQAB" * 20000), "RSA key of 479993 bits, not 2048 to 8192"),
        (jwk(rsa_key(), n=...), "broken RSA key"),
        (jwk(rsa_key(), n=5), "broken RSA key"),
        (jwk(rsa_key(), n="é"), "broken RSA key"),
        (jwk(rsa_key(), e="AA"), "broken RSA key"),
        (jwk(ec_key(), x="AAAA"), "broken EC key"),
        (jwk(ec_key(), y=jwk(ec_key())["x"]), "broken EC key"),
        (jwk(ec_key(), crv="P-384"), "broken EC key"),
        (jwk(ec_key(), crv=[]), "broken EC key"),
        (jwk(ed_key(), x="AAAA"), "broken OKP key"),
        (jwk(rsa_key(), kid=7), "kid is not a short printable text"),
        (jwk(rsa_key(), kid="a\nb"), "kid is not a short printable text"),
        ("text", "not a JWK"),
        (None, "not a JWK"),
    ],
)
def test_refused(member: Any, problem: str) -> None:
    keys = keys_from_jwks(jwks(jwk(rsa_key(), "good"), member), ["RS256", "ES256", "EdDSA"])
    assert [key.kid for key in keys.keys] == ["good"]
    assert keys.refused == (f"keys[1]: {problem}",)


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b"null", b'{"keys": {}}', b"<html>", b"\xff"])
def test_no_jwk_set(document: bytes) -> None:
    with pytest.raises(KeyProblem, match="not a JWK set"):
        keys_from_jwks(document, ["RS256"])


def test_at_most_100_keys() -> None:
    member = jwk(ec_key())
    assert len(keys_from_jwks(jwks(*[member] * 100), ["ES256"]).keys) == 100
    with pytest.raises(KeyProblem, match="more than 100 keys"):
        keys_from_jwks(jwks(*[member] * 101), ["ES256"])
