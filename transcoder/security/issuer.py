"""A trusted issuer, built from its configuration: its keys, what it must claim, how it names the caller."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from transcoder.config.model import IssuerConfig
from transcoder.context import Principal
from transcoder.events import Meter
from transcoder.security.claims import ClaimRules, Claims, compile_identity
from transcoder.security.fetch import Fetch, fetch_file, fetch_url, read_bounded
from transcoder.security.jwks import COOLDOWN, REFRESH_INTERVAL, Jwks
from transcoder.security.jws import InvalidToken, Jws
from transcoder.security.keys import (
    Check,
    KeyProblem,
    VerificationKey,
    key_from_pem,
    key_from_secret,
    keys_from_jwks,
)

_KEY_SOURCES: Final = ("secret", "public_key_file", "jwks_url", "jwks_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What is around: time, who wants to know of new keys, and who counts."""

    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    on_new_keys: Callable[[], None]
    meter: Meter


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySource:
    """Where keys are found. jwks: the set behind it, if there is one to refresh; facts: for the admin API."""

    find: Callable[[str, str | None], Awaitable[Sequence[Check]]]
    facts: Callable[[], Mapping[str, Any]]
    jwks: Jwks | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """A trusted issuer. algorithms: pinned; a token's own `alg` only chooses among them."""

    name: str
    algorithms: tuple[str, ...]
    keys: KeySource
    rules: ClaimRules
    identify: Callable[[Claims], Principal]

    def is_meant(self, jws: Jws) -> bool:
        """Whether the unverified `alg` and `iss` lead here; an issuer without `iss` takes any."""
        return jws.algorithm in self.algorithms and self.rules.issuer in (None, jws.claims.get("iss"))

    async def verify(self, jws: Jws, clock: Callable[[], float]) -> tuple[Principal, float]:
        """Whom the token names and until when that holds. Raises InvalidToken or KeysUnavailable."""
        checks = await self.keys.find(jws.algorithm, jws.kid)
        if not checks:
            raise InvalidToken("unknown key")
        if not any(check(jws.signing_input, jws.signature) for check in checks):
            raise InvalidToken("wrong signature")
        expires = self.rules.check(jws.claims, clock())
        return self.identify(jws.claims), expires

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "issuer": self.rules.issuer,
            "algorithms": list(self.algorithms),
            **self.keys.facts(),
        }


def compile_issuer(config: IssuerConfig, runtime: Runtime) -> Issuer:
    """Raises KeyProblem or FetchError when the key cannot be had or does not fit the algorithms."""
    return Issuer(
        name=config.name,
        algorithms=config.algorithms,
        keys=_key_source(config, runtime),
        rules=ClaimRules(issuer=config.issuer, audience=frozenset(config.audience), leeway=config.leeway),
        identify=compile_identity(config),
    )


def key_source_name(config: IssuerConfig) -> str:
    """The key of the configuration that says where an issuer's keys come from."""
    return next(name for name in _KEY_SOURCES if getattr(config, name) is not None)


def _key_source(config: IssuerConfig, runtime: Runtime) -> KeySource:
    kind = key_source_name(config)
    if config.secret is not None:
        return _fixed(kind, key_from_secret(config.secret.get_secret_value(), config.algorithms))
    if config.public_key_file is not None:
        pem = read_bounded(config.public_key_file)
        return _fixed(kind, key_from_pem(pem, config.algorithms))
    if config.jwks_file is not None:
        return _refreshed(kind, _jwks_of_file(config, config.jwks_file, runtime))
    return _refreshed(kind, _jwks(config, runtime, fetch_url(str(config.jwks_url)), REFRESH_INTERVAL))


def _jwks_of_file(config: IssuerConfig, path: Path, runtime: Runtime) -> Jwks:
    """At start the file must be flawless; when it changes later, what is wrong in it is left out."""
    document = read_bounded(path)
    refused = keys_from_jwks(document, config.algorithms).refused
    if refused:
        raise KeyProblem("; ".join(refused))
    jwks = _jwks(config, runtime, fetch_file(path), COOLDOWN)
    jwks.adopt(document)
    return jwks


def _jwks(config: IssuerConfig, runtime: Runtime, fetch: Fetch, interval: float) -> Jwks:
    return Jwks(
        config.name,
        fetch=fetch,
        parse=lambda document: keys_from_jwks(document, config.algorithms),
        on_change=runtime.on_new_keys,
        meter=runtime.meter,
        clock=runtime.clock,
        sleep=runtime.sleep,
        interval=interval,
    )


def _fixed(kind: str, key: VerificationKey) -> KeySource:
    checks = {algorithm: (check,) for algorithm, check in key.checks.items()}

    async def find(algorithm: str, _kid: str | None) -> Sequence[Check]:
        return checks[algorithm]

    facts = {"source": kind, "keys": 1, "refused": [], "age": None, "error": None}
    return KeySource(find=find, facts=lambda: facts)


def _refreshed(kind: str, jwks: Jwks) -> KeySource:
    return KeySource(find=jwks.find, facts=lambda: {"source": kind, **jwks.describe()}, jwks=jwks)
