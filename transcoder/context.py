"""What one request carries through the layers: immutable facts in, an answer out, and a deadline between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

_UNENCODED: Final = "".join(map(chr, range(0x21, 0x25))) + "".join(map(chr, range(0x26, 0x7F)))

Metadata = Sequence[tuple[str, str | bytes]]
"""gRPC metadata: lower-case keys; values are printable ASCII text, or bytes under keys that end in `-bin`."""

Headers = Sequence[tuple[str, str]]
"""HTTP headers in the order they came, names in lower case; a repeated header is repeated here too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who a verified credential says the caller is.

    claims: everything the credential says; roles and scopes: what `require` of a route is held against;
    metadata: what the backend is told (`x-user-id`, `x-user-email`, forwarded claims), ready to send.
    """

    user_id: str
    email: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict)
    metadata: Metadata = ()
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()


@dataclass(slots=True, kw_only=True)
class RequestContext:
    """One HTTP request as the server read it.

    http_method: as sent, case kept. path and query: the raw target split at the first `?`, still
    percent-encoded. peer: address of the TCP peer. scheme: of this connection, `http` or `https`.
    principal: set by the authentication guard, None on open routes.
    """

    http_method: str
    path: str
    query: str
    headers: Headers
    body: bytes
    peer: str
    scheme: str
    request_id: str
    principal: Principal | None = None

    def header(self, name: str) -> str | None:
        """The first value of a header, by its lower-case name."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to a request, before it is written as HTTP."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Headers = ()


def metadata_text(value: str) -> str:
    """A text as a metadata value: itself when it is printable ASCII, else percent-encoded UTF-8.

    gRPC allows only %x20-%x7E in such values and servers trim the spaces around them.
    """
    if value.isascii() and value.isprintable() and value == value.strip():
        return value
    return quote(value, safe=_UNENCODED)
