"""The facts of a request, as the gateway wants them."""

from __future__ import annotations

import os
import re
from typing import Final

from transcoder.context import Body, RequestContext
from transcoder.server.head import Head

REQUEST_ID: Final = "x-request-id"

_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")
_SANE_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.:/+=@-]{1,128}")


def context_of(head: Head, body: Body, peer: str, scheme: str) -> RequestContext:
    """The facts of a request; target and header values just as they came."""
    target = head.target
    path, _, query = (target if target[0] == "/" else origin_form(target)).partition("?")
    return RequestContext(
        http_method=head.method,
        path=path,
        query=query,
        headers=head.headers,
        body=body,
        peer=peer,
        scheme=scheme,
        request_id=sane_request_id(head.request_id),
    )


def origin_form(target: str) -> str:
    """Path and query of a request target; proxies may send it in absolute form (RFC 9112, section 3.2)."""
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        return target
    rest = target[absolute.end() :]
    return rest if rest.startswith("/") else f"/{rest}"


def sane_request_id(value: str | None) -> str:
    """The client's request id if it is one that can go anywhere, else a new one."""
    if value is not None and _SANE_REQUEST_ID.fullmatch(value):
        return value
    return os.urandom(16).hex()
