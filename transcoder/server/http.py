"""The facts of a request, as the gateway wants them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final

from transcoder.context import Body, RequestContext
from transcoder.server.head import Head

REQUEST_ID: Final = "x-request-id"

_IDS_AT_ONCE: Final = 256
_ID_BYTES: Final = 16
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")
_SANE_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.:/+=@-]{1,128}")


def new_request_id() -> str:
    """A request id that nobody can foresee."""
    return os.urandom(_ID_BYTES).hex()


def new_request_ids() -> Iterator[str]:
    """Such ids without end; the kernel is asked for many at a time."""
    return chain.from_iterable(iter(_many_ids, []))


def context_of(
    head: Head, body: Body, peer: str, scheme: str, new_id: Callable[[], str] = new_request_id
) -> RequestContext:
    """The facts of a request; target and header values just as they came."""
    target = head.target
    path, _, query = (target if target[0] == "/" else origin_form(target)).partition("?")
    request_id = sane_request_id(head.request_id, new_id)
    return RequestContext(head.method, path, query, head.headers, body, peer, scheme, request_id)


def origin_form(target: str) -> str:
    """Path and query of a request target; proxies may send it in absolute form (RFC 9112, section 3.2)."""
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        return target
    rest = target[absolute.end() :]
    return rest if rest.startswith("/") else f"/{rest}"


def sane_request_id(value: str | None, new_id: Callable[[], str] = new_request_id) -> str:
    """The client's request id if it is one that can go anywhere, else a new one."""
    if value is not None and _SANE_REQUEST_ID.fullmatch(value):
        return value
    return new_id()


def _many_ids() -> list[str]:
    digits = os.urandom(_IDS_AT_ONCE * _ID_BYTES).hex()
    return [digits[start : start + 2 * _ID_BYTES] for start in range(0, len(digits), 2 * _ID_BYTES)]
