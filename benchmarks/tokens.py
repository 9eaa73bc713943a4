"""The token of the benchmarks, and what is needed to verify it."""

from __future__ import annotations

import time
from typing import Final

import jwt

SECRET: Final = "benchmarks-know-no-secret-longer-than-this"
ISSUER: Final = "https://bench.example"
AUDIENCE: Final = "bench"
_LIFETIME: Final = 24 * 3600


def bearer() -> dict[str, str]:
    """The request header with a token that lasts for any run."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "iat": now, "exp": now + _LIFETIME}
    return {"Authorization": f"Bearer {jwt.encode(claims, SECRET, algorithm='HS256')}"}
