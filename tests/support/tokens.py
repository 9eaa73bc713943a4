"""Signed tokens."""

from __future__ import annotations

import time
from typing import Any, Final

import jwt

SECRET: Final = "a-secret-of-thirty-two-bytes-or-more"


def hs256(secret: str = SECRET, /, *, expires_in: float = 3600, **claims: Any) -> str:
    """An HS256 token of these claims; a claim that is None is left out, `exp` too."""
    now = int(time.time())
    payload = {"sub": "user-1", "iat": now, "exp": now + expires_in, **claims}
    return jwt.encode({k: v for k, v in payload.items() if v is not None}, secret, algorithm="HS256")


def bearer(secret: str = SECRET, /, *, expires_in: float = 3600, **claims: Any) -> dict[str, str]:
    """The request header that carries such a token."""
    return {"Authorization": f"Bearer {hs256(secret, expires_in=expires_in, **claims)}"}
