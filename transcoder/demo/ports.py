"""The ports of the demo backends."""

from __future__ import annotations

from typing import Final

PORTS: Final = (50051, 50052, 50053, 50054, 50055)
"""Of user, order, position, market-data and wallet service."""

_LARGEST: Final = 65535


def read_ports(text: str) -> list[int]:
    """A port for each backend, as a command line has them; 0 is a free one. Raises ValueError."""
    parts = text.split(",")
    if len(parts) != len(PORTS) or not all(part.isdecimal() and int(part) <= _LARGEST for part in parts):
        raise ValueError(f"{text!r} is not {len(PORTS)} port numbers separated by commas")
    return [int(part) for part in parts]
