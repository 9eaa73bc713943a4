"""From the Authorization header of a request to a Principal, or a refusal that helps nobody to guess."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from cachetools import LRUCache

from transcoder.config.model import AuthConfig
from transcoder.context import Principal
from transcoder.errors import SERVICE_UNAVAILABLE, UNAUTHENTICATED, ConfigError, Problem, TranscodeError
from transcoder.events import Meter, unmetered
from transcoder.security.fetch import FetchError
from transcoder.security.issuer import Issuer, Runtime, compile_issuer, key_source_name
from transcoder.security.jwks import KeysUnavailable
from transcoder.security.jws import InvalidToken, Jws, MissingToken, bearer_token, parse_jws
from transcoder.security.keys import KeyProblem

_CACHE_SIZE: Final = 4096
_CACHE_SECONDS: Final = 300.0


class _Verified(NamedTuple):
    """A token that was found good. until: Unix seconds; it is not looked at again before."""

    principal: Principal
    until: float


class Verifier:
    """Holds bearer tokens against the configured issuers.

    A token is tried with the issuers of its `iss` and `alg`, then with those of its `alg` that were
    configured without `iss`; whichever is chosen checks it in full. Good tokens are remembered by their
    SHA-256 for at most five minutes, never past their own end and never past a change of any key set; bad
    ones are not remembered.
    """

    def __init__(
        self,
        issuers: Sequence[Issuer],
        cache: LRUCache[bytes, _Verified],
        clock: Callable[[], float],
        meter: Meter,
    ) -> None:
        self._issuers = sorted(issuers, key=lambda issuer: issuer.rules.issuer is None)
        self._cache = cache
        self._clock = clock
        self._checks = {
            outcome: meter("transcoder_token_checks_total", outcome=outcome)
            for outcome in ("cached", "verified", "missing", "invalid", "unavailable")
        }
        self._jwks = tuple(issuer.keys.jwks for issuer in issuers if issuer.keys.jwks is not None)

    @classmethod
    def from_config(
        cls,
        auth: AuthConfig,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        meter: Meter = unmetered,
    ) -> Verifier:
        """Reads every key file; URLs are first asked by `start`.

        clock: Unix seconds. Raises ConfigError with the problems of all issuers.
        """
        cache: LRUCache[bytes, _Verified] = LRUCache(_CACHE_SIZE)
        runtime = Runtime(clock=clock, sleep=sleep, on_new_keys=cache.clear, meter=meter)
        issuers, problems = [], []
        for position, config in enumerate(auth.issuers):
            try:
                issuers.append(compile_issuer(config, runtime))
            except (KeyProblem, FetchError) as exc:
                problems.append(
                    Problem(message=str(exc), key=f"auth.issuers[{position}].{key_source_name(config)}")
                )
        if problems:
            raise ConfigError(problems)
        return cls(issuers, cache, clock, meter)

    async def start(self) -> None:
        """Starts to load and refresh the JWK sets, and does not wait for them."""
        for jwks in self._jwks:
            jwks.start()

    async def close(self) -> None:
        """Ends the refreshing."""
        for jwks in self._jwks:
            await jwks.close()

    async def verify(self, authorization: Sequence[str]) -> Principal:
        """Whom the request's Authorization headers (all their values) prove to be the caller.

        Raises TranscodeError: UNAUTHENTICATED, whose message never says what was wrong with a token (the
        reason, for the log, does); or SERVICE_UNAVAILABLE when the only issuer that could vouch for it has no
        keys yet. Such a token is not accepted, and 401 would tell its owner to throw away one that may be
        good.
        """
        try:
            token = bearer_token(authorization)
            digest = sha256(token.encode(errors="surrogatepass")).digest()
            verified = self._cache.get(digest)
            if verified is None or verified.until <= self._clock():
                verified = self._cache[digest] = await self._ask_issuers(parse_jws(token))
                self._checks["verified"]()
            else:
                self._checks["cached"]()
        except MissingToken as exc:
            self._checks["missing"]()
            raise _unauthenticated("missing credentials", str(exc)) from None
        except InvalidToken as exc:
            self._checks["invalid"]()
            raise _unauthenticated("invalid token", str(exc)) from None
        except KeysUnavailable as exc:
            self._checks["unavailable"]()
            raise TranscodeError(SERVICE_UNAVAILABLE, "", reason=str(exc)) from None
        return verified.principal

    def describe(self) -> list[dict[str, Any]]:
        """For each issuer: name, issuer, algorithms, source (kind), keys (count), refused, age (s), error."""
        return [issuer.describe() for issuer in self._issuers]

    async def _ask_issuers(self, jws: Jws) -> _Verified:
        refusals: list[str] = []
        unavailable: KeysUnavailable | None = None
        for issuer in self._issuers:
            if not issuer.is_meant(jws):
                continue
            try:
                principal, expires = await issuer.verify(jws, self._clock)
                return _Verified(principal, min(expires, self._clock() + _CACHE_SECONDS))
            except InvalidToken as exc:
                refusals.append(f"{issuer.name}: {exc}")
            except KeysUnavailable as exc:
                unavailable = exc
        if unavailable is not None:
            raise unavailable
        raise InvalidToken("; ".join(refusals) or "no issuer has its iss and alg")


def _unauthenticated(message: str, reason: str) -> TranscodeError:
    challenge = (("www-authenticate", "Bearer"),)
    return TranscodeError(UNAUTHENTICATED, message, reason=f"{message}: {reason}", headers=challenge)
