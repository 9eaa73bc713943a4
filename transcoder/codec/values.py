"""JSON values: what `json` makes of a document."""

from __future__ import annotations

from typing import Any


def take_apart(value: Any) -> None:
    """Let go of one part after the other: a million at once hold the interpreter."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if type(part) is list:
            waiting += part
            part.clear()
        elif type(part) is dict:
            waiting += part.values()
            part.clear()
