"""Who may talk to the admin port."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from transcoder.config.model import AdminConfig
from transcoder.config.names import is_loopback
from transcoder.errors import PERMISSION_DENIED, UNAUTHENTICATED, TranscodeError

READING: Final = frozenset({"GET", "HEAD"})


def check_token(authorization: Sequence[str], token: str) -> None:
    """Let only `Authorization: Bearer TOKEN` pass. Raises TranscodeError (UNAUTHENTICATED)."""
    scheme, _, given = authorization[0].partition(" ") if len(authorization) == 1 else ("", "", "")
    is_right = hmac.compare_digest(_bytes(given.strip()), _bytes(token))
    if scheme.lower() != "bearer" or not is_right:
        raise TranscodeError(
            UNAUTHENTICATED, "missing or wrong token", headers=[("www-authenticate", "Bearer")]
        )


def check_neighbour(peer: str, hosts: Sequence[str], admin: AdminConfig) -> None:
    """Without a token, let only this machine pass, and no web page that has rebound its name to it.

    peer: address of the TCP peer; hosts: the Host headers. Such a page's requests still carry its name.
    Raises TranscodeError (PERMISSION_DENIED).
    """
    if not is_loopback(peer):
        raise TranscodeError(PERMISSION_DENIED, "without admin.token only this machine is answered")
    if len(hosts) != 1 or not _is_own(_host_name(hosts[0]), admin.host):
        raise TranscodeError(
            PERMISSION_DENIED, "without admin.token the Host must be an IP address, localhost or admin.host"
        )


def check_origin(http_method: str, origins: Sequence[str], hosts: Sequence[str]) -> None:
    """Let no page of another site change anything. Raises TranscodeError (PERMISSION_DENIED)."""
    if http_method not in READING and any(_authority(origin) not in hosts for origin in origins):
        raise TranscodeError(PERMISSION_DENIED, "requests of other sites' pages may not change anything")


def _is_own(name: str, own: str) -> bool:
    if name in ("localhost", own.strip("[]").lower()):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _authority(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _bytes(text: str) -> bytes:
    """Any text: compare_digest takes only ASCII as such."""
    return text.encode(errors="surrogatepass")
