"""What is looked at, and how a name of it is found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from transcoder.backend.backend import Backend
from transcoder.errors import NOT_FOUND, TranscodeError
from transcoder.plan.plan import Snapshot
from transcoder.resilience.protection import Protection


class Inspected(Protocol):
    """The gateway, as far as it is looked at."""

    @property
    def snapshot(self) -> Snapshot:
        """The current generation."""

    @property
    def backends(self) -> Mapping[str, Backend]:
        """The backends of it, by their keys in `services`."""

    @property
    def protections(self) -> Mapping[str, Protection]:
        """What stands before the calls of each."""


def backend_of(gateway: Inspected, name: str) -> Backend:
    """A backend by its key in `services`. Raises TranscodeError (NOT_FOUND) naming those there are."""
    backend = gateway.backends.get(name)
    if backend is None:
        known = ", ".join(sorted(gateway.backends)) or "none"
        raise TranscodeError(NOT_FOUND, f"no service {name!r}; there are: {known}")
    return backend
