"""API keys: from the header of a request to a Principal, knowing only hashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final

from transcoder.config.model import ApiKeyConfig, AuthConfig
from transcoder.context import Principal, metadata_text
from transcoder.errors import UNAUTHENTICATED, TranscodeError

CHALLENGE: Final = "ApiKey"
"""No scheme is registered for API keys, and a 401 has to name one (RFC 9110, section 15.5.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeys:
    """header: the request header that carries a key, in lower case; principals: by the SHA-256 of their key.

    A key is looked up by its digest: what time tells about that, nobody can steer towards a key. A slow hash
    would add nothing, because keys are random, not chosen.
    """

    header: str
    principals: Mapping[bytes, Principal]

    def identify(self, presented: Sequence[str]) -> Principal:
        """Whom all values of the header prove to be the caller. Raises TranscodeError (UNAUTHENTICATED)."""
        if len(presented) != 1:
            raise _unauthenticated(f"{len(presented)} API keys")
        key = presented[0].encode("utf-8", "surrogatepass")
        principal = self.principals.get(sha256(key).digest())
        if principal is None:
            raise _unauthenticated("unknown API key")
        return principal


def compile_api_keys(auth: AuthConfig) -> ApiKeys | None:
    """The keys of a configuration; None without any."""
    if not auth.api_keys:
        return None
    principals = {_digest(key): _principal(key) for key in auth.api_keys}
    return ApiKeys(header=auth.api_key_header, principals=principals)


def new_key() -> tuple[str, str]:
    """A new key of 256 random bits, and its hash as the configuration has it."""
    key = token_urlsafe(32)
    return key, f"sha256:{sha256(key.encode()).hexdigest()}"


def _digest(key: ApiKeyConfig) -> bytes:
    return bytes.fromhex(key.hash.get_secret_value().removeprefix("sha256:"))


def _principal(key: ApiKeyConfig) -> Principal:
    texts = [("x-user-id", key.user_id), ("x-user-email", key.email or ""), *key.metadata.items()]
    return Principal(
        user_id=key.user_id,
        email=key.email or "",
        metadata=tuple((name, metadata_text(text)) for name, text in texts if text),
        roles=frozenset(key.roles),
        scopes=frozenset(key.scopes),
    )


def _unauthenticated(reason: str) -> TranscodeError:
    headers = [("www-authenticate", CHALLENGE)]
    return TranscodeError(UNAUTHENTICATED, "invalid API key", reason=reason, headers=headers)
