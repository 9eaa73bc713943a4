"""A value that does not fit the schema, and the place it stands at.

The place is put together while the exception passes the encoders on its way out, so that good input never
pays for it.
"""

from __future__ import annotations

import re
from typing import Final

_LONGEST_NAME: Final = 100
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Invalid(ValueError):  # noqa: N818 - what a value is, not an error of the program
    """Raised by encoders with what is wrong, without the place."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self._steps: list[str | int] = []

    def at(self, step: str | int) -> None:
        """Add the object key or array index the value stands at; innermost first."""
        self._steps.append(step)

    def in_json(self) -> str:
        """The whole message for a JSON document: `invalid value for int32 @ $.items[3].quantity`."""
        return f"{self.problem} @ ${''.join(map(_step_text, reversed(self._steps)))}"


def invalid_value(type_name: str) -> Invalid:
    """The problem of a value that is none of the given scalar, enum or message type."""
    return Invalid(f"invalid value for {type_name}")


def shown(name: str) -> str:
    """A name a client sent, fit for a message: bounded in length, without lone surrogates."""
    if len(name) > _LONGEST_NAME:
        name = name[:_LONGEST_NAME] + "..."
    return name.encode(errors="replace").decode()


def _step_text(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _PLAIN.fullmatch(step) else f'["{shown(step)}"]'
