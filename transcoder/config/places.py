"""Where a value of the configuration stands, and problems that say so."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from transcoder.errors import Problem

Loc = tuple[str | int, ...]
"""The way to a value: mapping keys and list indices from the top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A line, 1-based, of a file."""

    file: str
    line: int


Places = Mapping[Loc, Place]
"""Every value of a configuration by its way; a value made otherwise is not in it."""


_NOWHERE: Final = Place(file="", line=0)


def problem_at(places: Places, loc: Loc, message: str) -> Problem:
    """A problem of the value at `loc`, on its line or on that of the nearest value around it."""
    around = (loc[:length] for length in range(len(loc), -1, -1))
    place = next((places[outer] for outer in around if outer in places), _NOWHERE)
    return Problem(message=message, key=dotted(loc), file=place.file, line=place.line)


def dotted(loc: Loc) -> str:
    """A way as people write it: `services.order-service.address`, `routes[2].path`."""
    return "".join(map(_step, loc)).removeprefix(".")


def _step(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if re.fullmatch(r"[\w-]{1,64}", part, re.ASCII) else f".{shown(part)}"


def shown(value: object) -> str:
    """A value as a message shows it: on one line, ASCII only, not long."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = json.dumps(value, default=str)
    return text if len(text) <= 64 else f"{text[:60]}..."
