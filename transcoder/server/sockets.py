"""The sockets the gateway listens on."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from transcoder.config.model import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Sockets:
    """Bound sockets. admin: None when it is off."""

    public: socket.socket
    admin: socket.socket | None

    @property
    def all(self) -> tuple[socket.socket, ...]:
        """Those there are."""
        return (self.public,) if self.admin is None else (self.public, self.admin)


def bind(config: Config) -> Sockets:
    """The sockets of a configuration. Raises OSError naming the address that cannot be bound."""
    public = _bind(config.server.host, config.server.port)
    try:
        admin = _bind(config.admin.host, config.admin.port) if config.admin.enabled else None
    except OSError:
        public.close()
        raise
    return Sockets(public=public, admin=admin)


def reserve(config: Config) -> Sockets:
    """Those of several workers: the public address is only reserved, and each listens at it by `join`.

    A queue of connections that all take from is emptied by whoever wakes first: of 32 clients that connect at
    once one worker would often get all.
    """
    sockets = bind(config)
    # not before it is bound, or another gateway could be bound to the same address
    sockets.public.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return sockets


def join(reserved: socket.socket) -> socket.socket:
    """A socket of this process's own at a reserved address; connections are spread over all of them."""
    with reserved:
        return _bound(reserved.family, reserved.getsockname(), socket.SO_REUSEADDR, socket.SO_REUSEPORT)


def _bind(host: str, port: int) -> socket.socket:
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return _bound(family, (host, port), socket.SO_REUSEADDR)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error
        raise OSError(f"cannot listen on {host}:{port}: {reason}") from error


def _bound(family: int, address: tuple[object, ...], *options: int) -> socket.socket:
    sock = socket.socket(family)
    try:
        for option in options:
            sock.setsockopt(socket.SOL_SOCKET, option, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock
