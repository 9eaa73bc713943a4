"""A token as text: the bearer credential of a request, and the compact JWS in it (RFC 6750, RFC 7515).

Nothing here is verified. PyJWT decodes and checks in one step, for one key and by the wall clock; the issuer
has to be chosen before and several keys may be tried, so the text is taken apart here, once.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from transcoder.security.keys import is_key_id

MAX_TOKEN: Final = 8192
"""Longest token that is looked at, in characters."""

# RFC 7235 section 2.1: the scheme is case-insensitive, one or more spaces follow.
_BEARER: Final = re.compile(r"bearer(?: +(.*))?", re.IGNORECASE | re.ASCII | re.DOTALL)
_SEGMENT: Final = r"([A-Za-z0-9_-]++)"
_COMPACT: Final = re.compile(rf"{_SEGMENT}\.{_SEGMENT}\.{_SEGMENT}")


class MissingToken(Exception):  # noqa: N818 - the request has no bearer credential; not an error by itself
    """The request carries no bearer credential."""


class InvalidToken(Exception):  # noqa: N818 - RFC 6750's term
    """A token that is refused; the text is for the log and quotes nothing of the token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jws:
    """A compact JWS taken apart. Every part is what the client says until the signature is checked."""

    algorithm: str
    kid: str | None
    claims: dict[str, Any]
    signing_input: bytes
    signature: bytes


def bearer_token(authorization: Sequence[str]) -> str:
    """The token of a request's Authorization headers.

    Raises MissingToken when there is none of the Bearer scheme, InvalidToken when there are several headers
    or the token is too long.
    """
    if not authorization:
        raise MissingToken("no authorization header")
    if len(authorization) > 1:
        raise InvalidToken("more than one authorization header")
    bearer = _BEARER.fullmatch(authorization[0])
    if bearer is None:
        raise MissingToken("authorization scheme is not bearer")
    token: str = bearer[1] or ""
    if len(token) > MAX_TOKEN:
        raise InvalidToken("token is too long")
    return token


def parse_jws(token: str) -> Jws:
    """Takes a compact JWS with JSON claims apart. Raises InvalidToken.

    `jwk`, `jku`, `x5u` and `x5c` are never looked at: keys come from the configuration only.
    """
    compact = _COMPACT.fullmatch(token)
    if compact is None:
        raise InvalidToken("not a compact JWS")
    header = _json_object(compact[1], "header")
    # RFC 7515 section 4.1.11: an extension that is not understood must be refused. None is.
    if "crit" in header or "b64" in header:
        raise InvalidToken("header asks for an extension")
    if not isinstance(header.get("alg"), str):
        raise InvalidToken("header has no alg")
    kid = header.get("kid")
    if kid is not None and not is_key_id(kid):
        raise InvalidToken("kid is not a short printable text")
    return Jws(
        algorithm=header["alg"],
        kid=kid,
        claims=_json_object(compact[2], "payload"),
        signing_input=token[: compact.end(2)].encode(),
        signature=_base64url(compact[3], "signature"),
    )


def _json_object(segment: str, name: str) -> dict[str, Any]:
    try:
        value = orjson.loads(_base64url(segment, name))
    except orjson.JSONDecodeError:
        raise InvalidToken(f"{name} is not JSON") from None
    if not isinstance(value, dict):
        raise InvalidToken(f"{name} is not a JSON object")
    return value


def _base64url(segment: str, name: str) -> bytes:
    text = segment.encode()
    try:
        data = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except ValueError:
        raise InvalidToken(f"{name} is not base64url") from None
    # Spare bits must be zero, or one token could be written in several ways.
    if base64.urlsafe_b64encode(data).rstrip(b"=") != text:
        raise InvalidToken(f"{name} is not base64url")
    return data
