"""Keys that are accepted, and checked, but not acted on by this version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel

from transcoder.config.model import Config
from transcoder.config.places import Loc

PENDING: Final = ("server.tls",)


def pending_features(config: Config) -> Iterator[tuple[Loc, str]]:
    """Every such key that says something else than its default."""
    for pattern in PENDING:
        for loc in _differing(config, tuple(pattern.split(".")), ()):
            yield loc, "is accepted, but this version does not act on it"


def _differing(value: Any, pattern: tuple[str, ...], loc: Loc) -> Iterator[Loc]:
    head, *rest = pattern
    for key, child in _children(value, head):
        if rest:
            yield from _differing(child, tuple(rest), (*loc, key))
        elif child != type(value).model_fields[head].default:
            yield (*loc, key)


def _children(value: Any, head: str) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, BaseModel):
        yield head, getattr(value, head)
    else:
        yield from value.items() if isinstance(value, Mapping) else enumerate(value)
