"""Ports nobody listens on."""

from __future__ import annotations

import socket
from typing import Final

_GIVEN: Final[set[int]] = set()


def free_port() -> int:
    """A port of 127.0.0.1 that was free just now, another one each time: the system may name one twice."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in _GIVEN:
            _GIVEN.add(port)
            return port
