"""Verification keys: from a secret, a PEM file or a JWK set, each bound to the algorithms it may check.

Which key type an algorithm needs is in RFC 7518 section 3.1 and RFC 8037; a key is never used for another
one, so a public key cannot be mistaken for an HMAC secret (RFC 8725 section 2.1).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt
import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

Check = Callable[[bytes, bytes], bool]
"""Does this signature (second) belong to these bytes (first)?"""

_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_EC: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}

_RSA_BITS: Final = range(2048, 8193)
_MAX_KEYS: Final = 100
_MAX_KEY_ID: Final = 256
_PUBLIC_MEMBERS: Final = ("kty", "crv", "n", "e", "x", "y")


class KeyProblem(ValueError):  # noqa: N818 - it words a problem, as config does
    """A key that cannot be used; the text says why and never quotes key material."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationKey:
    """One key: its id in a JWK set, and the check it does for each algorithm it is allowed for."""

    kid: str | None = None
    checks: Mapping[str, Check]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """The usable keys of a JWK set, and what was left out and why."""

    keys: tuple[VerificationKey, ...] = ()
    refused: tuple[str, ...] = ()


def is_key_id(value: object) -> bool:
    """Whether this can be the `kid` of a key: a short printable text."""
    return isinstance(value, str) and len(value) <= _MAX_KEY_ID and value.isprintable()


def key_from_secret(secret: str, algorithms: Collection[str]) -> VerificationKey:
    """The key of HS* issuers. Raises KeyProblem for a text that is a public key, a certificate or a JWK."""
    key = secret.encode("utf-8", "surrogateescape")
    return VerificationKey(checks={name: _check(name, key) for name in algorithms})


def key_from_pem(pem: bytes, algorithms: Collection[str]) -> VerificationKey:
    """The key of a PEM file: a public key or an X.509 certificate (whose dates are not looked at).

    Raises KeyProblem unless it fits every one of the algorithms.
    """
    key = _load_pem(pem)
    unfit = sorted(set(algorithms) - _fitting(key))
    if unfit:
        raise KeyProblem(f"{_kind(key)} does not fit {', '.join(unfit)}")
    return VerificationKey(checks={name: _check(name, key) for name in algorithms})


def keys_from_jwks(document: bytes, algorithms: Collection[str]) -> KeySet:
    """The keys of a JWK set (RFC 7517) that fit the algorithms.

    Keys meant for something else are passed over; private, symmetric, weak and broken ones are refused.
    Raises KeyProblem when the document is no JWK set or has more than 100 keys.
    """
    keys: list[VerificationKey] = []
    refused: list[str] = []
    for position, jwk in enumerate(_members(document)):
        try:
            key = _key_from_jwk(jwk, algorithms)
        except KeyProblem as exc:
            refused.append(f"keys[{position}]: {exc}")
        else:
            keys.extend([key] if key.checks else [])
    return KeySet(keys=tuple(keys), refused=tuple(refused))


def _members(document: bytes) -> list[Any]:
    try:
        members = orjson.loads(document)["keys"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as exc:
        raise KeyProblem("not a JWK set") from exc
    if not isinstance(members, list):
        raise KeyProblem("not a JWK set")
    if len(members) > _MAX_KEYS:
        raise KeyProblem(f"more than {_MAX_KEYS} keys")
    return members


def _key_from_jwk(jwk: Any, algorithms: Collection[str]) -> VerificationKey:
    if not isinstance(jwk, dict):
        raise KeyProblem("not a JWK")
    if jwk.get("kty") == "oct":
        raise KeyProblem("a symmetric key has no place in a JWK set")
    if "d" in jwk:
        raise KeyProblem("a private key has no place in a JWK set")
    kid = jwk.get("kid")
    if kid is not None and not is_key_id(kid):
        raise KeyProblem("kid is not a short printable text")
    if not _is_for_signatures(jwk):
        return VerificationKey(kid=kid, checks={})
    return VerificationKey(kid=kid, checks=_jwk_checks(jwk, algorithms))


def _is_for_signatures(jwk: Mapping[str, Any]) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    return jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations


def _jwk_checks(jwk: Mapping[str, Any], algorithms: Collection[str]) -> Mapping[str, Check]:
    key = _load_jwk(jwk)
    if key is None:
        return {}
    wanted = {jwk["alg"]} if isinstance(jwk.get("alg"), str) else algorithms
    return {name: _check(name, key) for name in _fitting(key).intersection(algorithms, wanted)}


def _load_jwk(jwk: Mapping[str, Any]) -> Any:
    """The public key of a JWK, or None for a key type that no algorithm uses."""
    reader = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}.get(str(jwk.get("kty")))
    if reader is None:
        return None
    public = {name: jwk[name] for name in _PUBLIC_MEMBERS if name in jwk}
    try:
        return jwt.get_algorithm_by_name(reader).from_jwk(public)
    except (jwt.PyJWTError, ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise KeyProblem(f"broken {jwk['kty']} key") from exc


def _load_pem(pem: bytes) -> Any:
    try:
        if b"-----BEGIN CERTIFICATE-----" in pem:
            return load_pem_x509_certificate(pem).public_key()
        return load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise KeyProblem("not a public key or certificate in PEM") from exc


def _fitting(key: Any) -> frozenset[str]:
    """The algorithms a public key can be used with. Raises KeyProblem when it is too weak for any."""
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size not in _RSA_BITS:
            raise KeyProblem(f"RSA key of {key.key_size} bits, not {_RSA_BITS.start} to {_RSA_BITS.stop - 1}")
        return _RSA
    if isinstance(key, ec.EllipticCurvePublicKey):
        return frozenset({_EC[key.curve.name]} if key.curve.name in _EC else ())
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return frozenset({"EdDSA"})
    return frozenset()


def _kind(key: Any) -> str:
    curve = f" on {key.curve.name}" if isinstance(key, ec.EllipticCurvePublicKey) else ""
    return type(key).__name__.removesuffix("PublicKey") + " key" + curve


def _check(algorithm: str, key: Any) -> Check:
    """Key preparation is done here, once: PyJWT's own `decode` would repeat it for every token."""
    implementation = jwt.get_algorithm_by_name(algorithm)
    try:
        prepared = implementation.prepare_key(key)
    except (jwt.PyJWTError, ValueError) as exc:
        raise KeyProblem(f"not a key for {algorithm}") from exc

    def check(message: bytes, signature: bytes) -> bool:
        return implementation.verify(message, prepared, signature)

    return check
