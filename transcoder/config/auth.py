"""`auth`: whose tokens and API keys are believed, and what of them a backend is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import Field, SecretStr, model_validator

from transcoder.config.base import Model, refusal
from transcoder.config.names import ClaimKey, CredentialHeader
from transcoder.config.values import Duration, FilePath, KeyHash, Secret, Text, Url

Algorithm = Literal[
    "HS256",
    "HS384",
    "HS512",
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
]

_KEY_SOURCES: Final = ("secret", "public_key_file", "jwks_url", "jwks_file")
_HS_BYTES: Final[Mapping[str, int]] = {"HS256": 32, "HS384": 48, "HS512": 64}
"""RFC 7518 section 3.2: the key is at least as long as the hash."""


class ClaimsConfig(Model):
    """Which claims say who the caller is."""

    user_id: Text = "sub"
    """claim sent as `x-user-id`"""
    email: Text = "email"
    """claim sent as `x-user-email`"""


class IssuerConfig(Model):
    """One issuer of tokens, with exactly one source of keys and the algorithms pinned."""

    name: Text
    """how logs and the admin pages call it"""
    issuer: Text | None = None
    """the `iss` a token must carry; required with jwks_url and jwks_file"""
    audience: tuple[Text, ...] = ()
    """a token must name one of these in `aud`"""
    algorithms: tuple[Algorithm, ...]
    """the only algorithms accepted; HS* never together with the others"""
    secret: Secret | None = None
    """the shared secret of HS*, at least as long as the hash (32 bytes for HS256)"""
    public_key_file: FilePath | None = None
    """a PEM public key"""
    jwks_url: Url | None = Field(default=None, repr=False)
    """where the issuer publishes its keys"""
    jwks_file: FilePath | None = None
    """a JSON Web Key Set"""
    leeway: Duration = 30.0
    """clock difference allowed for `exp`, `nbf` and `iat`"""
    claims: ClaimsConfig = ClaimsConfig()
    forward_claims: Mapping[ClaimKey, Text] = {}
    """metadata key to claim: sent to backends beside `x-user-id` and `x-user-email`"""

    @model_validator(mode="after")
    def _one_key_source(self) -> Self:
        given = [key for key in _KEY_SOURCES if getattr(self, key) is not None]
        if not given:
            raise refusal("one of secret, public_key_file, jwks_url or jwks_file is required")
        if len(given) > 1:
            raise refusal(f"{given[0]} is given too: only one source of keys is allowed", given[1])
        if given[0].startswith("jwks") and self.issuer is None:
            raise refusal(f"is required with {given[0]}", "issuer")
        return self

    @model_validator(mode="after")
    def _one_kind_of_algorithm(self) -> Self:
        if not self.algorithms:
            raise refusal("must not be empty", "algorithms")
        symmetric = [name for name in self.algorithms if name in _HS_BYTES]
        if symmetric and len(symmetric) < len(self.algorithms):
            raise refusal("HS* and public-key algorithms cannot share an issuer", "algorithms")
        if symmetric and self.secret is None:
            raise refusal(f"{symmetric[0]} needs a secret, not a public key", "algorithms")
        if self.secret is not None and not symmetric:
            raise refusal(f"a secret is for HS* only, {self.algorithms[0]} needs a public key", "secret")
        return self

    @model_validator(mode="after")
    def _strong_secret(self) -> Self:
        if self.secret is not None:
            _check_secret(self.secret, self.algorithms)
        return self


Told = Annotated[str, Field(min_length=1, max_length=256)]
"""A text that a backend is told as a metadata value."""


class ApiKeyConfig(Model):
    """One API key, by its hash, and whom it stands for."""

    name: Text
    """how problems with it are told; unique"""
    hash: KeyHash
    """sha256: and the SHA-256 of the key, in hex; `transcoder api-key` makes both"""
    user_id: Told
    """sent as `x-user-id`"""
    email: Told | None = None
    """sent as `x-user-email`"""
    roles: tuple[Text, ...] = ()
    scopes: tuple[Text, ...] = ()
    metadata: Mapping[ClaimKey, Told] = {}
    """metadata key to value: sent beside `x-user-id` and `x-user-email`"""


class AuthConfig(Model):
    """Verification of bearer tokens and API keys; without either no route asks for one."""

    issuers: tuple[IssuerConfig, ...] = ()
    api_key_header: CredentialHeader = "x-api-key"
    """the request header of an API key"""
    api_keys: tuple[ApiKeyConfig, ...] = ()

    @model_validator(mode="after")
    def _each_key_once(self) -> Self:
        first: dict[str, int] = {}
        for index, key in enumerate(self.api_keys):
            digest = key.hash.get_secret_value()
            if first.setdefault(digest, index) != index:
                raise refusal(
                    f"is already the key of auth.api_keys[{first[digest]}]", "api_keys", index, "hash"
                )
        return self


def _check_secret(secret: SecretStr, algorithms: tuple[str, ...]) -> None:
    text = secret.get_secret_value()
    if "-----BEGIN" in text or text.startswith("ssh-"):
        raise refusal("looks like a public key: anyone who has it could sign tokens", "secret")
    strongest = max(algorithms, key=lambda name: _HS_BYTES.get(name, 0))
    needed = _HS_BYTES.get(strongest, 0)
    if len(text.encode("utf-8", "surrogateescape")) < needed:
        raise refusal(f"must be at least {needed} bytes for {strongest} (RFC 7518, 3.2)", "secret")
