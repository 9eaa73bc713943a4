"""Keys, tokens and configurations that the tests of the security package are made of."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from transcoder.config.auth import AuthConfig
from transcoder.errors import UNAUTHENTICATED, TranscodeError
from transcoder.security.verifier import Verifier

NOW: Final = 1_800_000_000.0
SECRET: Final = "a secret of the gateway's own, long enough for every HMAC: 0123456789"
ISSUER: Final = "https://id.example.com"
HS: Final = {"algorithms": ["HS256"], "secret": SECRET}
"""An issuer without any demand but a good signature and time."""


class Clock:
    """Unix seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@cache
def rsa_key(name: str = "a", bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(name: str = "a", curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve())


@cache
def ed_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def pem(private: Any) -> bytes:
    data: bytes = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return data


def jwk(private: Any, kid: str | None = None, **members: Any) -> dict[str, Any]:
    """The public JWK of a private key; members are added or, given as `...`, left out."""
    families = {rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm}
    family = next((families[kind] for kind in families if isinstance(private, kind)), OKPAlgorithm)
    entry = {
        **family.to_jwk(private.public_key(), as_dict=True),
        "kid": ... if kid is None else kid,
        **members,
    }
    return {name: value for name, value in entry.items() if value is not ...}


def jwks(*keys: Any) -> bytes:
    return json.dumps({"keys": keys}).encode()


def token(
    key: Any = SECRET,
    algorithm: str = "HS256",
    /,
    headers: dict[str, Any] | None = None,
    **claims: Any,
) -> str:
    """A token that is good for a minute; a claim that is given as `...` is left out."""
    payload = {"sub": "user-1", "iat": NOW, "exp": NOW + 60, **claims}
    payload = {name: value for name, value in payload.items() if value is not ...}
    return jwt.encode(payload, key, algorithm=algorithm, headers=headers)


def auth_config(*issuers: dict[str, Any]) -> AuthConfig:
    return AuthConfig.model_validate({"issuers": [{"name": f"i{n}", **i} for n, i in enumerate(issuers)]})


def verifier(*issuers: dict[str, Any], clock: Clock | None = None, **kwargs: Any) -> Verifier:
    return Verifier.from_config(auth_config(*issuers), clock=clock or Clock(), **kwargs)


async def refusal(subject: Verifier, *authorization: str) -> TranscodeError:
    """The refusal of these headers, which must be a 401 that helps nobody."""
    with pytest.raises(TranscodeError) as caught:
        await subject.verify(authorization)
    error = caught.value
    assert error.kind is UNAUTHENTICATED
    assert error.message in {"missing credentials", "invalid token"}
    assert error.headers == (("www-authenticate", "Bearer"),)
    assert error.reason.isprintable()
    return error
