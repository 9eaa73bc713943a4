"""What a token with a good signature claims: whether it counts here and now, and whom it names (RFC 7519)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from transcoder.config.model import IssuerConfig
from transcoder.context import Principal, metadata_text
from transcoder.security.jws import InvalidToken

Claims = Mapping[str, Any]

MAX_VALUE: Final = 4096
"""Longest metadata value made of a claim, in characters; gRPC peers accept 8 KiB of metadata altogether."""

_WHOLE: Final = re.compile(r".+", re.DOTALL)
_SPACED: Final = re.compile(r"[^ ]+")  # a scope may contain a comma: RFC 6749 section 3.3
_LISTED: Final = re.compile(r"[^\s,]+")
_ROLE_CLAIMS: Final = (("roles", _LISTED), ("realm_access.roles", _LISTED), ("role", _WHOLE))
_SCOPE_CLAIMS: Final = (("scope", _SPACED), ("scopes", _SPACED), ("scp", _SPACED))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRules:
    """What a token must claim.

    issuer: exact `iss`, if given; audience: one of them must be in `aud`, if given; leeway: seconds, both
    ways. With no audience configured `aud` is not looked at, as in Envoy and Spring: a token meant for
    somebody else is then accepted, so set it wherever an issuer serves more than one API.
    """

    issuer: str | None
    audience: frozenset[str]
    leeway: float

    def check(self, claims: Claims, now: float) -> float:
        """Until when the claims hold, in Unix seconds. Raises InvalidToken when they do not hold now."""
        if self.issuer is not None and claims.get("iss") != self.issuer:
            raise InvalidToken("iss is not the issuer")
        if self.audience and self.audience.isdisjoint(_audience(claims)):
            raise InvalidToken("aud is for somebody else")
        for name in ("nbf", "iat"):
            if name in claims and _numeric_date(claims, name) > now + self.leeway:
                raise InvalidToken(f"{name} is in the future")
        expires = _numeric_date(claims, "exp") + self.leeway
        if expires <= now:
            raise InvalidToken("token has expired")
        return expires


def _audience(claims: Claims) -> Iterable[str]:
    value = claims.get("aud")
    items: list[Any] = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) for item in items):
        raise InvalidToken("aud is missing or not text")
    return items


def _numeric_date(claims: Claims, name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidToken(f"{name} is missing or not a number")
    return value


def compile_identity(issuer: IssuerConfig) -> Callable[[Claims], Principal]:
    """How to make a Principal of verified claims, by the claim names of the configuration.

    The function raises InvalidToken when the user id is missing or no text, or when a value is too long to
    send: a backend that is told half of who calls could decide wrongly.
    """
    user_id, email = issuer.claims.user_id, issuer.claims.email
    forwarded = tuple(issuer.forward_claims.items())

    def identify(claims: Claims) -> Principal:
        user = find_claim(claims, user_id)
        if not isinstance(user, str) or not user:
            raise InvalidToken("the user id claim is missing, empty or not text")
        mail = find_claim(claims, email)
        mail = mail if isinstance(mail, str) else ""
        texts = [("x-user-id", user), ("x-user-email", mail)]
        texts += [(key, claim_text(find_claim(claims, name))) for key, name in forwarded]
        return Principal(
            user_id=user,
            email=mail,
            claims=claims,
            metadata=tuple(_entry(key, text) for key, text in texts if text),
            roles=_words(claims, _ROLE_CLAIMS),
            scopes=_words(claims, _SCOPE_CLAIMS),
        )

    return identify


def find_claim(claims: Claims, name: str) -> Any:
    """The claim of exactly this name, else what a dotted name leads to (`realm_access.roles`), else None."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def claim_text(value: Any) -> str:
    """A claim as text: lists comma-joined, objects as compact JSON, booleans `true`/`false`, null as nothing.

    A comma inside a list's item is written `%2C`, so that an item cannot pass for two.
    """
    if isinstance(value, list):
        return ",".join(_item_text(item).replace(",", "%2C") for item in value)
    return "" if value is None else _item_text(value)


def _item_text(value: Any) -> str:
    try:
        return value if isinstance(value, str) else orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        raise InvalidToken("a forwarded claim is nested too deep") from None


def _entry(key: str, text: str) -> tuple[str, str]:
    value = metadata_text(text)
    if len(value) > MAX_VALUE:
        raise InvalidToken(f"the claim for {key} is too long")
    return key, value


def _words(claims: Claims, sources: Iterable[tuple[str, re.Pattern[str]]]) -> frozenset[str]:
    """All words of several claims, each a list of texts or one text that the pattern takes apart."""
    words: set[str] = set()
    for name, pattern in sources:
        value = find_claim(claims, name)
        if isinstance(value, str):
            words.update(pattern.findall(value))
        elif isinstance(value, list):
            words.update(item for item in value if isinstance(item, str) and item)
    return frozenset(words)
